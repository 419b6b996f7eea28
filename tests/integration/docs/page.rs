//! A page of the documentation, and how it tells the tests about its code blocks.
//!
//! | in the page | meaning |
//! | --- | --- |
//! | a block of `sql` | psql runs it, after the blocks before it, in a database of the page's own |
//! | a block of `text` right after one of `sql` | what psql prints for it: see [`super::output`] |
//! | `<!-- test: SQL -->` | psql runs this as well, for what the text presumes |
//! | `<!-- error: TEXT -->` before a block of `sql` | it has to fail, with this text in its error |
//! | `<!-- tested by: PATH -->` before any block | it is not run here; that file has each of its commands |
//! | `<!-- file: PATH -->` before any block | it is quoted: that file has its lines, in this order |
//!
//! A block in any language but `sql` and `text` needs one of the last two. The comments stand directly before the block, with
//! nothing but blank lines in between.

use std::fs;
use std::ops::Range;
use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page: a Markdown file.
pub struct Page {
    /// Its path, relative to the root of the repository.
    pub path: String,
    pub text: String,
    pub items: Vec<Item>,
    /// What is wrong with the comments, wherever that shows.
    misplaced: Vec<String>,
}

/// What a page tells the tests, in the page's order.
pub enum Item {
    /// SQL that readers do not see.
    Setup {
        line: usize,
        sql: String,
    },
    Block(Block),
}

pub struct Block {
    /// The number of the line in which it begins.
    pub line: usize,
    /// Empty if it has none.
    pub language: String,
    pub code: String,
    pub note: Option<Note>,
    /// Whether it follows a block of SQL directly.
    pub follows_sql: bool,
}

/// A comment directly before a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    Error(String),
    TestedBy(String),
    File(String),
}

impl Page {
    pub fn read(root: &Path, path: &str) -> Page {
        let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Page::parse(path, text)
    }

    pub fn parse(path: &str, text: String) -> Page {
        let mut page = Page { path: path.to_owned(), text: String::new(), items: Vec::new(), misplaced: Vec::new() };
        let mut block: Option<Block> = None;
        let mut note: Option<(usize, Note)> = None;
        let mut follows_sql = false;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = line_of(&text, &range);
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = match kind {
                        CodeBlockKind::Fenced(info) => info.split([' ', ',']).next().unwrap_or_default().to_owned(),
                        CodeBlockKind::Indented => String::new(),
                    };
                    let note = note.take().map(|(_, note)| note);
                    block = Some(Block { line, language, code: String::new(), note, follows_sql });
                }
                Event::Text(text) if block.is_some() => block.iter_mut().for_each(|block| block.code += &text),
                Event::End(TagEnd::CodeBlock) => {
                    if let Some(block) = block.take() {
                        follows_sql = block.language == "sql";
                        page.items.push(Item::Block(block));
                    }
                }
                Event::Start(Tag::HtmlBlock) => {
                    page.dangling(note.take());
                    follows_sql = false;
                    match comment(&text[range]) {
                        Some(("test", sql)) => page.items.push(Item::Setup { line, sql: sql.to_owned() }),
                        Some(("error", message)) => note = Some((line, Note::Error(message.to_owned()))),
                        Some(("tested by", path)) => note = Some((line, Note::TestedBy(path.to_owned()))),
                        Some(("file", path)) => note = Some((line, Note::File(path.to_owned()))),
                        Some((other, _)) => page.misplace(line, format!("unknown comment \"{other}:\"")),
                        None => {}
                    }
                }
                Event::Html(_) | Event::End(TagEnd::HtmlBlock) => {}
                Event::InlineHtml(html) if html.starts_with("<!--") => {
                    page.misplace(line, "a comment has to be in lines of its own".to_owned());
                }
                Event::Start(_) => {
                    page.dangling(note.take());
                    follows_sql = false;
                }
                _ => {}
            }
        }
        page.dangling(note);
        page.text = text;
        page
    }

    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.items.iter().filter_map(|item| match item {
            Item::Block(block) => Some(block),
            Item::Setup { .. } => None,
        })
    }

    pub fn has_sql(&self) -> bool {
        self.blocks().any(Block::is_run)
    }

    /// What does not keep to the conventions. The SQL of a page about an object is run as its questions.
    pub fn problems(&self, is_object: bool) -> Vec<String> {
        let mut problems = self.misplaced.clone();
        let mut quoted = false;
        for block in self.blocks() {
            let is_quoted = matches!(block.note, Some(Note::TestedBy(_) | Note::File(_)));
            let problem = match &*block.language {
                "" => Some("a code block without a language".to_owned()),
                "sql" if block.is_run() && !is_object => block.unfinished(),
                "text" if matches!(block.note, Some(Note::Error(_))) => Some("\"error:\" before output".to_owned()),
                "text" if block.follows_sql && quoted && !is_quoted => {
                    Some("the output of SQL that is not run here needs <!-- file: PATH -->".to_owned())
                }
                "sql" | "text" => None,
                _ if is_quoted => None,
                language => {
                    Some(format!("a block of {language} needs <!-- tested by: PATH --> or <!-- file: PATH -->"))
                }
            };
            problems.extend(problem.map(|problem| format!("{}:{}: {problem}", self.path, block.line)));
            quoted = block.language == "sql" && is_quoted;
        }
        problems
    }

    fn dangling(&mut self, note: Option<(usize, Note)>) {
        if let Some((line, note)) = note {
            self.misplace(line, format!("no code block follows directly: {note:?}"));
        }
    }

    fn misplace(&mut self, line: usize, problem: String) {
        self.misplaced.push(format!("{}:{line}: {problem}", self.path));
    }
}

impl Block {
    /// Whether psql runs it.
    pub fn is_run(&self) -> bool {
        self.language == "sql" && !matches!(self.note, Some(Note::TestedBy(_) | Note::File(_)))
    }

    /// Whether it is the output of a block that psql runs.
    pub fn is_output(&self) -> bool {
        self.language == "text" && self.follows_sql && self.note.is_none()
    }

    /// What is wrong if the last statement of the SQL does not end.
    fn unfinished(&self) -> Option<String> {
        let mut lines = self.code.lines().map(|line| line.split(" --").next().unwrap_or(line).trim());
        let last = lines.rfind(|line| !line.is_empty() && !line.starts_with("--"))?;
        let is_finished = last.ends_with(';') || last.starts_with('\\') || last.contains(" \\g");
        (!is_finished).then(|| format!("the last statement has no semicolon: {last}"))
    }

    /// The first command of the block that the file does not contain. In a Makefile, `make x` is the target `x`.
    pub fn untested_line(&self, file: &str) -> Option<String> {
        let is_target = |command: &str| {
            let target =
                command.strip_prefix("make ").and_then(|rest| rest.split(' ').find(|word| !word.contains('=')));
            target.is_some_and(|target| file.contains(&format!("\n{target}:")))
        };
        self.commands().find(|command| !file.contains(command) && !is_target(command)).map(str::to_owned)
    }

    /// The commands: without comments, prompts, `sudo`, and in a `console` without what is printed.
    fn commands(&self) -> impl Iterator<Item = &str> {
        let comment = match &*self.language {
            "sql" => "--",
            "ts" | "js" | "typescript" | "javascript" | "rust" => "//",
            _ => "#",
        };
        let lines = self.code.lines().map(str::trim);
        let lines = lines.filter(|line| self.language != "console" || line.starts_with("$ "));
        lines
            .filter(move |line| !line.starts_with(comment))
            .map(move |line| line.split(&format!(" {comment} ")).next().unwrap_or(line).trim())
            .map(|line| line.strip_prefix("$ ").unwrap_or(line))
            .map(|line| line.strip_prefix("sudo ").unwrap_or(line))
            .filter(|line| !line.is_empty())
    }

    /// The first line of the block that is not in the file behind the lines before it. `...` stands for lines left out.
    pub fn misquoted_line(&self, file: &str) -> Option<String> {
        let mut rest = file.lines().map(str::trim);
        let mut lines = self.code.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "...");
        lines.find(|line| !rest.any(|other| other == *line)).map(str::to_owned)
    }
}

/// The word before the colon of an HTML comment, and what follows it; `None` for any other comment.
fn comment(html: &str) -> Option<(&str, &str)> {
    let inside = html.trim().strip_prefix("<!--")?.strip_suffix("-->")?;
    let (word, rest) = inside.split_once(':')?;
    Some((word.trim(), rest.trim()))
}

fn line_of(text: &str, range: &Range<usize>) -> usize {
    text[..range.start].matches('\n').count() + 1
}

/// Comments belong to the block that follows them directly, and output to the SQL before it.
#[test]
fn parse() {
    let text = "# A page

<!-- test: CREATE TABLE t (a int);
INSERT INTO t VALUES (1); -->

```sql
SELECT a FROM t;
```

```text
 1
```

Words.

```text
no output
```

- A list:

  <!-- error: division by zero -->
  ```sql
  SELECT 1 / 0;
  ```

<!-- tested by: bin/x -->

```console
$ sudo make  # all of it
done
```
";
    let page = Page::parse("page.md", text.to_owned());
    let Item::Setup { line: 3, sql } = &page.items[0] else { panic!("no setup") };
    assert_eq!(sql, "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1);");
    let blocks: Vec<_> = page.blocks().collect();
    let found: Vec<_> =
        blocks.iter().map(|block| (block.line, &*block.language, block.is_output(), block.is_run())).collect();
    let expected = [
        (6, "sql", false, true),
        (10, "text", true, false),
        (16, "text", false, false),
        (23, "sql", false, true),
        (29, "console", false, false),
    ];
    assert_eq!(found, expected);
    assert_eq!(blocks[3].code, "SELECT 1 / 0;\n");
    assert_eq!(blocks[3].note, Some(Note::Error("division by zero".to_owned())));
    assert_eq!(blocks[4].note, Some(Note::TestedBy("bin/x".to_owned())));
    assert_eq!(blocks[4].commands().collect::<Vec<_>>(), ["make"]);
    assert_eq!(page.problems(false), [""; 0]);
}

/// What a page may not do.
#[test]
fn problems() {
    let problems = |text: &str| Page::parse("p", text.to_owned()).problems(false);
    let wrong = [
        ("```\nx\n```\n", "p:1: a code block without a language"),
        ("    indented\n", "p:1: a code block without a language"),
        ("```sh\nmake\n```\n", "p:1: a block of sh needs <!-- tested by: PATH --> or <!-- file: PATH -->"),
        ("```sql\nSELECT 1\n```\n", "p:1: the last statement has no semicolon: SELECT 1"),
        ("<!-- test by: x -->\n", "p:1: unknown comment \"test by:\""),
        ("Words <!-- file: x --> and words.\n", "p:1: a comment has to be in lines of its own"),
        ("<!-- file: x -->\nWords.\n\n```sh\nmake\n```\n", "p:1: no code block follows directly: File(\"x\")"),
        (
            "<!-- file: x -->\n```sql\nSELECT 1;\n```\n```text\n1\n```\n",
            "p:5: the output of SQL that is not run here needs",
        ),
    ];
    for (text, problem) in wrong {
        let found = problems(text);
        assert!(found.iter().any(|found| found.starts_with(problem)), "{text}: {found:?}");
    }
    assert_eq!(problems("<!-- begin generated -->\n```sql\nSELECT 1; -- one\n\\echo x\n```\n"), [""; 0]);
}

/// What a block quotes has to be in the file.
#[test]
fn quote() {
    let page = Page::parse("p", "```sh\n# first\nsudo make install\nmake test  # then\n```\n".to_owned());
    let block = page.blocks().next().unwrap();
    assert_eq!(block.untested_line("cd x\nmake install\nmake test\n"), None);
    assert_eq!(block.untested_line("make install\n").as_deref(), Some("make test"));
    assert_eq!(block.untested_line("x:\n\ninstall: x\n\ntest:\n"), None);
    assert_eq!(block.untested_line("x:\n\ninstall: x\n\ntests:\n").as_deref(), Some("make test"));
    let page = Page::parse("p", "```sql\nSELECT a\n...\n  FROM t;\n```\n".to_owned());
    let block = page.blocks().next().unwrap();
    assert_eq!(block.misquoted_line("SELECT a\n, b\nFROM t;\n"), None);
    assert_eq!(block.misquoted_line("FROM t;\nSELECT a\n").as_deref(), Some("FROM t;"));
}
