//! The stored audit trail, which contains more than `GET audits` returns.

use std::path::Path;

use serde_json::{Value, json};

use super::{Client, backdoor};

const TEXTS: [&str; 9] =
    ["status", "userid", "sessionid", "address", "source", "requestid", "method", "path", "errorid"];
const DOCUMENTS: [&str; 3] = ["parameters", "before", "after"];

impl Client {
    /// Returns the newest rows, after all waiting records are stored.
    pub async fn audits(&self) -> Vec<Value> {
        self.get("/audits?per_page=200").await.expect(200).as_array().unwrap().clone()
    }
}

/// Returns the events, the oldest first.
pub async fn events_in(folder: &Path) -> Vec<String> {
    backdoor::texts_in(folder, "SELECT event || ' ' || status FROM qd_audits ORDER BY number").await
}

/// Returns the newest record of an event, with all stored values.
pub async fn newest_in(folder: &Path, event: &str) -> Value {
    let column = async |column: &str| {
        let sql = format!("SELECT {column} FROM qd_audits WHERE event = '{event}' ORDER BY number DESC LIMIT 1");
        let found = backdoor::texts_in(folder, &sql).await;
        found.into_iter().next().unwrap_or_else(|| panic!("no {event}"))
    };
    let mut record = json!({ "code": column("CAST(code AS varchar)").await.parse::<u16>().unwrap() });
    for name in TEXTS {
        record[name] = column(name).await.into();
    }
    for name in DOCUMENTS {
        record[name] = serde_json::from_str(&column(name).await).unwrap();
    }
    record
}

/// Returns the content of both tables, as one text.
pub async fn all_text_in(folder: &Path) -> String {
    const OWN: &str = "SELECT event || ' ' || path || ' ' || parameters || before || after || extrainfo FROM qd_audits";
    const CLASSIC: &str = "SELECT action || ' ' || extrainfo FROM audits";
    [backdoor::texts_in(folder, OWN).await, backdoor::texts_in(folder, CLASSIC).await].concat().join("\n")
}
