//! What the documentation says: every query runs, every output is right, every quotation stands in its file, every link leads
//! somewhere. [`page`] has the conventions by which a page tells the tests about its code blocks.

mod generated;
mod links;
mod output;
mod page;
mod questions;
mod run;
mod sqlstates;

use std::fs;
use std::path::{Path, PathBuf};

use page::{Note, Page};

use crate::support::*;

/// The root of the repository, where cargo runs the tests of the package.
fn root() -> PathBuf {
    std::env::current_dir().unwrap()
}

/// The paths of all Markdown files below a directory, relative to the root and sorted.
fn markdown_files(directory: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join(directory)).unwrap_or_else(|error| panic!("{directory}: {error}")) {
        let entry = entry.unwrap();
        let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            files.extend(markdown_files(&path));
        } else if Path::new(&path).extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// All pages of the documentation.
fn all_pages() -> Vec<Page> {
    let files = std::iter::once("README.md".to_owned()).chain(markdown_files("docs"));
    files.map(|path| Page::read(&root(), &path)).collect()
}

/// Whether the pages' SQL is run by [`questions`] and not here.
fn is_object(path: &str) -> bool {
    path.starts_with("docs/objects/")
}

/// Runs the SQL of the pages directly in a folder, one page after the other, in a server of their own: what they do to roles
/// and databases disturbs nobody. `CLERK_FDW_PAGE=mirror` runs only pages whose path contains that.
fn run_folder(folder: &str) {
    let chosen = std::env::var("CLERK_FDW_PAGE").unwrap_or_default();
    let is_here = |page: &Page| {
        page.path.strip_prefix(folder).is_some_and(|name| !name.contains('/'))
            && !is_object(&page.path)
            && page.path.contains(&chosen)
    };
    let pages: Vec<_> = all_pages().into_iter().filter(is_here).filter(Page::has_sql).collect();
    if pages.is_empty() {
        return;
    }
    // With its library preloaded, a server can do everything that the pages show.
    let cluster = Cluster::with("shared_preload_libraries = 'clerk_fdw'\n");
    report(pages.iter().flat_map(|page| run::run(page, &cluster)).collect());
}

/// Fails with all problems, if there are any.
#[track_caller]
fn report(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} problems\n\n{}\n", problems.len(), problems.join("\n\n"));
}

/// The SQL of the README runs and gives what the README says.
#[test]
fn readme() {
    run_folder("README");
}

/// So does that of the pages directly in `docs/`.
#[test]
fn front() {
    run_folder("docs/");
}

/// So does that of the guide.
#[test]
fn guide() {
    run_folder("docs/guide/");
}

/// So does that of the reference.
#[test]
fn reference() {
    run_folder("docs/reference/");
}

/// So does that of the recipes' pages, where they do not quote their files.
#[test]
fn recipes() {
    run_folder("docs/recipes/");
}

/// So does that of the pages for contributors.
#[test]
fn internals() {
    run_folder("docs/internals/");
}

/// Every page is in a folder that one of the tests above runs.
#[test]
fn every_page_is_run() {
    let folders =
        ["README", "docs/", "docs/guide/", "docs/reference/", "docs/recipes/", "docs/internals/", "docs/objects/"];
    let is_run =
        |path: &str| folders.iter().any(|folder| path.strip_prefix(folder).is_some_and(|name| !name.contains('/')));
    report(all_pages().into_iter().map(|page| page.path).filter(|path| !is_run(path)).collect());
}

/// Every page keeps to the conventions: each code block has a language, and what is not run says where it is tested.
#[test]
fn conventions() {
    report(all_pages().iter().flat_map(|page| page.problems(is_object(&page.path))).collect());
}

/// Every block that says where it is tested, or from which file it is, stands there.
#[test]
fn quotations() {
    let mut problems = Vec::new();
    for page in all_pages() {
        for block in page.blocks() {
            let (path, missing): (_, fn(&page::Block, &str) -> Option<String>) = match &block.note {
                Some(Note::TestedBy(path)) => (path, page::Block::untested_line),
                Some(Note::File(path)) => (path, page::Block::misquoted_line),
                _ => continue,
            };
            let place = format!("{}:{}", page.path, block.line);
            match fs::read_to_string(root().join(path)) {
                Err(error) => problems.push(format!("{place}: {path}: {error}")),
                Ok(file) => {
                    problems.extend(
                        missing(block, &file).map(|line| format!("{place}: {path} does not have the line: {line}")),
                    );
                }
            }
        }
    }
    report(problems);
}
