//! Comments and documents are plain sentences: they begin with a subject, and they name the person that they mean.

use std::path::Path;

use super::sources;

/// The beginnings of riddles. The sentence names its subject instead: "The number of kills", not "How often".
const HEADS: [&str; 16] = [
    "What ",
    "Whatever ",
    "Whether ",
    "Who ",
    "Whoever ",
    "How ",
    "So many ",
    "So much ",
    "As many ",
    "Nobody ",
    "Somebody ",
    "Anybody ",
    "The same, ",
    "The same for ",
    "The same of ",
    "The same with ",
];

/// Words for a person who has a name: the caller, an administrator, a client, no other user.
const PERSONS: [&str; 6] = ["whoever", "whomever", "nobody", "somebody", "anybody", "everybody"];

/// Words of the glossary's "not" column that have no other meaning in a comment.
const WORDS: [&str; 7] = ["errand", "forgery", "ghost", "patience", "stranger", "turnstile", "mend"];

/// The documents outside of the folder `docs`, and those in it that are no Markdown.
const DOCUMENTS: [&str; 5] = ["ARCHITECTURE.md", "CHANGELOG.md", "README.md", "config.toml", "docs/alerts.yml"];

#[test]
fn comments_and_documents_name_their_subject() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut violations = Vec::new();
    for path in ["src", "actors/src", "bench/src", "tests"].iter().flat_map(|folder| sources(folder)) {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        violations.extend(in_comments(&std::fs::read_to_string(&path).unwrap()).map(|line| format!("{name}: {line}")));
    }
    for name in documents(root) {
        let text = std::fs::read_to_string(root.join(&name)).unwrap();
        violations.extend(text.lines().filter(|line| is_riddle(line)).map(|line| format!("{name}: {line}")));
    }
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Returns the names of all documents.
fn documents(root: &Path) -> Vec<String> {
    let paths = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let written = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let written: Vec<String> =
        written.map(|path| format!("docs/{}", path.file_name().unwrap().to_str().unwrap())).collect();
    assert!(written.len() > 10, "{written:?}");
    DOCUMENTS.map(str::to_owned).into_iter().chain(written).collect()
}

#[test]
fn planted_riddles_are_found() {
    let found = |text: &str| in_comments(text).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(found("/// How often it is killed.\nfn kills() {}"), ["How often it is killed."]);
    assert_eq!(found("    // The caller waits.\n    //\n    // Whether it ends.\n"), ["Whether it ends."]);
    assert_eq!(found("//! The same with a header, and nobody waits."), ["The same with a header, and nobody waits."]);
    assert_eq!(found("// Strangers wait.\n// The user `nobody` has\n// What the caller sent.\n"), ["Strangers wait."]);
    assert_eq!(found("let text = \"// What is a text\";\n// The same test runs twice.\n// Whose turn it is."), [""; 0]);
    assert!(
        is_riddle("## What an upgrade does") && is_riddle("| a row | Whoever asks |") && !is_riddle("| what | why |")
    );
}

/// Returns the lines of comments that begin a sentence with a banned head or contain a banned word.
fn in_comments(text: &str) -> impl Iterator<Item = &str> {
    let mut before = "";
    text.lines().filter_map(move |line| {
        let comment = comment(line);
        // A line after an unfinished sentence continues it, so it may begin with any word.
        let begins = before.is_empty() || before.ends_with(['.', ':', '?']);
        before = comment.unwrap_or_default();
        comment.filter(|comment| (begins && has_head(comment)) || has_word(comment))
    })
}

/// Returns the text of a line that is a comment and nothing else.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.strip_prefix(['/', '!']).unwrap_or(text).trim())
}

fn is_riddle(line: &str) -> bool {
    line.split('|').any(has_head) || has_word(line)
}

/// Returns true if a sentence begins with a banned head. Marks of lists, headings and comments do not count.
fn has_head(sentence: &str) -> bool {
    let sentence = sentence.trim_start_matches(|letter: char| "#-*0123456789. ".contains(letter));
    HEADS.iter().any(|head| sentence.starts_with(head))
}

/// Returns true if a text contains a banned word outside of code.
fn has_word(text: &str) -> bool {
    let prose = text.split('`').step_by(2);
    prose.flat_map(|part| part.split(|letter: char| !letter.is_alphanumeric())).any(|word| {
        let word = word.to_lowercase();
        PERSONS.iter().chain(&WORDS).any(|banned| word == *banned || word.strip_suffix('s') == Some(*banned))
    })
}
