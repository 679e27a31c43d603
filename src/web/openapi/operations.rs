//! The operations of the API, read from tables of text.
//!
//! A block begins with a line of method, path and operation id. The lines after it are indented by two spaces: its
//! summary, an optional description, and a line for each `query`, the `body`, each response by status, and `fails`, the
//! statuses of refusals.

use utoipa::openapi::{RefOr, Schema};

use super::types::{parsed, text_body};
use super::{Fault, REFUSALS};

/// The tables: name, description and text.
const TABLES: [(&str, &str, &str); 4] = [
    ("system", "Health, notices, the busy flag, audits, upgrade.", include_str!("system.txt")),
    ("environment", "Stores of files, mail, the database, logs and figures.", include_str!("environment.txt")),
    ("configuration", "The configuration and the licence.", include_str!("config.txt")),
    ("accounts", "Accounts, sessions, teams and roles.", include_str!("accounts.txt")),
];

const JSON: &str = "application/json";

/// An operation.
pub(super) struct Described {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) about: Option<&'static str>,
    pub(super) queries: Vec<Given>,
    pub(super) body: Option<Given>,
    pub(super) answers: Vec<Answer>,
    pub(super) fails: Vec<u16>,
}

/// A query parameter, or a body.
pub(super) struct Given {
    pub(super) name: &'static str,
    pub(super) media: &'static str,
    pub(super) is_required: bool,
    pub(super) schema: RefOr<Schema>,
    pub(super) about: &'static str,
}

/// A response that is not a refusal, or a refusal without the standard body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content: Option<(&'static str, RefOr<Schema>)>,
    pub(super) about: &'static str,
}

/// One table: its name, its description and its operations.
pub(super) type Table = (&'static str, &'static str, Vec<Described>);

/// Parses all tables.
pub(super) fn all() -> Result<Vec<Table>, Fault> {
    let tables = TABLES.into_iter();
    tables.map(|(name, about, text)| Ok((name, about, read(name, text)?))).collect()
}

fn read(table: &'static str, text: &'static str) -> Result<Vec<Described>, Fault> {
    let mut operations: Vec<Described> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let faulty = |reason: &str| Fault::Line { table, line: number + 1, reason: reason.to_owned() };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("  ") {
            None => operations.push(begun(line).ok_or_else(|| faulty("no method, path and id"))?),
            Some(line) => {
                let operation = operations.last_mut().ok_or_else(|| faulty("belongs to no operation"))?;
                add(operation, line).ok_or_else(|| faulty("cannot be read"))?;
            }
        }
    }
    Ok(operations)
}

fn begun(line: &'static str) -> Option<Described> {
    let mut words = line.split(' ');
    let (method, path, id) = (words.next()?, words.next()?, words.next()?);
    let (queries, answers, fails) = (Vec::new(), Vec::new(), Vec::new());
    Some(Described { method, path, id, summary: "", about: None, queries, body: None, answers, fails })
}

fn add(operation: &mut Described, line: &'static str) -> Option<()> {
    if operation.summary.is_empty() {
        operation.summary = line;
        return Some(());
    }
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "query" => operation.queries.push(query(rest)?),
        "body" => operation.body = Some(body(rest)?),
        "fails" => operation.fails = rest.split(' ').map(refused).collect::<Option<_>>()?,
        _ => match word.parse() {
            Ok(status) => operation.answers.push(answer(status, rest)?),
            Err(_) => operation.about = operation.about.is_none().then_some(line).map(Some)?,
        },
    }
    Some(())
}

fn query(line: &'static str) -> Option<Given> {
    let (what, about) = line.split_once(": ")?;
    let (name, kind) = what.split_once(' ')?;
    let (kind, is_required) = needed(kind);
    Some(Given { name, media: JSON, is_required, schema: parsed(kind)?, about })
}

fn body(line: &'static str) -> Option<Given> {
    let (what, about) = line.split_once(": ")?;
    let (kind, media) = what.split_once(' ').unwrap_or((what, JSON));
    let (kind, is_required) = needed(kind);
    Some(Given { name: "", media, is_required, schema: parsed(kind)?, about })
}

/// Returns the type, and true if the parameter is required, which an exclamation mark at its end says.
fn needed(kind: &'static str) -> (&'static str, bool) {
    kind.strip_suffix('!').map_or((kind, false), |kind| (kind, true))
}

fn answer(status: u16, line: &'static str) -> Option<Answer> {
    let (kind, about) = line.split_once(": ")?;
    let content = match kind {
        "-" => None,
        media if media.contains('/') => Some((media, text_body(media))),
        kind => Some((JSON, parsed(kind)?)),
    };
    Some(Answer { status, content, about })
}

fn refused(status: &str) -> Option<u16> {
    let status = status.parse().ok()?;
    REFUSALS.iter().any(|(known, ..)| *known == status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let faults = [
            "GET /api/v4/x",
            "  Nothing above it.",
            "GET /x GetX\n  About.\n  query page: no type",
            "GET /x GetX\n  About.\n  query page nothing: An unknown type.",
            "GET /x GetX\n  About.\n  200 StatusOK without a colon",
            "GET /x GetX\n  About.\n  fails 400 600",
            "GET /x GetX\n  About.\n  More.\n  And more.",
        ];
        for text in faults {
            let Err(Fault::Line { line, .. }) = read("x", text) else { panic!("{text:?} was read") };
            assert_eq!(line, text.lines().count(), "{text:?}");
        }
    }

    #[test]
    fn a_block_is_an_operation() {
        let text = "PUT /x/{id} PutX\n  About.\n  More.\n  query page integer!: Which.\n  body [string] text/csv: It.\n  \
                    200 -: Done.\n  fails 400 404";
        let read = read("x", text).ok().unwrap().pop().unwrap();
        assert_eq!((read.method, read.path, read.id, read.summary), ("PUT", "/x/{id}", "PutX", "About."));
        assert_eq!((read.about, read.fails), (Some("More."), vec![400, 404]));
        assert!(read.queries[0].is_required);
        assert_eq!(read.body.unwrap().media, "text/csv");
        assert_eq!(read.answers[0].status, 200);
    }
}
