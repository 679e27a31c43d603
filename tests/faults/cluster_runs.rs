//! Three servers on one PostgreSQL behind a load balancer, with writes, events, sockets and revocations under way, while one part
//! fails. A checker compares afterwards: no acknowledged write is lost, no revoked token is accepted after its limit, no
//! client misses an event or gets it twice without a greeting, no demoted administrator acts as one, no server goes back to
//! an earlier configuration, and all servers are in the same state.

mod buses;
mod checks;
mod configurations;
mod demotions;
mod facts;
mod parts;
mod record;
mod removals;
mod restarts;
mod resuming;
mod revocations;
mod sockets;
mod stand;
mod traffic;
mod visitors;

use std::time::Duration;

use tokio::time::sleep;

use self::buses::until_used;
use self::checks::check;
use self::parts::{
    cut_database_connections, cut_off_from_redis, freeze_database, freeze_database_for_long, freeze_redis,
    freeze_server, freeze_server_amid_changes, kill_servers, lose_database, lose_redis_data, outage,
    restart_database_twice, slow_server,
};
use self::restarts::restart_servers;
use self::stand::{Bus, Stand};
use self::traffic::Traffic;

/// The number of runs of each test; 1 by default. Long runs exist only if it is set.
const RUNS: &str = "QUARTERDECK_TEST_CLUSTER_RUNS";

/// The duration of the traffic before, between and after faults.
const CALM: Duration = Duration::from_secs(3);

/// Clocks that are equal, and clocks that are a minute apart, in seconds.
const EQUAL: [i64; 3] = [0; 3];
const APART: [i64; 3] = [-60, 0, 60];

#[actix_web::test]
async fn a_killed_server_loses_nothing() {
    run(Bus::Database, EQUAL, kill_servers).await;
}

#[actix_web::test]
async fn a_server_that_stands_still_loses_nothing() {
    run(Bus::Database, EQUAL, async |stand| {
        // Shorter and longer than the time after which the others remove it.
        freeze_server(stand, 4).await;
        calm(stand).await;
        freeze_server(stand, 14).await;
        calm(stand).await;
        freeze_server_amid_changes(stand).await;
    })
    .await;
}

#[actix_web::test]
async fn a_slow_server_loses_nothing() {
    run(Bus::Database, EQUAL, slow_server).await;
}

#[actix_web::test]
async fn a_database_that_restarts_or_cannot_be_reached_loses_nothing() {
    run(Bus::Database, EQUAL, async |stand| {
        restart_database_twice(stand).await;
        calm(stand).await;
        cut_database_connections(stand).await;
        calm(stand).await;
        outage(stand, Duration::from_secs(4)).await;
    })
    .await;
}

#[actix_web::test]
async fn a_database_that_stands_still_loses_nothing() {
    run(Bus::Database, EQUAL, freeze_database_shortly_and_for_long).await;
}

#[actix_web::test]
async fn a_server_without_its_database_loses_nothing() {
    run(Bus::Database, EQUAL, lose_database).await;
}

#[actix_web::test]
async fn servers_with_clocks_a_minute_apart_lose_nothing() {
    run(Bus::Database, APART, async |stand| {
        calm(stand).await;
        stand.kill(2).await;
        stand.start_node(2).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_that_restart_one_after_the_other_lose_nothing() {
    run(Bus::Database, EQUAL, restart_servers).await;
}

#[actix_web::test]
async fn killed_servers_on_redis_lose_nothing() {
    run(Bus::Redis, APART, async |stand| {
        kill_servers(stand).await;
        calm(stand).await;
        outage(stand, CALM).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_on_redis_that_stand_still_or_are_slow_lose_nothing() {
    run(Bus::Redis, APART, async |stand| {
        freeze_server(stand, 4).await;
        calm(stand).await;
        freeze_server(stand, 14).await;
        calm(stand).await;
        slow_server(stand).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_on_redis_whose_database_fails_lose_nothing() {
    run(Bus::Redis, [60, 0, -60], async |stand| {
        restart_database_twice(stand).await;
        calm(stand).await;
        cut_database_connections(stand).await;
        calm(stand).await;
        lose_database(stand).await;
    })
    .await;
}

#[actix_web::test]
async fn servers_on_redis_whose_database_stands_still_lose_nothing() {
    run(Bus::Redis, EQUAL, freeze_database_shortly_and_for_long).await;
}

#[actix_web::test]
async fn servers_on_redis_that_restart_one_after_the_other_lose_nothing() {
    run_if_long(Bus::Redis, EQUAL, restart_servers).await;
}

#[actix_web::test]
async fn a_redis_that_stands_still_loses_nothing() {
    run(Bus::Redis, EQUAL, freeze_redis).await;
}

#[actix_web::test]
async fn a_server_that_is_cut_off_from_redis_loses_nothing() {
    run(Bus::Redis, EQUAL, cut_off_from_redis).await;
}

#[actix_web::test]
async fn a_redis_that_loses_its_data_loses_nothing() {
    run(Bus::Redis, EQUAL, lose_redis_data).await;
}

async fn freeze_database_shortly_and_for_long(stand: &mut Stand) {
    freeze_database(stand).await;
    calm(stand).await;
    freeze_database_for_long(stand).await;
}

/// Lets the traffic go on between two faults, until the bus of the run is used again.
async fn calm(stand: &Stand) {
    sleep(CALM).await;
    until_used(stand).await;
}

/// Starts three servers whose clocks differ by these seconds, applies the fault to them while there is traffic, and checks
/// what was recorded.
async fn run(bus: Bus, clocks: [i64; 3], fault: impl AsyncFn(&mut Stand)) {
    let runs = std::env::var(RUNS).ok().map_or(1, |runs| runs.parse::<u32>().unwrap());
    for _ in 0..runs {
        let Some(mut stand) = Stand::start(clocks, bus).await else { return };
        let traffic = Traffic::start(&stand);
        calm(&stand).await;
        fault(&mut stand).await;
        sleep(CALM).await;
        stand.all_ready().await;
        calm(&stand).await;
        traffic.end(&stand).await;
        check(&stand).await;
    }
}

/// Runs a fault that takes minutes, if the number of runs is set.
async fn run_if_long(bus: Bus, clocks: [i64; 3], fault: impl AsyncFn(&mut Stand)) {
    if std::env::var_os(RUNS).is_none() {
        println!("only with {RUNS}: the run takes minutes");
        return;
    }
    run(bus, clocks, fault).await;
}
