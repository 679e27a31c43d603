//! Identifiers use the words of the field. Names of tests are sentences and are not checked.

use std::path::Path;

use super::sources;

/// Words that no identifier contains, in the singular, and the words to use instead.
///
/// Two words of the same list are too common to be found by a test: `found` (say `create`) and `shown` (say `snapshot`).
const BANNED: [(&str, &str); 26] = [
    ("forgery", "csrf"),
    ("trusting", "csrf_exempt, with_roots"),
    ("doubt", "invalidate"),
    ("forget", "invalidate, remove"),
    ("forgotten", "invalidated, removed"),
    ("share", "rate limit, limiter, bucket"),
    ("seat", "permit, semaphore, queue"),
    ("gate", "permit, semaphore, lock"),
    ("turnstile", "semaphore, queue"),
    ("hold", "reserve, lock"),
    ("errand", "request"),
    ("party", "caller, client"),
    ("stranger", "anonymous, unknown"),
    ("asked", "request, requested"),
    ("heard", "received"),
    ("ghost", "cache, entry"),
    ("way", "redirect, link, path, mode"),
    ("course", "redirect, link, path"),
    ("pause", "retry delay, interval"),
    ("patience", "timeout, deadline"),
    ("trouble", "error, failure"),
    ("follower", "subscriber"),
    ("manner", "mode"),
    ("surroundings", "context, environment"),
    ("standing", "state, kind, access"),
    ("most", "max"),
];

/// Words that no constant and no type contains: a number has a name and a unit, such as `MAX_COMMENT_CHARACTERS`.
const BANNED_IN_CONSTANTS_AND_TYPES: [(&str, &str); 3] =
    [("longest", "MAX_…"), ("kept", "cached, saved"), ("reach", "policy, backend")];

/// Names of numbers that tell neither the quantity nor the unit.
const VAGUE: [&str; 7] = ["AT_ONCE", "BOUND", "LATE", "LONG", "LOOK", "NOTICED", "SOON"];

/// Words or whole identifiers that are allowed below some paths, and the reason.
const EXCEPTIONS: [(&str, &[&str], &str); 15] = [
    ("share", &["src/base/budget.rs", "src/web/", "tests/faults"], "glossary: share"),
    ("share", &["src/store/postgres", "src/server/", "src/settings/descriptors.rs"], "glossary: share"),
    ("WITH_A_SHARE", &["actors/src/background.rs"], "the scheduler of the operating system gives shares"),
    (
        "seat",
        &[
            "actors/src/license/",
            "src/cli/license.rs",
            "src/domain/",
            "src/store/",
            "src/web/routes/license.rs",
            "src/web/routes/limits.rs",
        ],
        "glossary: seat",
    ),
    ("pause", &["actors/src/", "tests/faults/clocks.rs"], "glossary: pause"),
    (
        "pause",
        &["src/domain/upgrade/", "src/server/stop.rs", "src/server/stream.rs", "src/store/", "src/web/"],
        "glossary: pause",
    ),
    ("forget", &["actors/src/analytics/tests.rs", "actors/src/probe/tests.rs", "src/store/postgres/"], "tokio's name"),
    ("forget", &["src/files/tests/peers.rs", "tests/support/stores.rs"], "the name of the standard library"),
    ("KeptSecret", &["actors/src/config/"], "glossary: kept"),
    ("SECRETS_KEPT", &["src/web/routes/config/"], "the name of a header"),
    ("LeftmostLongest", &["src/domain/support_packet/scrub.rs"], "the name of aho-corasick"),
    ("AtMost", &["actors/src/config/", "actors/src/notices/"], "the name of a comparison"),
    ("at_most", &["actors/src/config/rules/", "tests/wire/unread.rs"], "the name of a comparison"),
    ("has_at_most_30_bytes", &["actors/src/config/rules/"], "a rule, as its error tells it"),
    ("most_verbose", &["src/telemetry/logging/layer.rs"], "a superlative, not a maximum"),
];

#[test]
fn identifiers_use_the_words_of_the_field() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut used, mut violations) = ([false; EXCEPTIONS.len()], Vec::new());
    for path in ["src", "actors/src", "bench/src", "tests"].iter().flat_map(|folder| sources(folder)) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        for (identifier, word, say) in banned_in(&std::fs::read_to_string(&path).unwrap()) {
            let excuse = EXCEPTIONS.iter().position(|(excused, paths, _)| {
                (*excused == identifier || *excused == word) && paths.iter().any(|path| name.starts_with(path))
            });
            match excuse {
                Some(excuse) => used[excuse] = true,
                None => violations.push(format!("{name}: `{identifier}`: instead of `{word}` say {say}")),
            }
        }
    }
    assert!(violations.is_empty(), "{violations:#?}");
    for (exception, is_used) in EXCEPTIONS.iter().zip(used) {
        assert!(is_used, "{exception:?} is not needed any more: correct the table");
    }
}

#[test]
fn words_that_our_glossary_excuses_stand_in_it() {
    let architecture = include_str!("../../ARCHITECTURE.md");
    for (_, _, reason) in EXCEPTIONS {
        let Some(word) = reason.strip_prefix("glossary: ") else { continue };
        assert!(architecture.lines().any(|line| line.starts_with(&format!("| {word}"))), "the glossary lacks {word}");
    }
}

#[test]
fn banned_words_that_were_planted_are_found() {
    let found = |text: &str| banned_in(text).into_iter().map(|(identifier, ..)| identifier).collect::<Vec<_>>();
    assert_eq!(found("const PATIENCE: Duration = WAIT;"), ["PATIENCE"]);
    assert_eq!(found("struct CallersStanding { ways: u8 }"), ["CallersStanding", "ways"]);
    assert_eq!(found("fn hold_head(kept: &str) {}\nconst KEPT: u8 = 1;"), ["hold_head", "KEPT"]);
    assert_eq!(found("const AT_ONCE: Duration = SECOND; const LOOK_DELAY: u8 = 1;"), ["AT_ONCE"]);
    assert_eq!(found("const LONGEST_NAME: u8 = 1; let longest = 1;"), ["LONGEST_NAME"]);
    assert_eq!(found("#[actix_web::test]\nasync fn a_stranger_waits() {\n    let stranger = 1;\n}"), ["stranger"]);
    assert_eq!(
        found("let a = (\"way\", r#\"a \"gate\"\"#, '\"', b'\\''); // errand\n/* ghost */ always(away)"),
        [""; 0]
    );
    assert_eq!(found("fn of<'a>(text: &'a str) -> Way<'a> {}"), ["Way"]);
}

/// The identifiers of a file that contain a banned word, with that word and the words to use instead.
fn banned_in(text: &str) -> Vec<(String, &'static str, &'static str)> {
    let code = without_names_of_tests(&without_comments_and_texts(text));
    let identifiers = code.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let banned = |identifier: &str| {
        let is_constant_or_type = identifier.starts_with(|first: char| first.is_ascii_uppercase());
        let also: &[_] = if is_constant_or_type { &BANNED_IN_CONSTANTS_AND_TYPES } else { &[] };
        let words = words(identifier);
        // `holds` is the predicate of a container, not a lock.
        let is_plural = |known: &str| known != "holds";
        let is_used = |word: &str| {
            words.iter().any(|known| known == word || (is_plural(known) && known.strip_suffix('s') == Some(word)))
        };
        let vague = VAGUE.iter().find(|name| **name == identifier).map(|name| (*name, "what it counts, and the unit"));
        BANNED.iter().chain(also).find(|(word, _)| is_used(word)).copied().or(vague)
    };
    identifiers.filter_map(|one| banned(one).map(|(word, say)| (one.to_owned(), word, say))).collect()
}

/// The words of an identifier in lower case: `MAX_KEYS`, `max_keys` and `MaxKeys` have the same two.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in identifier.chars() {
        if letter == '_' || (letter.is_ascii_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if letter != '_' {
            words.last_mut().unwrap().push(letter.to_ascii_lowercase());
        }
    }
    words
}

fn without_names_of_tests(code: &str) -> String {
    let mut is_test = false;
    let mut rest = String::new();
    for line in code.lines() {
        let is_function = line.trim_start().starts_with("fn ") || line.contains(" fn ");
        if !(is_test && is_function) {
            rest.push_str(line);
            rest.push('\n');
        }
        is_test = (is_test || line.trim_end().ends_with("test]")) && !is_function;
    }
    rest
}

fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match rest.as_bytes() {
            [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => rest.find("*/").map_or(rest.len(), |end| end + 2),
            [b'r', b'"' | b'#', ..] if !ends_in_identifier(&code) => raw_text(rest),
            [b'"', ..] => quoted(rest, '"'),
            [b'\'', b'\\', ..] | [b'\'', _, b'\'', ..] => quoted(rest, '\''),
            _ => 0,
        };
        if length == 0 {
            code.push(first);
        }
        rest = &rest[length.max(first.len_utf8())..];
    }
    code
}

fn ends_in_identifier(code: &str) -> bool {
    code.ends_with(|last: char| last.is_ascii_alphanumeric() && last != 'b' || last == '_')
}

/// The length of a raw text, or 0 for a raw identifier.
fn raw_text(rest: &str) -> usize {
    let hashes = rest[1..].len() - rest[1..].trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    let body = &rest[1 + hashes..];
    if !body.starts_with('"') {
        return 0;
    }
    body[1..].find(&end).map_or(rest.len(), |at| 1 + hashes + 1 + at + end.len())
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    rest.len()
}
