//! Faults of the parts of a cluster: its servers, their database, and their Redis.

use std::time::Duration;

use futures_util::future::join;
use reqwest::Method;
use rustix::process::Signal;
use tokio::time::sleep;

use super::restarts::ids;
use super::resuming::clients_resume;
use super::stand::{Stand, is_cut_off};
use super::traffic::attempt;
use super::{CALM, calm};
use crate::support::waiting::until;
use crate::support::{Client, Proxy, database};

pub(super) async fn kill_servers(stand: &mut Stand) {
    clients_resume(stand, 0, async |stand| stand.kill(0).await).await;
    sleep(CALM).await;
    stand.start_node(0).await;
    calm(stand).await;
    stand.kill(1).await;
    stand.start_node(1).await;
}

/// Stops a server for a while.
pub(super) async fn freeze_server(stand: &mut Stand, seconds: u64) {
    clients_resume(stand, 1, async |stand| {
        stand.signal(1, Signal::STOP);
        sleep(Duration::from_secs(seconds)).await;
        stand.signal(1, Signal::CONT);
    })
    .await;
}

/// Stops a server for a while, with every kind of change under way.
pub(super) async fn freeze_server_amid_changes(stand: &mut Stand) {
    stand.signal(2, Signal::STOP);
    sleep(Duration::from_secs(4)).await;
    stand.signal(2, Signal::CONT);
}

/// Gives a server a tenth of the processor time.
pub(super) async fn slow_server(stand: &mut Stand) {
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
}

pub(super) async fn restart_database_twice(stand: &mut Stand) {
    for _ in 0..2 {
        stand.restart_database();
        sleep(CALM).await;
    }
}

pub(super) async fn freeze_database(stand: &mut Stand) {
    stand.database.freeze();
    sleep(Duration::from_secs(6)).await;
    stand.database.thaw();
}

/// Stops the database for longer than the time after which a server without heartbeats is removed.
pub(super) async fn freeze_database_for_long(stand: &mut Stand) {
    let before = ids(stand).await;
    stand.database.freeze();
    sleep(Duration::from_secs(14)).await;
    for node in 0..3 {
        is_cut_off(stand, node).await;
    }
    stand.database.thaw();
    stand.all_ready().await;
    assert_eq!(ids(stand).await, before, "no server removed another one");
}

pub(super) async fn cut_database_connections(stand: &mut Stand) {
    const OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                          WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    for _ in 0..8 {
        database::execute(&stand.database.address(), OTHERS).await;
        sleep(Duration::from_millis(700)).await;
    }
}

/// Takes the database away from one server, and then from another one.
pub(super) async fn lose_database(stand: &mut Stand) {
    stand.lines[0].stall();
    sleep(Duration::from_secs(7)).await;
    is_cut_off(stand, 0).await;
    stand.lines[0].restore();
    calm(stand).await;
    stand.lines[1].refuse();
    sleep(CALM).await;
    stand.lines[1].restore();
}

/// Takes the database away from all servers for a while.
pub(super) async fn outage(stand: &Stand, duration: Duration) {
    stand.lines.iter().for_each(Proxy::refuse);
    sleep(duration).await;
    stand.lines.iter().for_each(Proxy::restore);
}

pub(super) async fn freeze_redis(stand: &mut Stand) {
    stand.redis().signal(Signal::STOP);
    sleep(Duration::from_secs(6)).await;
    stand.redis().signal(Signal::CONT);
}

/// Takes Redis away from a server, and then from another one.
pub(super) async fn cut_off_from_redis(stand: &mut Stand) {
    for (node, cut) in [(1, Proxy::stall as fn(&Proxy)), (2, Proxy::refuse)] {
        cut(&stand.redis_lines[node]);
        sleep(Duration::from_secs(6)).await;
        stand.redis_lines[node].restore();
        calm(stand).await;
    }
}

/// Ends Redis with its data, twice.
pub(super) async fn lose_redis_data(stand: &mut Stand) {
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
        calm(stand).await;
    }
}
