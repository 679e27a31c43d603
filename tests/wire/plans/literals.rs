//! The statements in the code of the store, as texts or as patterns of texts.

use std::collections::BTreeMap;

use crate::tidy::bounds::shipped;

const BEGINNINGS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// A statement in the code.
pub struct Literal {
    /// Its file below `src/store`.
    pub path: String,
    /// The text before, between and after the parts that are only known when it runs. One part: the whole text is known.
    pub parts: Vec<String>,
}

struct Found {
    path: String,
    name: Option<String>,
    is_format: bool,
    text: String,
}

/// Returns each statement in the code of the store. Constants are put into their places.
pub fn all() -> Vec<Literal> {
    let mut found = Vec::new();
    for (path, text) in shipped() {
        if let Some(path) = path.strip_prefix("src/store/") {
            found.extend(literals(path, &text));
        }
    }
    let mut constants: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for one in &found {
        constants.entry(one.name.as_deref().unwrap_or_default()).or_default().push(one);
    }
    let statements = found.iter().filter(|one| BEGINNINGS.iter().any(|start| one.text.starts_with(start)));
    statements.map(|one| Literal { path: one.path.clone(), parts: parts(one, &constants) }).collect()
}

fn parts(of: &Found, constants: &BTreeMap<&str, Vec<&Found>>) -> Vec<String> {
    let mut parts = vec![String::new()];
    if of.is_format {
        expand(of, constants, &mut parts);
    } else {
        parts[0].push_str(&of.text);
    }
    parts.iter().map(|part| squeezed(part)).collect()
}

fn expand(of: &Found, constants: &BTreeMap<&str, Vec<&Found>>, parts: &mut Vec<String>) {
    // Braces of the text itself are doubled.
    let text = of.text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    for (number, piece) in text.split('{').enumerate() {
        let (name, rest) = if number == 0 { ("", piece) } else { piece.split_once('}').unwrap_or(("", piece)) };
        if number > 0 {
            // The constant of the nearest file, as the code imports it.
            let near =
                |one: &&&Found| one.path.bytes().zip(of.path.bytes()).take_while(|(one, other)| one == other).count();
            let constant = constants.get(name).filter(|_| !name.is_empty());
            match constant.and_then(|all| all.iter().max_by_key(near)) {
                Some(constant) => parts.last_mut().unwrap().push_str(&constant.text),
                None => parts.push(String::new()),
            }
        }
        parts.last_mut().unwrap().push_str(&rest.replace('\u{1}', "{").replace('\u{2}', "}"));
    }
}

/// Returns the text with one space between its words.
pub fn squeezed(text: &str) -> String {
    let inner = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let edge = |is: bool| if is && !inner.is_empty() { " " } else { "" };
    let (before, after) = (text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace));
    format!("{}{inner}{}", edge(before), edge(after))
}

/// Returns the texts in quotation marks of a file.
fn literals(path: &str, text: &str) -> Vec<Found> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let mut found = Vec::new();
    let mut rest = code.as_str();
    let mut before = String::new();
    while let Some((head, tail)) = rest.split_once('"') {
        before.push_str(head);
        if head.ends_with('\'') && tail.starts_with('\'') {
            rest = tail;
            continue;
        }
        let end = end_of(tail);
        let line = before.rsplit(';').next().unwrap_or_default();
        let name = line.rsplit_once("const ").filter(|_| before.trim_end().ends_with('=')).map(|(_, name)| name);
        found.push(Found {
            path: path.to_owned(),
            name: name.and_then(|name| Some(name.split(':').next()?.trim().to_owned())),
            is_format: before.trim_end().ends_with("format!("),
            text: unescaped(&tail[..end]),
        });
        before.clear();
        rest = tail.get(end + 1..).unwrap_or_default();
    }
    found
}

fn end_of(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.char_indices().find(|(_, character)| {
        let ends = *character == '"' && !is_escaped;
        is_escaped = *character == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |(at, _)| at)
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut characters) = (String::new(), text.chars().peekable());
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some('\n')) => while characters.next_if(|next| next.is_whitespace()).is_some() {},
            ('\\', Some('n')) => {
                plain.push('\n');
                characters.next();
            }
            ('\\', Some(_)) => plain.extend(characters.next()),
            _ => plain.push(character),
        }
    }
    plain
}

#[test]
fn constants_are_put_into_statements_and_other_parts_are_left_open() {
    let code = "const ALL: &str = \"a, \\\n    b\";\nlet quote = '\"';\nlet sql = format!(\"SELECT {ALL} FROM t WHERE {} = '{{}}'\");\n\
                let plain = \"DELETE FROM t WHERE p = '{}'\";";
    let found = literals("t.rs", code);
    let all: Vec<&Found> = found.iter().filter(|one| one.name.is_some()).collect();
    let constants = BTreeMap::from([("ALL", all)]);
    assert_eq!(parts(&found[1], &constants), ["SELECT a, b FROM t WHERE ", " = '{}'"]);
    assert_eq!(parts(&found[2], &constants), ["DELETE FROM t WHERE p = '{}'"]);
}
