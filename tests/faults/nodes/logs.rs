//! The logs of all nodes.

use std::fmt::Write;
use std::path::Path;

use futures_util::future::join_all;
use quarterdeck_actors::clock::{MINUTE_MS, wall_ms};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::REASON;
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, Home, Reply, TestServer, database};

const QUERY: &str = "/logs/query";

/// The number of questions that were put since the start, also of those that are closed or have no place yet.
pub(super) const QUESTIONS: &str = "SELECT (SELECT COUNT(*) FROM qd_outbox WHERE kind = 'question') \
                                    + (SELECT COUNT(*) FROM qd_events WHERE kind = 'question')";

/// Two servers on one database, each with a log that the test wrote.
struct Logs {
    one: TestServer,
    _other: TestServer,
    _folders: [TempDir; 2],
    admin: Client,
    /// The names of both.
    names: Vec<String>,
}

fn settings(folder: &Path) -> String {
    format!("[LogSettings]\nFileLocation = \"{}\"\n", folder.display())
}

fn record(name: &str, minute: usize) -> Value {
    json!({ "timestamp": format!("2026-03-01 12:{minute:02}:00.000 Z"), "level": "info", "msg": format!("{name} {minute}") })
}

fn log(records: &[Value]) -> String {
    records.iter().fold(String::new(), |mut text, record| {
        writeln!(text, "{record}").unwrap();
        text
    })
}

/// Starts servers with these logs.
async fn start(first: &str, second: &str) -> Logs {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for (folder, lines) in folders.iter().zip([first, second]) {
        std::fs::write(folder.path().join("mattermost.log"), lines).unwrap();
    }
    let one = TestServer::start_with(&settings(folders[0].path())).await;
    let admin = one.admin().await;
    let other = one.start_beside(&settings(folders[1].path())).await;
    let names = admin.node_name().await.split(", ").map(str::to_owned).collect();
    Logs { one, _other: other, _folders: folders, admin, names }
}

/// Asks for lines, again while a server does not answer in time on a busy machine.
async fn look(admin: &Client, path: &str, filter: Value) -> Reply {
    let mut found = None;
    let is_complete = async || {
        let reply = admin.post(path, filter.clone()).await;
        let is_complete = reply.header("X-Logs-Missing").is_empty();
        found = Some(reply);
        is_complete
    };
    until("all servers answer", is_complete).await;
    found.unwrap()
}

async fn count(server: &TestServer, sql: &str) -> String {
    server.texts(sql).await[0].clone()
}

#[actix_web::test]
async fn lines_of_all_nodes_come_by_name_and_a_filter_chooses_nodes() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let [ours, theirs] = ["a", "b"].map(|name| (0..3).map(|minute| record(name, minute)).collect::<Vec<_>>());
    let logs = start(&log(&ours), &log(&theirs)).await;
    let (admin, names) = (&logs.admin, &logs.names);
    assert_eq!(names.len(), 2, "a server that has just started is known");
    let all = look(admin, QUERY, json!({})).await;
    assert_eq!(all.expect(200), json!({ &names[0]: ours, &names[1]: theirs }));
    assert_eq!((all.header("X-Logs-Missing"), all.header("X-Logs-Cut")), (String::new(), String::new()));
    let clocks = all.header("X-Logs-Clocks");
    let (of_one, of_other) = clocks.split_once(", ").unwrap();
    for (clock, name) in [of_one, of_other].into_iter().zip(names) {
        let at: i64 = clock.strip_prefix(&format!("{name}=")).unwrap().parse().unwrap();
        assert!((wall_ms() - at).abs() < MINUTE_MS, "{clocks}");
    }
    let of = async |servers: Value, path: &str| look(admin, path, json!({ "server_names": servers })).await.expect(200);
    assert_eq!(of(json!([names[1]]), QUERY).await, json!({ &names[1]: theirs }));
    assert_eq!(of(json!([names[0]]), QUERY).await, json!({ &names[0]: ours }));
    assert_eq!(of(json!(["default"]), QUERY).await, json!({ &names[0]: ours }));
    // A page counts the lines of each node apart.
    let second = format!("{QUERY}?page=1&logs_per_page=1");
    assert_eq!(of(json!([]), &second).await, json!({ &names[0]: [ours[1]], &names[1]: [theirs[1]] }));
    let filter = json!({ "text": "b 2", "date_from": "2026-03-01 12:02:00 Z" });
    assert_eq!(look(admin, QUERY, filter).await.expect(200), json!({ &names[1]: [theirs[2]] }));
    let unknown = admin.post(QUERY, json!({ "server_names": [names[1], "other"] })).await;
    unknown.expect_refusal(400, "api.system.logs.invalidFilter");
    assert!(unknown.json()["message"].as_str().unwrap().contains(&names[1]), "{}", unknown.json());
    let mut text = Value::Null;
    let is_complete = async || {
        text = admin.get("/logs?logs_per_page=1").await.expect(200);
        text.as_array().unwrap().len() == 12
    };
    until("both servers answer", is_complete).await;
    let lines: Vec<&str> = text.as_array().unwrap().iter().map(|line| line.as_str().unwrap().trim()).collect();
    assert_eq!([lines[2], lines[8]], [&names[0], &names[1]]);
    assert_eq!([lines[5], lines[11]], [&*ours[2].to_string(), &*theirs[2].to_string()]);
    until("all is removed", async || {
        count(&logs.one, "SELECT COUNT(*) FROM qd_questions").await == "0"
            && count(&logs.one, "SELECT COUNT(*) FROM qd_answers").await == "0"
    })
    .await;
}

#[actix_web::test]
async fn a_caller_without_the_permission_puts_no_question() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let logs = start("", "").await;
    let anna = logs.one.user(&logs.admin, "anna").await;
    let questions = async || count(&logs.one, QUESTIONS).await.parse::<u32>().unwrap();
    let before = questions().await;
    anna.post(QUERY, json!({})).await.expect_refusal(403, "api.context.permissions.app_error");
    anna.get("/logs").await.expect_refusal(403, "api.context.permissions.app_error");
    logs.admin
        .post(QUERY, json!({ "log_levels": ["loud"] }))
        .await
        .expect_refusal(400, "api.system.logs.invalidFilter");
    logs.admin.post(QUERY, json!({})).await.expect(200);
    assert_eq!(questions().await, before + 1, "the refused requests put none");
}

#[actix_web::test]
async fn the_lines_of_a_large_log_are_cut_at_the_part_of_each_node_and_that_is_told() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let large: Vec<Value> = (0..24).map(|minute| record(&"ü\"".repeat(1 << 17), minute)).collect();
    let logs = start(&log(&[record("a", 0)]), &log(&large)).await;
    let found = look(&logs.admin, QUERY, json!({})).await;
    assert_eq!(found.header("X-Logs-Cut"), "size");
    assert_eq!(found.header("X-Logs-Cut-Nodes"), format!("{}=size", logs.names[1]));
    let found = found.expect(200);
    let lines = found[&logs.names[1]].as_array().unwrap();
    assert!(!lines.is_empty() && lines.len() < large.len(), "{}", lines.len());
    assert!(lines.iter().eq(large[large.len() - lines.len()..].iter()), "the newest ones are whole");
    assert_eq!(found[&logs.names[0]].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_flood_of_looks_is_bounded_and_a_server_without_an_answer_is_named() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let logs = start(&log(&[record("a", 0)]), &log(&[record("b", 0)])).await;
    look(&logs.admin, QUERY, json!({})).await;
    let looks = join_all((0..40).map(|_| logs.admin.post(QUERY, json!({})))).await;
    for look in looks {
        let missing = look.header("X-Logs-Missing");
        let found = look.expect(200);
        for name in &logs.names {
            let is_there = found[name].as_array().is_some_and(|lines| lines.len() == 1);
            // A loaded machine may not answer in time.
            let is_named = ["busy", "silent"].iter().any(|reason| missing.contains(&format!("{name}={reason}")));
            assert_ne!(is_there, is_named, "{missing}");
        }
    }
    let open = async || count(&logs.one, "SELECT COUNT(*) FROM qd_questions").await == "0";
    until("all are closed", open).await;
}

#[actix_web::test]
async fn a_stopped_node_and_one_that_does_not_know_the_question_are_named() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    std::fs::write(folders[1].path().join("mattermost.log"), "").unwrap();
    let database = database::fresh(folders[0].path()).await;
    let home = Home::on_database(&database, &settings(folders[0].path()));
    let stopped = home.start().await;
    let server = TestServer::start_on(&format!("{database}{}", settings(folders[1].path())), &|_| Vec::new()).await;
    stopped.client().post("/users", account("admin")).await.expect(201);
    let admin = stopped.client().log_in("admin").await.at(&server.base);
    let names: Vec<String> = admin.node_name().await.split(", ").map(str::to_owned).collect();
    // The node of another program sends heartbeats and understands no question.
    let older =
        "INSERT INTO qd_nodes SELECT 'older', 'older', '', '', '', '', 0, 0, qd_now() + 60000, 0 FROM qd_nodes LIMIT 1";
    server.execute(older).await;
    stopped.signal(Signal::STOP);
    let look = admin.post(QUERY, json!({})).await;
    stopped.signal(Signal::CONT);
    look.expect(200);
    let missing = look.header("X-Logs-Missing");
    assert!(missing.contains(&format!("{}=silent", names[1])) && missing.contains("older=silent"), "{missing}");
    let later = async || admin.post(QUERY, json!({})).await.header("X-Logs-Missing") == "older=silent";
    until("the one that goes on answers again", later).await;
    stopped.stop().await;
}

#[actix_web::test]
async fn a_question_in_the_tables_reads_what_it_may_and_is_answered_once() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let logs = start(&log(&[record("a", 0)]), &log(&[record("b", 0)])).await;
    let put = async |kind: &str, arguments: &str| {
        let ids = "(SELECT array_agg(id::text) FROM qd_nodes)";
        let call = format!("SELECT qd_ask('{kind}', 'z', '{kind}', '{arguments}', 1000, {ids}, 60000, 100)");
        logs.one.execute(&call).await;
        // The bus repeats it.
        logs.one.execute(&format!("INSERT INTO qd_outbox (node, kind, body) VALUES ('z', 'question', '{kind}')")).await;
        let answers = format!("SELECT state FROM qd_answers WHERE question = '{kind}' ORDER BY 1");
        until("both answered", async || logs.one.texts(&answers).await.len() == 2).await;
        logs.one.texts(&answers).await
    };
    assert_eq!(put("logs", r#"{"filter":null,"skipped":0,"taken":5}"#).await, ["last", "last"]);
    assert_eq!(put("logs-of-others", "{}").await, ["unknown", "unknown"]);
    let bodies = logs.one.texts("SELECT body FROM qd_answers WHERE question = 'logs'").await;
    assert!(["a 0", "b 0"].iter().all(|line| bodies.iter().any(|body| body.contains(line))), "{bodies:?}");
    // Later messages are applied, so the repetition was as well.
    logs.admin.post(QUERY, json!({})).await.expect(200);
    assert_eq!(count(&logs.one, "SELECT COUNT(*) FROM qd_answers").await, "4");
}

#[actix_web::test]
async fn a_server_without_others_has_the_name_default_and_its_own_chooses_it_as_well() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mattermost.log"), log(&[record("a", 0)])).unwrap();
    let server = TestServer::start_with(&settings(folder.path())).await;
    let admin = server.admin().await;
    let own = server.texts("SELECT name FROM qd_nodes").await[0].clone();
    for names in [json!([]), json!(["default"]), json!([own])] {
        let found = admin.post(QUERY, json!({ "server_names": names })).await.expect(200);
        assert_eq!(found, json!({ "default": [record("a", 0)] }));
    }
}
