//! Makes inputs: from seeds, by small changes.

use fastrand::Rng;

/// Makes texts without NUL, which no statement can hold.
pub struct Mutator {
    pub random: Rng,
    seeds: Vec<String>,
    words: Vec<String>,
}

/// What many formats treat in a way of its own.
const CHARACTERS: &[char] = &[
    '0',
    '1',
    '9',
    '-',
    '+',
    '.',
    'e',
    'E',
    ' ',
    '\t',
    '\n',
    '\r',
    '"',
    '\'',
    '\\',
    '/',
    '?',
    '#',
    '%',
    '_',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    ';',
    '@',
    '&',
    '=',
    '*',
    '$',
    '<',
    '\u{1}',
    '\u{7f}',
    '\u{85}',
    '\u{a0}',
    'ü',
    'İ',
    'K',
    'Σ',
    '中',
    '\u{200b}',
    '\u{fffd}',
    '\u{feff}',
    '😀',
    '\u{10ffff}',
];

impl Mutator {
    pub fn new(seed: u64, seeds: &[&str], words: &[&str]) -> Mutator {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Mutator { random: Rng::with_seed(seed), seeds: owned(seeds), words: owned(words) }
    }

    /// A seed, mostly with some changes.
    pub fn input(&mut self) -> String {
        let mut characters: Vec<char> = self.seeds[self.random.usize(..self.seeds.len())].chars().collect();
        for _ in 0..self.random.usize(..6) {
            self.change(&mut characters);
        }
        // Nobody learns anything from longer ones.
        characters.truncate(4000);
        characters.retain(|character| *character != '\0');
        characters.into_iter().collect()
    }

    fn change(&mut self, text: &mut Vec<char>) {
        let (from, to) = (self.random.usize(..=text.len()), self.random.usize(..=text.len()));
        let (from, to) = (from.min(to), from.max(to));
        let near = (from + self.random.usize(..4)).min(text.len());
        let character = match self.random.bool() {
            true => CHARACTERS[self.random.usize(..CHARACTERS.len())],
            false => self.random.char(..),
        };
        match self.random.u32(..8) {
            0 => drop(text.drain(from..near)),
            1 => text.insert(from, character),
            2 => drop(text.splice(from..near, [character])),
            3 if !self.words.is_empty() => {
                let word = &self.words[self.random.usize(..self.words.len())];
                drop(text.splice(from..near, word.chars()));
            }
            4 => {
                let part = text[from..to].to_vec();
                drop(text.splice(from..from, part));
            }
            5 => drop(text.drain(from..to)),
            6 => {
                let other = &self.seeds[self.random.usize(..self.seeds.len())];
                drop(text.splice(from..near, other.chars()));
            }
            _ => {
                let many = [10, 100, 1000][self.random.usize(..3)];
                drop(text.splice(from..from, std::iter::repeat_n(character, many)));
            }
        }
    }
}
