//! Three servers on one PostgreSQL behind a load balancer, with writes, events, sockets and revocations under way, while one part
//! fails. A checker compares afterwards: no acknowledged write is lost, no revoked token is accepted after its limit, no
//! client misses an event or gets it twice without a greeting, no demoted administrator acts as one, and all servers are in
//! the same state.

mod checks;
mod demotions;
mod facts;
mod record;
mod restarts;
mod sockets;
mod stand;
mod traffic;

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::sleep;

use futures_util::future::join;
use reqwest::Method;

use self::checks::check;
use self::restarts::ids;
use self::stand::{Bus, Stand, is_cut_off, outage};
use self::traffic::{SUBSCRIBERS, Traffic, attempt};
use crate::support::quiet::pass;
use crate::support::waiting::{until, until_within};
use crate::support::{Client, Proxy, database};

/// The number of runs of each test; 1 by default.
const RUNS: &str = "QUARTERDECK_TEST_CLUSTER_RUNS";

/// The duration of the traffic before, between and after faults.
const CALM: Duration = Duration::from_secs(3);

/// The time in which all clients connect again. If they do not, or not to the right servers, they are told to once more.
const SPREAD_WITHIN: Duration = Duration::from_secs(8);

/// The number of clients at the server with the fault.
const CLIENTS_AT_SERVER: usize = 2;

/// The time in which clients are spread, or resume, on a busy machine.
const RESUMED_WITHIN: Duration = Duration::from_mins(3);

#[actix_web::test]
async fn a_killed_server_loses_nothing() {
    run([0; 3], async |stand| {
        clients_resume(stand, 0, async |stand| stand.kill(0).await).await;
        sleep(CALM).await;
        stand.start_node(0).await;
        sleep(CALM).await;
        stand.kill(1).await;
        stand.start_node(1).await;
    })
    .await;
}

#[actix_web::test]
async fn a_server_that_stands_still_loses_nothing() {
    run([0; 3], async |stand| {
        // Shorter and longer than the time after which the others remove it.
        for seconds in [4, 14] {
            clients_resume(stand, 1, async |stand| {
                stand.signal(1, Signal::STOP);
                sleep(Duration::from_secs(seconds)).await;
                stand.signal(1, Signal::CONT);
            })
            .await;
            sleep(CALM).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn a_slow_server_loses_nothing() {
    run([0; 3], async |stand| {
        let (before, written) = (ids(stand).await, stand.record.acknowledged());
        let slow = Client::new(&stand.bases()[2]);
        let slowness = async {
            for _ in 0..60 {
                stand.signal(2, Signal::STOP);
                sleep(Duration::from_millis(90)).await;
                stand.signal(2, Signal::CONT);
                sleep(Duration::from_millis(10)).await;
            }
        };
        let answers = async || attempt(&slow, Method::GET, "/system/ping", None).await.is_some();
        join(slowness, until("the slow server answers", answers)).await;
        assert!(stand.record.acknowledged() > written, "the others go on");
        assert_eq!(ids(stand).await, before, "it stays in the list");
    })
    .await;
}

#[actix_web::test]
async fn a_restarted_database_loses_nothing() {
    run([0; 3], restart_database_twice).await;
}

#[actix_web::test]
async fn a_database_that_stands_still_loses_nothing() {
    run([0; 3], freeze_database).await;
}

#[actix_web::test]
async fn a_database_that_stands_still_for_long_loses_nothing() {
    run([0; 3], async |stand| {
        let before = ids(stand).await;
        stand.database.freeze();
        // Longer than the time after which a server without heartbeats is removed.
        sleep(Duration::from_secs(14)).await;
        for node in 0..3 {
            is_cut_off(stand, node).await;
        }
        stand.database.thaw();
        stand.all_ready().await;
        assert_eq!(ids(stand).await, before, "no server removed another one");
    })
    .await;
}

#[actix_web::test]
async fn connections_to_the_database_that_are_cut_lose_nothing() {
    run([0; 3], cut_database_connections).await;
}

#[actix_web::test]
async fn a_server_without_its_database_loses_nothing() {
    run([0; 3], async |stand| {
        stand.lines[0].stall();
        sleep(Duration::from_secs(7)).await;
        is_cut_off(stand, 0).await;
        stand.lines[0].restore();
        sleep(CALM).await;
        stand.lines[1].refuse();
        sleep(CALM).await;
        stand.lines[1].restore();
    })
    .await;
}

#[actix_web::test]
async fn servers_with_clocks_a_minute_apart_lose_nothing() {
    run([-60, 0, 60], async |stand| {
        sleep(CALM).await;
        stand.kill(2).await;
        stand.start_node(2).await;
    })
    .await;
}

#[actix_web::test]
async fn all_servers_at_once_without_a_database_lose_nothing() {
    run([0; 3], async |stand| {
        outage(stand, Duration::from_secs(4)).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_that_restart_one_after_the_other_lose_nothing() {
    run([0; 3], async |stand| {
        clients_resume(stand, 2, async |stand| restarts::restart_all(stand, 2).await).await;
        sleep(CALM).await;
        restarts::restart_all(stand, 1).await;
        // The first server is the leader.
        restarts::kill_the_leader(stand).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_on_redis_lose_nothing() {
    run_on(Bus::Redis, [-60, 0, 60], async |stand| {
        clients_resume(stand, 0, async |stand| stand.kill(0).await).await;
        sleep(CALM).await;
        stand.start_node(0).await;
        stand.signal(1, Signal::STOP);
        sleep(Duration::from_secs(14)).await;
        stand.signal(1, Signal::CONT);
        sleep(CALM).await;
        outage(stand, CALM).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_on_redis_whose_database_fails_lose_nothing() {
    run_on(Bus::Redis, [60, 0, -60], async |stand| {
        restart_database_twice(stand).await;
        freeze_database(stand).await;
        sleep(CALM).await;
        cut_database_connections(stand).await;
    })
    .await;
}

#[actix_web::test]
async fn a_redis_that_stands_still_loses_nothing() {
    run_on(Bus::Redis, [0; 3], async |stand| {
        stand.redis().signal(Signal::STOP);
        sleep(Duration::from_secs(6)).await;
        stand.redis().signal(Signal::CONT);
    })
    .await;
}

#[actix_web::test]
async fn a_server_that_is_cut_off_from_redis_loses_nothing() {
    run_on(Bus::Redis, [0; 3], async |stand| {
        for cut in [Proxy::stall, Proxy::refuse] {
            cut(&stand.redis_lines[1]);
            sleep(Duration::from_secs(6)).await;
            stand.redis_lines[1].restore();
            sleep(CALM).await;
        }
    })
    .await;
}

#[actix_web::test]
async fn a_redis_that_loses_its_data_loses_nothing() {
    run_on(Bus::Redis, [0; 3], async |stand| {
        for is_unread in [false, true] {
            if is_unread {
                // A server cannot read events that are in Redis when it ends.
                stand.redis_lines[1].stall();
                sleep(Duration::from_millis(400)).await;
            }
            stand.kill_redis();
            stand.redis_lines[1].restore();
            sleep(Duration::from_secs(1)).await;
            stand.redis().start_again();
            sleep(CALM).await;
        }
    })
    .await;
}

async fn restart_database_twice(stand: &mut Stand) {
    for _ in 0..2 {
        stand.restart_database();
        sleep(CALM).await;
    }
}

async fn freeze_database(stand: &mut Stand) {
    stand.database.freeze();
    sleep(Duration::from_secs(6)).await;
    stand.database.thaw();
}

async fn cut_database_connections(stand: &mut Stand) {
    const OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                          WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    for _ in 0..8 {
        database::execute(&stand.database.address(), OTHERS).await;
        sleep(Duration::from_millis(700)).await;
    }
}

/// Starts three servers on one database that is their bus as well.
async fn run(clocks: [i64; 3], fault: impl AsyncFn(&mut Stand)) {
    run_on(Bus::Database, clocks, fault).await;
}

/// Starts three servers whose clocks differ by these seconds, applies the fault to them while there is traffic, and checks
/// what was recorded.
async fn run_on(bus: Bus, clocks: [i64; 3], fault: impl AsyncFn(&mut Stand)) {
    let runs = std::env::var(RUNS).ok().map_or(1, |runs| runs.parse::<u32>().unwrap());
    for _ in 0..runs {
        let Some(mut stand) = Stand::start(clocks, bus).await else { return };
        let traffic = Traffic::start(&stand);
        sleep(CALM).await;
        fault(&mut stand).await;
        sleep(CALM).await;
        stand.all_ready().await;
        sleep(CALM).await;
        traffic.end(&stand).await;
        check(&stand).await;
    }
}

/// Applies a fault to a server with clients. No change makes the events of connections uncertain until a client has resumed
/// its connection: it keeps the id, and gets no greeting. Then these changes go on, also while the fault lasts.
async fn clients_resume(stand: &mut Stand, node: usize, fault: impl AsyncFnOnce(&mut Stand)) {
    let (record, phases) = (stand.record.clone(), stand.phases.clone());
    phases.are_facts_paused.set(true);
    // The last changes end, and servers store checkpoints after them.
    pass(CALM).await;
    let listed = stand.listed(node).await;
    let at_server = format!("SELECT id FROM qd_sockets WHERE node = '{}'", listed["id"].as_str().unwrap());
    let are_spread = async |round: u32| {
        // A client that was greeted has left a row of its earlier connection behind.
        let rows = database::texts(&stand.database.address(), &at_server).await;
        let connections = record.connections(round);
        let count = connections.iter().filter(|connection| rows.contains(&connection.id)).count();
        let is_resumed = connections.iter().any(|connection| connection.is_resumed);
        connections.len() == SUBSCRIBERS && is_resumed && count >= CLIENTS_AT_SERVER
    };
    let spread = async || {
        phases.round.update(|round| round + 1);
        let (round, mut is_done) = (phases.round.get(), false);
        for _ in 0..SPREAD_WITHIN.as_secs() {
            pass(Duration::from_secs(1)).await;
            is_done = are_spread(round).await;
            if is_done {
                break;
            }
        }
        is_done
    };
    until_within(RESUMED_WITHIN, "all clients are connected, some of them to the server", spread).await;
    let resumptions = || *record.resumptions.borrow();
    let before = resumptions();
    let resumed = async {
        until_within(RESUMED_WITHIN, "a client resumes", async || resumptions() > before).await;
        phases.are_facts_paused.set(false);
    };
    join(fault(stand), resumed).await;
}
