//! Ctrl-C ends a run with a report, and leaves no server and no account behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::place::{Bench, Server, report, server_program, until};

#[tokio::test]
async fn ctrl_c_writes_the_report_and_ends_the_private_server_with_its_process_group() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The server is a child of the program that the run starts.
    let wrapper = format!("#!/bin/sh\n{} &\necho $! >{}\nwait\n", server_program().display(), place("pid"));
    std::fs::write(place("wrapper"), wrapper).unwrap();
    std::fs::set_permissions(place("wrapper"), PermissionsExt::from_mode(0o755)).unwrap();
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let (binary, out) = (place("wrapper"), place("out"));
    let options = ["--binary", &binary, "--duration", "1h", "--warmup", "0s", "--rate", "20", "--out", &out];
    let bench = Bench::start(&temporary, &[&["run", "ping"][..], &options].concat());
    bench.measures();
    let server = std::fs::read_to_string(place("pid")).unwrap().trim().to_owned();
    assert!(is_running(&server));
    bench.interrupt();
    let ended = bench.ended();
    let shown = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.code().is_some() && shown.contains(", ended by the user"), "{shown}");
    let report = report(&out);
    let outcome = &report["sides"][0]["outcome"];
    assert_eq!((&outcome["is_interrupted"], &outcome["total"]["failed"]), (&json!(true), &json!(0)), "{shown}");
    // The figures of the wrapper are not those of the server.
    assert!(
        outcome["usage"].is_null() && outcome["target"]["unknown"].to_string().contains("another process"),
        "{outcome}"
    );
    assert!(outcome["total"]["count"].as_u64() > Some(0) && outcome["measured_ms"].as_u64() < Some(3_600_000));
    assert!(std::fs::read_to_string(Path::new(&out).join("report.html")).unwrap().contains("ended the run early"));
    until("the end of the server", || !is_running(&server)).await;
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the folder of the server is removed");
}

#[tokio::test]
async fn ctrl_c_removes_the_accounts_of_the_run_from_a_running_server() {
    let server = Server::start().await;
    let (token, out) = (server.path("token"), server.path("out"));
    let target = ["--target", &server.url, "--token-file", &token, "--accounts", "3"];
    let load = ["--duration", "1h", "--warmup", "0s", "--rate", "20", "--out", &out];
    let bench = Bench::start(server.folder.path(), &[&["run", "me"][..], &target, &load].concat());
    bench.measures();
    let names = |accounts: Vec<serde_json::Value>, is_active: bool| {
        let of_run = accounts.into_iter().filter(|account| account["username"].as_str().unwrap().starts_with("bench-"));
        of_run.filter(|account| (account["delete_at"] == 0) == is_active).count()
    };
    assert_eq!(names(server.accounts().await, true), 3);
    bench.interrupt();
    let shown = String::from_utf8(bench.ended().stdout).unwrap();
    // A server permits no removal unless its settings say so.
    assert!(shown.contains("note                  deactivated 3 accounts: bench-"), "{shown}");
    let accounts = server.accounts().await;
    assert_eq!((names(accounts.clone(), true), names(accounts, false)), (0, 3));
    let report = report(&out);
    let notes = &report["sides"][0]["outcome"]["accounts"];
    assert!(notes[0].as_str().unwrap().starts_with("deactivated 3 accounts: bench-"), "{notes}");
}

/// Returns true if a process has not ended. One that ended has no command line, also while its parent does not await it.
fn is_running(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| !words.is_empty())
}
