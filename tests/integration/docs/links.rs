//! Links of the documentation lead to files and headings that exist, and the book has every page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::page::Page;
use super::{all_pages, markdown_files, report, root};

/// The documents beside the pages whose links are checked as well.
const OTHERS: &[&str] = &["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/// Every relative link leads to a file, and to a heading of it if it names one.
#[test]
fn links() {
    let mut pages = all_pages();
    pages.extend(OTHERS.iter().map(|path| Page::read(&root(), path)));
    let anchors: BTreeMap<_, _> = pages.iter().map(|page| (page.path.clone(), anchors(&page.text))).collect();
    let mut problems = Vec::new();
    for page in &pages {
        for (line, link) in links_of(&page.text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.path.clone() } else { resolved(&page.path, path) };
            let problem = match anchors.get(&target) {
                _ if !root().join(&target).exists() => "there is no such file",
                Some(anchors) if !anchor.is_empty() && !anchors.contains(anchor) => "there is no such heading",
                None if !anchor.is_empty() => "it names a heading of what is no page",
                _ => continue,
            };
            problems.push(format!("{}:{line}: {link}: {problem}", page.path));
        }
    }
    report(problems);
}

/// `docs/SUMMARY.md`, the contents of the book, has every page once.
#[test]
fn summary() {
    let summary = Page::read(&root(), "docs/SUMMARY.md");
    let mut linked = BTreeSet::new();
    let mut problems = Vec::new();
    // A chapter that is not written yet has no link.
    for (line, link) in links_of(&summary.text).into_iter().filter(|(_, link)| !link.is_empty()) {
        let target = resolved(&summary.path, &link);
        if !linked.insert(target) {
            problems.push(format!("docs/SUMMARY.md:{line}: {link} is there already"));
        }
    }
    let missing = markdown_files("docs").into_iter().filter(|path| *path != summary.path && !linked.contains(path));
    problems.extend(missing.map(|path| format!("docs/SUMMARY.md lacks {path}")));
    report(problems);
}

/// The destinations of all links, with their lines.
fn links_of(text: &str) -> Vec<(usize, String)> {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    let links = events.filter_map(|(event, range)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some((text[..range.start].matches('\n').count() + 1, dest_url.into_string()))
        }
        _ => None,
    });
    links.collect()
}

/// The path that a relative link of a page leads to.
fn resolved(page: &str, link: &str) -> String {
    let mut path = PathBuf::new();
    for component in Path::new(page).parent().unwrap_or(Path::new("")).join(link).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.to_string_lossy().into_owned()
}

/// The names by which GitHub and mdBook link to the headings of a page.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| *heading += &text),
            Event::End(TagEnd::Heading(_)) => {
                let name = anchor(&heading.take().unwrap_or_default());
                // A heading that comes again gets a number.
                let numbered = (1..).map(|number| format!("{name}-{number}"));
                if let Some(free) = std::iter::once(name.clone()).chain(numbered).find(|name| !anchors.contains(name)) {
                    anchors.insert(free);
                }
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// How links are followed.
#[test]
fn follow() {
    assert_eq!(resolved("docs/guide/mirror.md", "../../SECURITY.md"), "SECURITY.md");
    assert_eq!(resolved("README.md", "docs/guide/mirror.md"), "docs/guide/mirror.md");
    let anchors = anchors("# What's `ON CONFLICT`?\n\n## Limits\n\n## Limits\n");
    assert_eq!(anchors.into_iter().collect::<Vec<_>>(), ["limits", "limits-1", "whats-on-conflict"]);
}
