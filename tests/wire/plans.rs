//! The cost of no statement grows with a table, except for those that are listed here with a reason.
//!
//! The statements are those in the code of the store, and those that a server ran. Each is planned on tables of many rows.

mod accepted;
mod filling;
mod judging;
mod literals;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{TestServer, database};
use accepted::{GROWING, OF_PARTS, OF_POSTGRES, SUBSTITUTES, WHOLE};
use judging::{Planned, Unplanned};
use literals::{Literal, squeezed};

impl TestServer {
    fn statement_texts_contain(&self, part: &str) -> bool {
        self.server.statement_texts().all().iter().any(|text| text.contains(part))
    }
}

#[actix_web::test]
async fn the_cost_of_each_statement_is_bounded_or_its_growth_has_a_reason() {
    let server = TestServer::start().await;
    walk::walk(&server).await;
    let texts = server.server.statement_texts();
    let (source, driver) = (server.data_source(), server.server.config().current().view.sql.driver_name.clone());
    let TestServer { server, folder: _folder, .. } = server;
    server.stop().await.unwrap();
    let ran: BTreeSet<String> = texts.all().iter().map(|text| squeezed(text)).collect();

    let literals = literals::all();
    let known = literals.iter().filter_map(|literal| Some((whole(literal)?, literal.path.as_str())));
    let mut cases: BTreeMap<String, &str> = known.collect();
    for text in &ran {
        cases.entry(text.clone()).or_insert("(made of parts)");
    }
    let sql: Vec<String> = cases.keys().cloned().collect();
    let plans = if driver == "postgres" {
        let tables = filling::fill_schema(&source).await;
        judging::on_postgres(&source, &tables, &sql).await
    } else {
        let connection = rusqlite::Connection::open(&source).unwrap();
        let tables = filling::fill_file(&connection);
        judging::on_embedded(&connection, &tables, &sql)
    };

    let plans: BTreeMap<&str, Planned> = sql.iter().map(String::as_str).zip(plans).collect();
    let mut found: Vec<String> = Vec::new();
    for (text, path) in &cases {
        let is_listed = || GROWING.iter().any(|(known, part, _)| path.starts_with(known) && text.contains(part));
        match &plans[text.as_str()] {
            Ok(steps) if !steps.is_empty() && !is_whole(path) && !is_listed() => {
                found.push(format!("{path}: {text}\n    {}", steps.join("\n    ")));
            }
            _ => {}
        }
    }
    for literal in &literals {
        let is_planned = |text: String| !matches!(plans.get(text.as_str()), Some(Err(Unplanned::Part)) | None);
        let is_seen = || ran.iter().any(|text| matches(text, &literal.parts));
        let has = |part: &str| literal.parts.concat().contains(part);
        let is_listed = || OF_PARTS.iter().any(|(path, part, _)| literal.path == *path && has(part));
        let is_of_postgres = || driver != "postgres" && OF_POSTGRES.iter().any(|part| has(part));
        let is_known = || is_seen() || is_listed() || is_of_postgres();
        if !is_whole(&literal.path) && !whole(literal).is_some_and(is_planned) && !is_known() {
            found.push(format!("{}: no plan of a statement of parts: {:?}", literal.path, literal.parts));
        }
    }
    assert!(found.is_empty(), "{} of {}:\n{}", found.len(), cases.len(), found.join("\n"));
}

#[test]
fn each_entry_of_the_lists_is_of_a_statement_in_the_code() {
    let literals = literals::all();
    let is_there = |path: &str, part: &str| {
        literals.iter().any(|literal| literal.path.starts_with(path) && literal.parts.concat().contains(part))
    };
    let growing = GROWING.iter().filter(|(path, ..)| !path.starts_with('('));
    for (path, part, reason) in growing.chain(&OF_PARTS) {
        assert!(is_there(path, part) && !reason.is_empty(), "{path}: {part}");
    }
    assert!(WHOLE.iter().all(|(path, _)| is_there(path, "")));
}

/// Returns true if the statements of a file read or write whole tables on purpose.
fn is_whole(path: &str) -> bool {
    WHOLE.iter().any(|(known, _)| path.starts_with(known))
}

/// Returns the text of a statement, if its parts do not matter for its plan.
fn whole(literal: &Literal) -> Option<String> {
    let mut text = literal.parts.join("{}");
    for (part, substitute) in SUBSTITUTES {
        text = text.replace(part, substitute);
    }
    (literal.parts.len() == 1 || !text.contains("{}")).then_some(text)
}

/// Returns true if the parts are in the text, one after the other.
fn matches(text: &str, parts: &[String]) -> bool {
    let mut rest = Some(text);
    for part in parts {
        rest = rest.and_then(|rest| Some(rest.split_once(part.trim())?.1));
    }
    rest.is_some()
}

#[tokio::test]
async fn a_statement_that_was_planted_is_found() {
    let planted = ["SELECT id FROM posts WHERE message = $1", "SELECT id FROM posts WHERE id = $1", "SELECT FROM"];
    let planted = planted.map(str::to_owned);
    let rows = "SELECT 'i' || i, 'm' || i FROM";
    let tables = ["posts".to_owned()];
    let folder = tempfile::tempdir().unwrap();
    let plans = if let Some(base) = database::base() {
        let source = format!("{base}?options=-c%20search_path%3D{}", database::fresh_schema(&base).await);
        let sql = format!(
            "CREATE TABLE posts (id text PRIMARY KEY, message text); \
             INSERT INTO posts {rows} generate_series(1, 100000) AS list(i); ANALYZE posts"
        );
        database::execute(&source, &sql).await;
        judging::on_postgres(&source, &tables, &planted).await
    } else {
        let connection = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
        connection.execute_batch("CREATE TABLE posts (id text PRIMARY KEY, message text)").unwrap();
        judging::on_embedded(&connection, &tables, &planted)
    };
    assert_eq!(plans[0].as_ref().unwrap().len(), 1, "{plans:?}");
    assert_eq!(plans[1], Ok(Vec::new()));
    assert_eq!(plans[2], Err(Unplanned::Part));
}
