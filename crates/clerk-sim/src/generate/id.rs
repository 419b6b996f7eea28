//! Ids like Clerk's: a prefix and a KSUID, which has 27 base62 characters and begins with the second of creation.

use fake::rand::Rng;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The Unix time of 13 May 2014, from which KSUIDs count seconds.
const EPOCH: i64 = 1_400_000_000;

/// A new id for an object that is created at this time, in Unix milliseconds.
pub(crate) fn new(prefix: &str, random: &mut impl Rng, created_at: i64) -> String {
    let seconds = u32::try_from(created_at / 1000 - EPOCH).unwrap_or_default();
    // 160 bits, the most significant word first.
    let mut words = [seconds, random.random(), random.random(), random.random(), random.random()];
    let mut digits = [b'0'; 27];
    for digit in digits.iter_mut().rev() {
        let mut rest: u64 = 0;
        for word in &mut words {
            let dividend = rest << 32 | u64::from(*word);
            *word = (dividend / 62) as u32;
            rest = dividend % 62;
        }
        *digit = DIGITS[rest as usize];
    }
    let mut id = String::with_capacity(prefix.len() + digits.len());
    id.push_str(prefix);
    id.extend(digits.iter().map(|digit| char::from(*digit)));
    id
}

/// Random base62 text.
pub(crate) fn text(random: &mut impl Rng, length: usize) -> String {
    (0..length).map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use fake::rand::SeedableRng;
    use fake::rand::rngs::StdRng;

    use super::*;

    #[test]
    fn an_id_has_27_digits_and_begins_with_its_time() {
        let mut random = StdRng::seed_from_u64(1);
        let mut ids: Vec<String> =
            (0..50).map(|day| new("user_", &mut random, 1_672_531_200_000 + day * 86_400_000)).collect();
        assert!(ids.iter().all(|id| id.len() == "user_".len() + 27));
        let in_time = ids.clone();
        ids.sort();
        assert_eq!(ids, in_time);
    }
}
