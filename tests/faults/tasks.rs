//! Background tasks panic under a running server.

use std::io;
use std::sync::{Arc, Mutex};

use quarterdeck_actors::task;
use reqwest::Method;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::waiting::until;
use crate::support::websocket::WebSocket;
use crate::support::{TestServer, database};
use crate::tidy::bounds::shipped;

const METRICS: &str = "[Quarterdeck]\nMetricsToken = \"0123456789abcdef-metrics\"\nAuditRetentionDays = 30\n";

/// The tasks that run as long as the server, on its own thread.
const TASKS: [&str; 22] = [
    "renew_prepared",
    "watch_site_path",
    "announce_configurations",
    "announce_stores",
    "announce_licenses",
    "retire_connections",
    "sample_figures",
    "report_refusals",
    "close_drafts",
    "renew_roles",
    "renew_sessions",
    "prune_unknown_names",
    "compare_user_names",
    "prune_audits",
    "deactivate_guests",
    "verify_audits",
    "take_back_config",
    "store_sockets",
    "remove_ended_sockets",
    "compare_audit_keys",
    "tell_requests",
    "tell_sockets",
];

/// Those of them that only run on the embedded engine. Servers that share a database hear of the changes over the bus.
const OF_ONE_SERVER: [&str; 2] = ["renew_roles", "renew_sessions"];

/// Those of them that only run where servers can share the database.
const OF_SERVERS: [&str; 5] =
    ["store_sockets", "remove_ended_sockets", "compare_audit_keys", "tell_requests", "tell_sockets"];

/// Returns the tasks that run on the engine of this run.
fn running() -> impl Iterator<Item = &'static str> {
    let others = if database::base().is_some() { &OF_ONE_SERVER[..] } else { &OF_SERVERS[..] };
    TASKS.into_iter().filter(move |name| !others.contains(name))
}

/// The other tasks that start again after a panic: on the thread of an actor, with Redis only, of the program only, and
/// with TLS only.
const ELSEWHERE: [&str; 4] = ["announce_statuses", "follow_redis", "log_settings", "watch_certificate"];

/// The log of the server of this test.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn each_task_that_starts_again_is_known_here() {
    let named = |text: &str| {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
        let calls = code.split("keep(").skip(1).filter_map(|call| {
            let call = call.trim_start().trim_start_matches("app, ").trim_start();
            Some(call.strip_prefix('"')?.split_once('"')?.0.to_owned())
        });
        calls.collect::<Vec<String>>()
    };
    assert_eq!(
        named("keep(app, \"one\", work); task::keep(\n    \"two\", || work()); self.keep(start);"),
        ["one", "two"]
    );
    let mut found: Vec<String> = shipped().iter().flat_map(|(_, text)| named(text)).collect();
    found.sort();
    let mut known = [&TASKS[..], &ELSEWHERE].concat();
    known.sort_unstable();
    assert_eq!(found, known);
}

async fn panics(server: &TestServer, task: &str) -> u64 {
    let token = [("Authorization", "Bearer 0123456789abcdef-metrics")];
    let metrics = server.client().send(Method::GET, "//metrics", None, &token).await.text();
    let series = format!("quarterdeck_task_panics_total{{task=\"{task}\"}} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&series));
    found.unwrap_or_else(|| panic!("{series} is not in {metrics}")).parse().unwrap()
}

#[actix_web::test]
async fn a_task_that_panics_is_logged_and_counted_and_goes_on() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = TestServer::start_with(METRICS).await;
    let admin = server.admin().await;
    let mut socket = WebSocket::of(&admin, "").await;
    for name in running() {
        let before = panics(&server, name).await;
        task::faults::crash(name);
        until("the panic is counted", async || panics(&server, name).await > before).await;
        let line = format!("a background task panicked task.name=\"{name}\"");
        assert!(log.text().contains(&line), "{name}: {}", log.text());
        // The server goes on: a change is stored, and the task that announces it does so.
        let patch = json!({ "TeamSettings": { "SiteName": name } });
        admin.put("/config/patch", patch).await.expect(200);
        // A task that starts again announces the earlier change once more.
        while socket.event_named("config_changed").await["data"]["config"]["SiteName"] != name {}
    }
    // Each loop runs again, and so it can panic again.
    for name in running() {
        let before = panics(&server, name).await;
        task::faults::crash(name);
        until("the next panic is counted", async || panics(&server, name).await > before).await;
    }
}
