//! A background task is started through `task` in `actors`, which detects its panic and starts loops again.

use super::bounds::shipped;

/// The functions that start a task.
const STARTERS: [&str; 9] = [
    "rt::spawn(",
    "tokio::spawn(",
    "runtime.spawn(",
    "runtime().spawn(",
    "tasks.spawn(",
    "tasks().spawn(",
    "map(actix_web::rt::spawn)",
    "spawn_local(",
    "JoinSet::new(",
];

const AWAITED: &str = "its starter awaits it and handles its panic";
const CANCELLED: &str = "its starter keeps the handle and cancels it";

/// Files that start tasks directly: the number of tasks, and the code that detects their panic.
const OTHERS: [(&str, usize, &str); 11] = [
    ("actors/src/supervisor/thread.rs", 1, "the life of an actor, which catches panics itself"),
    ("actors/src/task.rs", 2, "the one place"),
    ("src/domain/passwords/queue.rs", 1, AWAITED),
    ("src/files/probe.rs", 1, "it is run by `task::caught`"),
    ("src/server/room.rs", 1, "the stop of the server awaits it"),
    ("src/store/postgres.rs", 1, AWAITED),
    ("src/store/postgres/hosts.rs", 2, "the attempt is awaited; the connection is awaited by the pool"),
    ("src/store/sqlite.rs", 1, AWAITED),
    ("src/store/tasks.rs", 1, "the engines start their tasks through it and await them"),
    ("src/web/answer/read_rate.rs", 1, CANCELLED),
    (
        "src/web/web_application/file.rs",
        1,
        "requests await it; its work runs on a background thread, which tells a panic",
    ),
];

fn starts(text: &str) -> usize {
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    // Work on a blocking thread counts if its handle is dropped.
    let is_dropped = |line: &str| {
        let call = line.strip_prefix("tokio::task::").or(line.strip_prefix("actix_web::rt::task::")).unwrap_or(line);
        call.starts_with("spawn_blocking(") && !line.contains(".await") && line.ends_with(';')
    };
    code.filter(|line| is_dropped(line) || STARTERS.iter().any(|starter| line.contains(starter))).count()
}

#[test]
fn a_task_that_nothing_waits_for_is_supervised() {
    for (path, text) in shipped() {
        let (found, allowed) =
            (starts(&text), OTHERS.iter().find(|(known, ..)| *known == path).map_or(0, |(_, count, _)| *count));
        assert!(
            found <= allowed,
            "{path} starts {found} tasks instead of {allowed}: use task::once or task::keep, or say here who notices a panic"
        );
        assert!(found >= allowed, "{path} starts {found} tasks: correct OTHERS");
    }
}

#[test]
fn a_task_that_was_planted_is_found() {
    assert_eq!(starts("    actix_web::rt::spawn(keep_pruning(db));\n    // tokio::spawn(nothing)\n"), 1);
    assert_eq!(starts("    tokio::task::spawn_local(keep_pruning(db));\n    let tasks = JoinSet::new();\n"), 2);
    assert_eq!(starts("    tokio::task::spawn_blocking(work);\n    spawn_blocking(work).await;\n"), 1);
}
