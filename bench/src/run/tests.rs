//! The load generator against a server whose latency, errors and stalls are known.
//!
//! A run during which the generator itself was too slow says so; such a run proves nothing and is repeated.

mod stub;
mod tls;

use std::rc::Rc;
use std::time::Duration;

use super::accounts::Accounts;
use super::engine::{Pace, Plan, Run};
use super::mix::Mix;
use super::prepared::Prepared;
use super::saturation::Saturation;
use crate::remote::Remote;
use stub::{Behaviour, PUNCTUAL, Stub};

const MIX: &str = "format = 1\nabout = \"A test.\"\nload = { rate = 1 }\n[[request]]\nname = \"one\"\npath = \"/\"\n";
const MS: Duration = Duration::from_millis(1);

/// The error of a latency that is stated in the documentation: a late start and a late response on a busy machine.
const ERROR_MS: u64 = 250;

/// The number of runs of which one must not be disturbed.
const ATTEMPTS: usize = 20;

fn plan(stub: &Stub, pace: Pace, users: u64) -> Plan {
    let remote = Remote::Resolved(vec![stub.address], None);
    Plan { remote, pace, users, burst: 1, warmup: MS * 200, duration: MS * 2000, timeout: MS * 5000, seed: 1 }
}

/// Carries a plan out until a run was hardly disturbed: at most one of a hundred requests and responses was late by more
/// than the limit of the stub.
async fn undisturbed(stub: &Stub, plan: &Plan) -> Rc<Run> {
    let mut delays = Vec::new();
    for _ in 0..ATTEMPTS {
        stub.begin();
        let (run, saturation) = once(plan).await;
        let was_punctual = Duration::from_micros(saturation.late_start_p99_us) < PUNCTUAL;
        if was_punctual && stub.was_punctual() {
            return run;
        }
        delays.push((saturation.late_start_p99_us, stub.late()));
    }
    panic!("each of {ATTEMPTS} runs was disturbed: {delays:?}");
}

async fn once(plan: &Plan) -> (Rc<Run>, Saturation) {
    let prepared = Prepared::new(&Mix::read(MIX).unwrap(), Accounts::default(), "stub", "", "", 1);
    let run = Run::new(plan.clone(), prepared).unwrap();
    let saturation = run.carry_out().await.unwrap();
    (run, saturation)
}

/// Asserts that a percentile in microseconds is a latency in milliseconds, within the stated error.
fn assert_latency(found_us: u64, expected_ms: u64) {
    let bounds = expected_ms * 1000..=(expected_ms + ERROR_MS) * 1000;
    assert!(bounds.contains(&found_us), "{found_us} µs instead of {expected_ms} ms");
}

#[tokio::test]
async fn percentiles_rates_and_counts_are_those_of_the_server() {
    // Of a hundred responses, 80 take 300 ms, 15 take 1 s and 5 take 2 s.
    let stub = Stub::start(Behaviour::latencies(&[(80, 300), (15, 1000), (5, 2000)]));
    let plan = Plan { duration: MS * 4000, ..plan(&stub, Pace::Open { per_second: 100.0 }, 256) };
    let run = undisturbed(&stub, &plan).await;
    let recorder = run.recorder.borrow();
    let latency = &recorder.total.latency;
    for (quantile, expected) in [(0.5, 300), (0.78, 300), (0.88, 1000), (0.97, 2000)] {
        assert_latency(latency.value_at_quantile(quantile), expected);
    }
    // Four seconds of 100 requests a second, of which those of the last two seconds may end later.
    assert!((399..=401).contains(&recorder.total.count), "{}", recorder.total.count);
    assert!((300..=380).contains(&recorder.succeeded_in_time), "{}", recorder.succeeded_in_time);
    assert_eq!(recorder.total.failed(), 0);
}

#[tokio::test]
async fn every_request_reaches_the_server_and_errors_are_counted_by_status_and_id() {
    let stub = Stub::start(Behaviour { fails_each: Some(10), ..Behaviour::default() });
    let plan = Plan { warmup: Duration::ZERO, ..plan(&stub, Pace::Open { per_second: 500.0 }, 8) };
    stub.begin();
    let (run, _) = once(&plan).await;
    let recorder = run.recorder.borrow();
    let failures: Vec<_> = recorder.total.failures.iter().map(|(f, n)| (f.status, f.id.as_str(), *n)).collect();
    assert_eq!((recorder.total.count, stub.received()), (1000, 1000));
    assert_eq!(failures, [(Some(503), "api.stub.app_error", 100)]);
}

#[tokio::test]
async fn a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one() {
    let stub = Stub::start(Behaviour { stall: Some((MS * 1200, MS * 2000)), ..Behaviour::latencies(&[(1, 10)]) });
    let open = Plan { duration: MS * 4000, ..plan(&stub, Pace::Open { per_second: 50.0 }, 4) };
    let run = undisturbed(&stub, &open).await;
    {
        let recorder = run.recorder.borrow();
        // Half of the requests should have started during the stall, evenly: a quarter of all waited at least a second.
        let at = |quantile| recorder.total.latency.value_at_quantile(quantile);
        let (p75, p99) = (at(0.75), at(0.99));
        assert!((850_000..=1_400_000).contains(&p75), "p75 {p75} µs");
        assert!((1_850_000..=2_400_000).contains(&p99), "p99 {p99} µs");
        assert!((199..=201).contains(&recorder.total.count), "{}", recorder.total.count);
    }
    // The users of a closed loop wait, each with one request; a disturbance may make each of them wait once more.
    stub.begin();
    let (closed, _) = once(&Plan { pace: Pace::Closed, ..open }).await;
    let recorder = closed.recorder.borrow();
    let slow = recorder.total.latency.count_between(1_000_000, u64::MAX);
    assert!((1..=8).contains(&slow), "{slow} slow requests");
}

#[tokio::test]
async fn a_closed_loop_has_the_rate_of_its_users() {
    let stub = Stub::start(Behaviour::latencies(&[(1, 400)]));
    let run = undisturbed(&stub, &Plan { duration: MS * 4000, ..plan(&stub, Pace::Closed, 10) }).await;
    // Ten users with 400 ms, and at most 250 ms more, for each request.
    let count = run.recorder.borrow().total.count;
    assert!((60..=110).contains(&count), "{count}");
}

#[tokio::test]
async fn requests_without_a_response_in_time_are_failures() {
    let stub = Stub::start(Behaviour { stall: Some((Duration::ZERO, MS * 60_000)), ..Behaviour::default() });
    let pace = Pace::Open { per_second: 20.0 };
    let plan = Plan { warmup: Duration::ZERO, timeout: MS * 300, duration: MS * 1000, ..plan(&stub, pace, 2) };
    stub.begin();
    let (run, _) = once(&plan).await;
    let recorder = run.recorder.borrow();
    let causes: Vec<_> = recorder.total.failures.keys().map(|failed| failed.id.as_str()).collect();
    assert_eq!((recorder.total.count, recorder.total.failed()), (20, 20));
    assert!(causes.iter().all(|cause| ["timeout", "no-free-connection"].contains(cause)), "{causes:?}");
    assert!(recorder.total.latency.min() >= 299_000);
}

#[tokio::test]
async fn requests_of_the_background_delay_no_others_and_stand_apart() {
    let stub = Stub::start(Behaviour { fails_each: Some(3), ..Behaviour::default() });
    let text = format!("{MIX}[[request]]\nname = \"beside\"\npath = \"/\"\nbackground = 5\n");
    let prepared = Prepared::new(&Mix::read(&text).unwrap(), Accounts::default(), "stub", "", "", 1);
    let run = Run::new(plan(&stub, Pace::Open { per_second: 200.0 }, 4), prepared).unwrap();
    run.carry_out().await.unwrap();
    let recorder = run.recorder.borrow();
    assert!((399..=401).contains(&recorder.total.count), "{}", recorder.total.count);
    assert!(recorder.succeeded_in_time > 100, "{} requests succeeded in time", recorder.succeeded_in_time);
    assert!(recorder.requests[1].count > 0 && recorder.requests[0].count == recorder.total.count);
}

#[tokio::test]
async fn requests_without_a_response_at_the_end_are_unfinished() {
    let stub = Stub::start(Behaviour { stall: Some((Duration::ZERO, MS * 600_000)), ..Behaviour::default() });
    let text = format!("{MIX}[[request]]\nname = \"beside\"\npath = \"/\"\nbackground = 5\n");
    let prepared = Prepared::new(&Mix::read(&text).unwrap(), Accounts::default(), "stub", "", "", 1);
    let pace = Pace::Open { per_second: 50.0 };
    let plan = Plan { timeout: Duration::from_mins(5), duration: MS * 500, ..plan(&stub, pace, 4) };
    let run = Run::new(plan, prepared).unwrap();
    run.abandon();
    run.carry_out().await.unwrap();
    let recorder = run.recorder.borrow();
    let beside: Vec<_> = recorder.requests[1].failures.iter().map(|(failed, n)| (failed.id.as_str(), *n)).collect();
    assert_eq!(beside, [("unfinished", 5)], "they began before the measurement");
    assert!(recorder.requests[1].latency.min() >= 500_000);
    // The four connections wait since the warm-up, so the other requests were not sent.
    assert_eq!((recorder.total.count, recorder.total.failed()), (25, 25));
    assert!(recorder.total.failures.contains_key(&super::failure::Failed::ended_by_user()));
    assert_eq!((recorder.succeeded_in_time, recorder.responses_in_time), (0, 0));
}

#[tokio::test]
async fn a_server_that_refuses_connections_is_a_failure_with_its_cause() {
    let stub = Stub::start(Behaviour::default());
    // No one listens at the port, and no one else can have it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let remote = Remote::Resolved(vec![socket.local_addr().unwrap()], None);
    let plan = Plan { remote, duration: MS * 500, ..plan(&stub, Pace::Closed, 2) };
    let (run, _) = once(&plan).await;
    let recorder = run.recorder.borrow();
    let causes: Vec<_> = recorder.total.failures.keys().map(|failed| failed.id.as_str()).collect();
    assert_eq!((causes, recorder.total.failed()), (vec!["connection-refused"], recorder.total.count));
}

#[tokio::test]
async fn requests_that_wait_for_a_connection_at_the_end_are_still_sent() {
    let stub = Stub::start(Behaviour::latencies(&[(1, 100)]));
    let pace = Pace::Open { per_second: 60.0 };
    let plan = Plan { warmup: Duration::ZERO, duration: MS * 1000, timeout: MS * 60_000, ..plan(&stub, pace, 2) };
    stub.begin();
    let (run, _) = once(&plan).await;
    let recorder = run.recorder.borrow();
    // Two connections bear 20 requests a second, so two thirds of the requests wait when the measurement ends.
    assert!(recorder.succeeded_in_time <= 20, "{}", recorder.succeeded_in_time);
    assert_eq!((recorder.total.count, recorder.total.failed(), stub.received()), (60, 0, 60));
}

#[tokio::test]
async fn a_run_that_is_stopped_counts_until_then() {
    let stub = Stub::start(Behaviour::default());
    let plan = Plan { duration: Duration::from_hours(1), ..plan(&stub, Pace::Open { per_second: 200.0 }, 4) };
    let prepared = Prepared::new(&Mix::read(MIX).unwrap(), Accounts::default(), "stub", "", "", 1);
    let run = Run::new(plan, prepared).unwrap();
    let stop = async {
        stub.receives(200).await;
        run.stop();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = run.carry_out() => { ended.unwrap(); }
        () = stop => {}
    }
    let recorder = run.recorder.borrow();
    let causes: Vec<_> = recorder.total.failures.keys().map(|failed| failed.id.as_str()).collect();
    assert!(causes.iter().all(|cause| *cause == "ended-by-user"), "{causes:?}");
    let should_start = recorder.measured().as_secs_f64() * 200.0;
    let count = crate::report::to_float(recorder.total.count);
    assert!(count >= 100.0 && count <= should_start + 1.0, "{count} of {should_start} requests");
}

#[tokio::test]
async fn requests_of_a_burst_start_at_the_same_moment() {
    let stub = Stub::start(Behaviour::latencies(&[(1, 300)]));
    let pace = Pace::Open { per_second: 50.0 };
    let plan = Plan { burst: 50, warmup: Duration::ZERO, duration: MS * 3000, ..plan(&stub, pace, 50) };
    let run = undisturbed(&stub, &plan).await;
    let recorder = run.recorder.borrow();
    assert_eq!((recorder.total.count, recorder.total.failed()), (150, 0));
    // All of a second's requests end in the interval of the first 300 ms, or, after a disturbance, in the next ones.
    let max = recorder.intervals.iter().map(|interval| interval.count).max().unwrap_or_default();
    assert!(max >= 25, "at most {max} requests ended in one interval");
}

#[tokio::test]
async fn a_generator_that_is_too_slow_says_so() {
    let stub = Stub::start(Behaviour::default());
    // More than one thread can send.
    let plan = Plan { duration: MS * 300, ..plan(&stub, Pace::Open { per_second: 400_000.0 }, 8) };
    let (_, saturation) = once(&plan).await;
    assert!(!saturation.reasons().is_empty(), "{saturation:?}");
}
