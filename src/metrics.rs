//! What Prometheus is told.
//!
//! Nothing is counted here: what the parts know of themselves is read when somebody asks.
//! Each server has a registry of its own, because several may share a process.

use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use quarterdeck_actors::hub::{End, Reception};
use quarterdeck_actors::probe::stores::Standing;

use crate::state::AppState;
use crate::version::VERSION;

/// Everything that is known now, in the text format of Prometheus.
pub(crate) fn text(app: &AppState) -> Result<String, prometheus::Error> {
    let registry = Registry::new();
    add_build(&registry)?;
    add_actors(&registry, app)?;
    add_checks(&registry, app)?;
    let in_flight = app.traffic.in_flight();
    add_gauge(&registry, "quarterdeck_requests_in_flight", "Requests that are being answered.", in_flight)?;
    let connections = app.db.open_connections();
    add_gauge(&registry, "quarterdeck_database_connections", "Open connections to the database.", connections)?;
    add_audit(&registry, app)?;
    add_sockets(&registry, app)?;
    add_process(&registry)?;
    TextEncoder::new().encode_to_string(&registry.gather())
}

fn add_build(registry: &Registry) -> Result<(), prometheus::Error> {
    let build =
        IntGaugeVec::new(Opts::new("quarterdeck_build_info", "The version that runs; always 1."), &["version"])?;
    build.with_label_values(&[VERSION]).set(1);
    add(registry, build)
}

fn add_actors(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let restarts = Opts::new("quarterdeck_actor_restarts_total", "How often an actor was rebuilt.");
    let restarts = IntCounterVec::new(restarts, &["actor"])?;
    let alive = Opts::new("quarterdeck_actor_alive", "Whether an actor takes messages now.");
    let alive = IntGaugeVec::new(alive, &["actor"])?;
    for vitals in app.vitals() {
        restarts.with_label_values(&[vitals.name]).inc_by(vitals.restarts());
        alive.with_label_values(&[vitals.name]).set(vitals.is_alive().into());
    }
    add(registry, restarts)?;
    add(registry, alive)
}

fn add_checks(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let healthy = Opts::new("quarterdeck_health_check_ok", "Whether the last check of a dependency passed.");
    let healthy = IntGaugeVec::new(healthy, &["check"])?;
    let age = Opts::new("quarterdeck_health_check_age_seconds", "Time since the last check of a dependency ended.");
    let age = GaugeVec::new(age, &["check"])?;
    for outcome in app.health.current().iter() {
        healthy.with_label_values(&[outcome.name]).set(outcome.is_ok().into());
        age.with_label_values(&[outcome.name]).set(outcome.at.elapsed().as_secs_f64());
    }
    let in_service = Opts::new(
        "quarterdeck_storage_settings_in_service",
        "Whether the saved settings of a store are in service; if not, the earlier ones are.",
    );
    let in_service = IntGaugeVec::new(in_service, &["store"])?;
    for (store, standing) in app.files.current().standings() {
        in_service.with_label_values(&[store.name()]).set((standing == Standing::InService).into());
    }
    add(registry, healthy)?;
    add(registry, in_service)?;
    add(registry, age)
}

fn add_audit(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let waiting = app.audit.waiting();
    add_gauge(registry, "quarterdeck_audit_waiting", "Audit records that are not stored yet.", waiting)?;
    let lost = IntCounter::new("quarterdeck_audit_lost_total", "Audit records that there was no room for.")?;
    lost.inc_by(app.audit.lost());
    add(registry, lost)
}

fn add_sockets(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let counts = app.hub.counts();
    let gauges = [
        ("quarterdeck_sockets_open", "Open WebSockets, authenticated or not.", load(&counts.sockets)),
        ("quarterdeck_socket_connections", "Known connections, with or without a socket.", load(&counts.connections)),
        ("quarterdeck_socket_held_bytes", "Bytes of events that wait or can be sent again.", app.hub.held_bytes()),
    ];
    for (name, help, value) in gauges {
        add_gauge(registry, name, help, value)?;
    }
    let counters = [
        ("quarterdeck_sockets_refused_total", "WebSockets refused because there were too many.", &counts.refused),
        ("quarterdeck_socket_events_total", "Events published.", &counts.events),
        ("quarterdeck_socket_deliveries_total", "Events put into a connection's queue.", &counts.deliveries),
        ("quarterdeck_socket_spared_total", "Events that a slow connection was spared.", &counts.spared),
        ("quarterdeck_socket_lost_total", "Events that a hub did not take.", &counts.lost),
    ];
    for (name, help, value) in counters {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value.load(Ordering::Relaxed));
        add(registry, counter)?;
    }
    let receptions = Opts::new("quarterdeck_socket_receptions_total", "How clients were received that connected.");
    let receptions = IntCounterVec::new(receptions, &["outcome"])?;
    for reception in Reception::ALL {
        receptions.with_label_values(&[reception.name()]).inc_by(counts.received(reception));
    }
    let ends = Opts::new("quarterdeck_socket_ends_total", "Connections that the server ended.");
    let ends = IntCounterVec::new(ends, &["reason"])?;
    for end in End::ALL {
        ends.with_label_values(&[end.name()]).inc_by(counts.ended(end));
    }
    let breaks =
        Opts::new("quarterdeck_socket_breaks_total", "Why connections ended before, as clients say on return.");
    let breaks = IntCounterVec::new(breaks, &["code"])?;
    for (code, count) in counts.breaks() {
        breaks.with_label_values(&[&code.to_string()]).inc_by(count);
    }
    add(registry, receptions)?;
    add(registry, breaks)?;
    add(registry, ends)
}

fn load(count: &AtomicUsize) -> usize {
    count.load(Ordering::Relaxed)
}

/// The usual names for a process; what the system does not tell is left out.
fn add_process(registry: &Registry) -> Result<(), prometheus::Error> {
    if let Some(bytes) = resident_bytes() {
        add_gauge(registry, "process_resident_memory_bytes", "Resident memory size in bytes.", bytes)?;
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        add_gauge(registry, "process_open_fds", "Number of open file descriptors.", open.count())?;
    }
    Ok(())
}

fn resident_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn add_gauge(registry: &Registry, name: &str, help: &str, value: usize) -> Result<(), prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    add(registry, gauge)
}

fn add(registry: &Registry, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
    registry.register(Box::new(collector))
}
