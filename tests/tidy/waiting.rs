//! Tests wait with a deadline, through the helper in `support/waiting.rs`, and no sleep orders events.

use super::skipping::tests;

/// The number of sleeps and yields in each test file, and the reason why there is no event to await.
const SLEEPS: [(&str, usize, &str); 25] = [
    ("actors/src/notices/tests.rs", 1, "gives the actor a turn; without one the test sees less"),
    ("actors/src/pause.rs", 2, "the test stops its thread, and an answer comes later"),
    ("src/web/pipeline/limit/store.rs", 1, "the pace of requests"),
    ("tests/contract/users/search_work.rs", 2, "the database delays an answer, or the counts that it tells"),
    ("tests/faults/audit_killed.rs", 1, KILL),
    ("tests/faults/buses/entries.rs", 1, "the pace at which the database looks for a lock"),
    ("tests/faults/clocks.rs", 1, "a process is stopped for this long"),
    ("tests/faults/cluster_runs.rs", 2, "the duration of the traffic between faults"),
    ("tests/faults/cluster_runs/configurations.rs", 1, "the pace of the traffic"),
    ("tests/faults/cluster_runs/facts.rs", 1, "the pace of the traffic"),
    ("tests/faults/cluster_runs/sockets.rs", 1, "a client connects again after this time"),
    ("tests/faults/cluster_runs/parts.rs", 16, "the duration of faults"),
    ("tests/faults/cluster_runs/revocations.rs", 1, "the pace of the traffic"),
    ("tests/faults/cluster_runs/traffic.rs", 1, "the pace of the traffic"),
    ("tests/faults/config_killed.rs", 1, KILL),
    ("tests/faults/hung_up.rs", 1, "the moment at which a client hangs up"),
    ("tests/faults/killed.rs", 1, KILL),
    ("tests/faults/nodes/upgrades/traffic.rs", 3, "the pace of the traffic"),
    ("tests/faults/websocket.rs", 2, "sets the pace of events; leaves at some moment of a connect, whichever that is"),
    ("tests/faults/websocket_line.rs", 1, "a line hangs for this long"),
    ("tests/support/quiet.rs", 1, "what a test leaves alone has this long"),
    ("tests/support/proxy.rs", 1, "a line is this slow"),
    ("tests/support/slow.rs", 1, "a client reads this slowly"),
    ("tests/support/stall.rs", 2, "the test of the measured time"),
    ("tests/support/waiting.rs", 1, "the helper itself"),
];

const KILL: &str = "the random moment of a kill";

/// The reason for loops of a server that ends with its test.
const PEER: &str = "a peer serves until the test ends";
const STEP: &str = "each step has a deadline";

/// The number of loops in each test file that await, and their end.
const LOOPS: [(&str, usize, &str); 51] = [
    ("actors/src/hub/tests.rs", 2, STEP),
    ("actors/src/sockets/backlog/tests.rs", 1, "the messages of the test end it"),
    ("actors/src/sockets/tests.rs", 1, STEP),
    ("src/domain/support_packet/outlet.rs", 1, "the number of bytes ends it"),
    ("src/files/tests/held.rs", 3, "its connections end it, and the test has a deadline"),
    ("src/files/tests/line.rs", 1, PEER),
    ("src/outbound/client/tests/peer.rs", 2, PEER),
    ("src/outbound/client/tests/tls.rs", 1, PEER),
    ("src/web/answer/outgoing.rs", 1, "a body in memory ends by itself"),
    ("src/web/pipeline/limit/store.rs", 1, "two seconds end it"),
    ("tests/clients/mmctl.rs", 1, STEP),
    ("tests/contract/files.rs", 2, PEER),
    ("tests/contract/files_steps.rs", 3, PEER),
    ("tests/faults/actors.rs", 1, "twelve restarts end it"),
    ("tests/faults/audit_frozen.rs", 2, "the number of changes ends it, and each has the deadline of its client"),
    ("tests/faults/backup_killed.rs", 2, STEP),
    ("tests/faults/buses/hostile.rs", 3, PEER),
    ("tests/faults/clocks.rs", 1, "each frame has a deadline; the test ends it"),
    ("tests/faults/cluster_runs/configurations.rs", 2, STEP),
    ("tests/faults/cluster_runs/facts.rs", 1, STEP),
    ("tests/faults/cluster_runs/revocations.rs", 1, STEP),
    ("tests/faults/cluster_runs/traffic.rs", 1, STEP),
    ("tests/faults/hung_up.rs", 1, STEP),
    ("tests/faults/license_hostile.rs", 1, STEP),
    ("tests/faults/nodes/pace.rs", 1, "the event that the test publishes ends it"),
    ("tests/faults/nodes/resume.rs", 2, STEP),
    ("tests/faults/nodes/rights.rs", 1, STEP),
    ("tests/faults/nodes/rows.rs", 1, STEP),
    ("tests/faults/nodes/upgrades/traffic.rs", 1, "each event has a deadline"),
    ("tests/faults/redis.rs", 1, "each frame has a deadline"),
    ("tests/faults/restore_killed.rs", 1, STEP),
    ("tests/faults/tasks.rs", 1, STEP),
    ("tests/faults/websocket.rs", 2, "each step has a deadline; three minutes end it"),
    ("tests/support/home.rs", 1, "the process ends it, which has a deadline"),
    ("tests/support/peers.rs", 1, "both callers have a deadline"),
    ("tests/support/process.rs", 1, STEP),
    ("tests/support/proxy.rs", 3, PEER),
    ("tests/support/release.rs", 2, PEER),
    ("tests/support/slow.rs", 1, "the caller has a deadline"),
    ("tests/support/steps.rs", 3, "each line has a deadline"),
    ("tests/support/swarm.rs", 2, STEP),
    ("tests/support/waiting.rs", 1, "the helper itself"),
    ("tests/support/web_peer.rs", 2, PEER),
    ("tests/support/websocket.rs", 8, "each step has a deadline, or the caller has one"),
    ("tests/wire/command_line_passphrase.rs", 2, "the caller has a deadline"),
    ("tests/wire/health.rs", 2, STEP),
    ("tests/wire/storage.rs", 1, STEP),
    ("tests/wire/unread.rs", 1, "the caller has a deadline"),
    ("tests/wire/unread_carriers.rs", 1, "the caller has a deadline"),
    ("tests/wire/websocket.rs", 1, "eight seconds end it"),
    ("tests/wire/websocket_life.rs", 1, STEP),
];

/// Returns the number of lines of test code that sleep or yield.
fn sleeps(text: &str) -> usize {
    let calls = ["sleep(", "yield_now("];
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("use "));
    code.filter(|line| calls.iter().any(|call| line.contains(call) && !line.contains("asleep("))).count()
}

/// Returns the number of loops of test code that await without a `timeout` inside.
fn loops(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_loop = |line: &str| {
        let head = line.trim_start();
        let head =
            head.split_once(" = ").map_or(head, |(left, right)| if left.starts_with("let ") { right } else { head });
        head.starts_with("loop {") || head.starts_with("while ")
    };
    let awaits = |at: usize| {
        let line = lines[at];
        let indent = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indent));
        let is_one_line = line.trim_end().ends_with('}');
        let rest = lines[at + 1..].iter().take_while(|line| !is_one_line && !line.starts_with(&end));
        let block: Vec<&str> = std::iter::once(line).chain(rest.copied()).collect();
        block.iter().any(|line| line.contains(".await")) && !block.iter().any(|line| line.contains("timeout"))
    };
    (0..lines.len()).filter(|at| is_loop(lines[*at]) && awaits(*at)).count()
}

fn check(known: &[(&str, usize, &str)], count: impl Fn(&str) -> usize, cure: &str) {
    for (path, text) in tests().iter().filter(|(path, _)| path != "tests/tidy/waiting.rs") {
        let allowed = known.iter().find(|(known, ..)| known == path).map_or(0, |(_, count, _)| *count);
        let found = count(text);
        assert!(
            found <= allowed,
            "{path} has {found} instead of {allowed}: {cure}, or say here why there is no other way"
        );
        assert!(found >= allowed, "{path} has {found} instead of {allowed}: correct the table");
    }
}

#[test]
fn every_sleep_of_a_test_has_a_reason() {
    check(&SLEEPS, sleeps, "await the event with `until`, or pass the time in");
}

#[test]
fn every_loop_of_a_test_that_awaits_has_an_end() {
    check(&LOOPS, loops, "wait with `until`");
}

#[test]
fn sleeps_and_loops_that_were_planted_are_found() {
    assert_eq!(
        sleeps("    tokio::time::sleep(PAUSE).await;\n    // sleep(1)\n    tokio::task::yield_now().await;\n"),
        2
    );
    assert_eq!(loops("    while !is_so().await {}\n"), 1);
    assert_eq!(loops("    let found = loop {\n        ask().await;\n    };\n    other().await;\n"), 1);
    assert_eq!(loops("    while left > 0 {\n        left -= 1;\n    }\n    other().await;\n"), 0);
    assert_eq!(loops("    loop {\n        timeout(TIMEOUT, ask()).await;\n    }\n"), 0);
}
