//! Finds the steps of a plan whose cost grows with a table.

use rusqlite::Connection;
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// The result of planning a statement: the steps whose cost grows, or the error of a text that is no whole statement or
/// needs an object that this database does not have.
pub type Planned = Result<Vec<String>, Unplanned>;

/// The reason why a text has no plan.
#[derive(Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// A table, a function or a type is missing, such as a table of Mattermost or a function of the other engine.
    Missing,
    /// The text is a part of a statement, or in the language of the other engine.
    Part,
}

/// A number of rows that a step reads only if its cost grows with the table: half of its rows.
const MANY: f64 = 50_000.0;

/// Returns the number of parameters of a statement.
fn parameters(sql: &str) -> usize {
    let numbers = sql.split('$').skip(1).filter_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    numbers.max().unwrap_or(0)
}

/// Plans statements on PostgreSQL. The plans are those for any values of the parameters, and for pages of usual length.
pub async fn on_postgres(source: &str, tables: &[String], texts: &[String]) -> Vec<Planned> {
    let (client, connection) = tokio_postgres::connect(source, NoTls).await.unwrap();
    let connected = tokio::spawn(connection);
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    let mut plans = Vec::new();
    for text in texts {
        let mut planned = of_usual_pages(text);
        let mut prepared = client.batch_execute(&format!("PREPARE planned AS {planned}")).await;
        if prepared.is_err() {
            // A parameter before the last one has no type without its use.
            planned.clone_from(text);
            prepared = client.batch_execute(&format!("PREPARE planned AS {planned}")).await;
        }
        if let Err(refused) = prepared {
            let code = refused.code().map_or("", |code| code.code());
            // Missing tables, functions, columns and types.
            let is_missing = ["42P01", "42883", "42703", "42704"].contains(&code);
            plans.push(Err(if is_missing { Unplanned::Missing } else { Unplanned::Part }));
            continue;
        }
        let values = vec!["NULL"; parameters(&planned)].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let sql = format!("EXPLAIN (FORMAT JSON) EXECUTE planned{values}");
        let answer = client.simple_query(&sql).await.unwrap_or_else(|refused| panic!("{text}: {refused}"));
        client.batch_execute("DEALLOCATE planned").await.unwrap();
        let plan = answer.iter().find_map(
            |message| {
                if let SimpleQueryMessage::Row(row) = message { row.get(0) } else { None }
            },
        );
        let plan: Value = serde_json::from_str(plan.unwrap()).unwrap();
        let mut found = Vec::new();
        walk(&plan[0]["Plan"], tables, false, &mut found);
        plans.push(Ok(found));
    }
    drop(client);
    let _ = connected.await;
    plans
}

/// Gives pages the usual length and place. Otherwise the planner expects a tenth of all rows.
fn of_usual_pages(text: &str) -> String {
    let mut text = text.to_owned();
    for number in (1..=parameters(&text)).rev() {
        for (word, usual) in [("LIMIT", 60), ("OFFSET", 60)] {
            text = text.replace(&format!("{word} ${number}"), &format!("{word} {usual}"));
        }
    }
    text
}

/// Looks at a step and those below it. `is_limited`: the step is asked for the first rows only.
fn walk(step: &Value, tables: &[String], is_limited: bool, found: &mut Vec<String>) {
    let kind = step["Node Type"].as_str().unwrap_or_default();
    let table = step["Relation Name"].as_str().unwrap_or_default();
    let reads_table = kind.contains("Scan") && tables.iter().any(|known| known == table);
    let has_condition = !step["Index Cond"].is_null() || kind.starts_with("Bitmap") || kind.starts_with("Tid");
    let is_many = step["Plan Rows"].as_f64().unwrap_or_default() >= MANY;
    if reads_table && !is_limited && (!has_condition || is_many) {
        found.push(format!("{kind} of {table}"));
    }
    // These steps read all rows before they give the first one.
    let is_whole = ["Sort", "Aggregate", "Hash", "WindowAgg", "ModifyTable"].contains(&kind);
    let is_limited = kind == "Limit" || (is_limited && !is_whole);
    for below in step["Plans"].as_array().into_iter().flatten() {
        // An initial step runs once, and its limit is its own.
        let is_own = ["InitPlan", "SubPlan"].iter().any(|own| below["Parent Relationship"] == *own);
        walk(below, tables, is_limited && !is_own, found);
    }
}

/// Plans statements on the embedded engine.
pub fn on_embedded(connection: &Connection, tables: &[String], texts: &[String]) -> Vec<Planned> {
    texts.iter().map(|text| on_embedded_one(connection, tables, text)).collect()
}

fn on_embedded_one(connection: &Connection, tables: &[String], text: &str) -> Planned {
    let text = with_json_lists(text);
    let mut prepared = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).map_err(|refused| {
        let refused = refused.to_string();
        if refused.contains("no such") { Unplanned::Missing } else { Unplanned::Part }
    })?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, String>(3)?));
    let steps = prepared.raw_query().mapped(read).collect::<Result<Vec<_>, _>>().unwrap();
    let counts = ["COUNT(", "SUM(", "MAX(", "MIN("].iter().any(|count| text.contains(count));
    let grows = |(parent, step): &&(i64, String)| {
        // A sort reads all rows of its part of the statement before it gives the first one.
        let sorts = steps.iter().any(|(other, step)| other == parent && step.starts_with("USE TEMP B-TREE"));
        let is_limited = text.contains(" LIMIT ") && !sorts && !counts;
        let mut words = step.split(' ');
        let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_of_table = tables.iter().any(|table| table == table_of(&text, name));
        let reads_all = kind == "SCAN" && !step.contains("VIRTUAL TABLE");
        is_of_table && !is_limited && (reads_all || (kind == "SEARCH" && finds_many(connection, step)))
    };
    Ok(steps.iter().filter(grows).map(|(_, step)| step.clone()).collect())
}

/// Returns the table with this alias.
fn table_of<'a>(text: &'a str, alias: &'a str) -> &'a str {
    let words: Vec<&str> = text.split([' ', ',', '(']).filter(|word| !word.is_empty() && *word != "AS").collect();
    let is_named = |words: &&[&str]| {
        ["FROM", "JOIN", "UPDATE", "INTO"].contains(&words[0]) && words[2].trim_end_matches(')') == alias
    };
    words.windows(3).find(is_named).map_or(alias, |words| words[1])
}

/// Returns true if an index finds most of the rows, because they are alike in its columns.
fn finds_many(connection: &Connection, step: &str) -> bool {
    let Some((_, index)) = step.split_once("INDEX ") else { return false };
    let (name, columns) = index.split_once(' ').unwrap_or((index, ""));
    let equal = columns.matches("=?").count();
    let counts = "SELECT stat FROM sqlite_stat1 WHERE idx = ?1";
    let counts = connection.query_row(counts, [name], |row| row.get::<_, String>(0)).unwrap_or_default();
    let rows = counts.split(' ').nth(equal).and_then(|rows| rows.parse().ok());
    equal > 0 && rows.unwrap_or(0.0) >= MANY
}

/// Writes lists as the server does on this engine.
fn with_json_lists(text: &str) -> String {
    let mut text = text.to_owned();
    for number in 1..=parameters(&text) {
        let list = format!("(SELECT value FROM json_each(${number}))");
        text = text.replace(&format!("= ANY (${number})"), &format!("IN {list}"));
        text = text.replace(&format!("<> ALL (${number})"), &format!("NOT IN {list}"));
        let unnested = format!("unnest(CAST(${number} AS text[])) AS list(value)");
        text = text.replace(&unnested, &format!("json_each(${number}) AS list"));
    }
    text
}
