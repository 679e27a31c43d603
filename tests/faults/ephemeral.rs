//! The ends of an ephemeral server: its parent, its input, its reader and a kill.

use std::process::Stdio;

use rustix::process::{Signal, getppid, kill_process, test_kill_process};

use crate::support::ephemeral::{Ephemeral, Ground};
use crate::support::waiting::{until, within};

/// Starts a server as the child of a shell. `$0` is the program.
const SHELL: &str = "exec 3<&0; \"$0\" serve --ephemeral \"$@\" <&3 3<&- & wait";

#[actix_web::test]
async fn a_server_ends_with_the_process_that_started_it() {
    let ground = Ground::new();
    let mut server = in_shell(&ground, &[]).await;
    server.client().get("/system/ping").await.expect(200);
    server.child.kill().await.unwrap();
    gone(&ground).await;
}

#[actix_web::test]
async fn a_server_outlives_the_thread_that_started_it() {
    let ground = Ground::new();
    let mut command = ground.serve(&[]).into_std();
    // The signal of the kernel for the end of a parent would come with the end of this thread.
    let started = std::thread::spawn(move || command.spawn().unwrap());
    let mut child = started.join().unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&line).unwrap();
    let client = crate::support::Client::new(facts["url"].as_str().unwrap());
    client.get("/system/ping").await.expect(200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[actix_web::test]
async fn a_server_ends_with_its_input_and_then_not_with_its_parent() {
    let ground = Ground::new();
    let mut server = in_shell(&ground, &["--until-stdin-ends"]).await;
    let input = server.child.stdin.take().unwrap();
    server.child.kill().await.unwrap();
    server.client().get("/system/ping").await.expect(200);
    drop(input);
    gone(&ground).await;
    let mut command = ground.serve(&["--until-stdin-ends"]);
    let mut server = ground.run(command.stdin(Stdio::piped())).await;
    drop(server.child.stdin.take());
    let (status, rest) = server.ended().await;
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    assert!(ground.made().is_empty());
}

#[actix_web::test]
async fn a_server_without_input_or_without_a_reader_ends() {
    let ground = Ground::new();
    // The end can come before the line.
    let ended = within("it ends", ground.serve(&["--until-stdin-ends"]).output()).await.unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let mut child = ground.serve(&[]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(within("it ends", child.wait()).await.unwrap().code(), Some(1));
    assert!(ground.errors().contains("the line on standard output cannot be written: Broken pipe"));
    assert!(ground.made().is_empty());
}

#[actix_web::test]
async fn a_later_run_removes_what_a_killed_one_left_and_nothing_of_one_that_runs() {
    let ground = Ground::new();
    let mut killed = ground.start(&[]).await;
    let left = ground.made();
    killed.child.kill().await.unwrap();
    assert_eq!(ground.made(), left);
    let running = ground.start(&[]).await;
    until("the folder is removed", async || !left[0].exists()).await;
    let later = ground.start(&[]).await;
    running.admin().get("/users/me").await.expect(200);
    assert_eq!(ground.made().len(), 2);
    running.stop().await;
    later.stop().await;
    assert!(ground.made().is_empty());
}

#[actix_web::test]
async fn a_signal_before_the_line_leaves_nothing() {
    let ground = Ground::new();
    let mut child = ground.serve(&[]).spawn().unwrap();
    until("it made its folder", async || !ground.made().is_empty()).await;
    let pid = rustix::process::Pid::from_raw(child.id().unwrap().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(within("it ends", child.wait()).await.unwrap().code(), Some(0));
    assert!(ground.made().is_empty());
}

/// Starts a server that is the child of a shell, which is the child of this process.
async fn in_shell(ground: &Ground, arguments: &[&str]) -> Ephemeral {
    let mut shell = ground.command("/bin/sh");
    shell.args(["-c", SHELL, env!("CARGO_BIN_EXE_quarterdeck")]).args(arguments);
    let server = ground.run(shell.stdin(Stdio::piped())).await;
    assert_ne!(server.child.id(), Some(server.pid().as_raw_nonzero().get().cast_unsigned()));
    assert!(test_kill_process(server.pid()).is_ok() && getppid() != Some(server.pid()));
    server
}

async fn gone(ground: &Ground) {
    until("the server removed its folder", async || ground.made().is_empty()).await;
}
