//! The metrics that are read from the parts of the server when `/metrics` is requested.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use quarterdeck_actors::cluster::RedisFigures;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::{End, JoinOutcome};
use quarterdeck_actors::probe::stores::SettingsState;
use quarterdeck_actors::task;

use crate::base::version::VERSION;
use crate::store::PoolStatus;
use crate::web::state::AppState;

/// Returns all metrics in the text format of Prometheus.
pub(crate) fn show(app: &AppState) -> Result<HttpResponse, AppError> {
    let text = text(app).or_fail("app.metrics.app_error")?;
    let format = HeaderValue::from_static(prometheus::TEXT_FORMAT);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, format)).body(text))
}

fn text(app: &AppState) -> Result<String, prometheus::Error> {
    let mut families = app.metrics.gather();
    families.extend(read(app)?.gather());
    TextEncoder::new().encode_to_string(&families)
}

/// Returns a registry with the current values.
fn read(app: &AppState) -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    add_build(&registry)?;
    add_license(&registry, app)?;
    add_actors(&registry, app)?;
    add_tasks(&registry)?;
    add_checks(&registry, app)?;
    let in_flight = app.limits.traffic.in_flight();
    add_gauge(&registry, "quarterdeck_requests_in_flight", "Requests that are being answered.", in_flight)?;
    add_responses(&registry, app)?;
    add_passwords(&registry, app)?;
    add_pool(&registry, app)?;
    add_audit(&registry, app)?;
    add_sockets(&registry, app)?;
    add_connections(&registry, app)?;
    add_cluster(&registry, app)?;
    Ok(registry)
}

fn add_build(registry: &Registry) -> Result<(), prometheus::Error> {
    let build = IntGaugeVec::new(
        Opts::new("quarterdeck_build_info", "The running version, as a label; always 1."),
        &["version"],
    )?;
    build.with_label_values(&[VERSION]).set(1);
    add(registry, build)
}

fn add_license(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let expires = IntGauge::new(
        "quarterdeck_license_expires_timestamp_seconds",
        "When the licence in force expires, as Unix time in seconds; 0 without a licence.",
    )?;
    expires.set(app.actors.license.current().map_or(0, |license| license.expires_at / 1000));
    add(registry, expires)
}

fn add_actors(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let restarts = Opts::new("quarterdeck_actor_restarts_total", "Restarts of an actor.");
    let restarts = IntCounterVec::new(restarts, &["actor"])?;
    let alive = Opts::new("quarterdeck_actor_alive", "1 while an actor accepts messages, otherwise 0.");
    let alive = IntGaugeVec::new(alive, &["actor"])?;
    let waiting = Opts::new(
        "quarterdeck_actor_mailbox_messages",
        "Messages to an actor that wait in its mailbox or are being handled.",
    );
    let waiting = IntGaugeVec::new(waiting, &["actor"])?;
    let failed = Opts::new(
        "quarterdeck_actor_messages_failed_total",
        "Messages without an answer, because the actor ended or the deadline passed.",
    );
    let failed = IntCounterVec::new(failed, &["actor"])?;
    let silence = Opts::new(
        "quarterdeck_actor_silence_seconds",
        "Seconds since an actor last took a turn or answered; above 10 it counts as not answering.",
    );
    let silence = GaugeVec::new(silence, &["actor"])?;
    for vitals in app.vitals() {
        silence.with_label_values(&[vitals.name]).set(vitals.silence().as_secs_f64());
        waiting.with_label_values(&[vitals.name]).set(as_gauge(vitals.waiting()));
        failed.with_label_values(&[vitals.name]).inc_by(vitals.failed());
        restarts.with_label_values(&[vitals.name]).inc_by(vitals.restarts());
        alive.with_label_values(&[vitals.name]).set(vitals.is_alive().into());
    }
    add(registry, waiting)?;
    add(registry, silence)?;
    add(registry, failed)?;
    add(registry, restarts)?;
    add(registry, alive)
}

fn add_tasks(registry: &Registry) -> Result<(), prometheus::Error> {
    let panics = Opts::new("quarterdeck_task_panics_total", "How often a background task panicked.");
    let panics = IntCounterVec::new(panics, &["task"])?;
    for (name, count) in task::panics() {
        panics.with_label_values(&[name]).inc_by(count);
    }
    add(registry, panics)
}

fn add_responses(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let held = app.limits.sending.budget.held_bytes();
    add_gauge(registry, "quarterdeck_response_held_bytes", "Bytes of large responses that are not sent yet.", held)?;
    let text = "Responses refused, because too many large responses were unread.";
    let refused = IntCounter::new("quarterdeck_responses_refused_total", text)?;
    refused.inc_by(app.limits.sending.refused.load(Ordering::Relaxed));
    add(registry, refused)
}

fn add_passwords(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let queued = app.accounts.passwords.queued();
    let help = "Requests that hash a password, or wait for their turn to do so.";
    add_gauge(registry, "quarterdeck_password_queue_requests", help, queued)?;
    let limit = app.facts.options.password_queue;
    add_gauge(registry, "quarterdeck_password_queue_limit", "Maximum number of such requests.", limit)
}

fn add_pool(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let PoolStatus { max, open, idle, waiting } = app.db.pool();
    add_gauge(registry, "mattermost_db_master_connections_total", "Open connections to the database.", open)?;
    add_gauge(
        registry,
        "quarterdeck_database_connections_idle",
        "Open connections to the database that are idle.",
        idle,
    )?;
    add_gauge(registry, "quarterdeck_database_connections_most", "Maximum number of connections.", max)?;
    add_gauge(registry, "quarterdeck_database_waiting", "Requests that wait for a database connection.", waiting)
}

fn add_checks(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let healthy = Opts::new("quarterdeck_health_check_ok", "1 if the last check of a dependency passed, otherwise 0.");
    let healthy = IntGaugeVec::new(healthy, &["check"])?;
    let age = Opts::new("quarterdeck_health_check_age_seconds", "Seconds since the last check of a dependency ended.");
    let age = GaugeVec::new(age, &["check"])?;
    let took = Opts::new("quarterdeck_health_check_seconds", "Seconds that the last check of a dependency took.");
    let took = GaugeVec::new(took, &["check"])?;
    for outcome in app.actors.health.current().iter() {
        took.with_label_values(&[outcome.name]).set(outcome.took.as_secs_f64());
        healthy.with_label_values(&[outcome.name]).set(outcome.is_ok().into());
        age.with_label_values(&[outcome.name]).set(outcome.at.elapsed().as_secs_f64());
    }
    let in_service = Opts::new(
        "quarterdeck_storage_settings_in_service",
        "1 if the saved settings of a store are in use, 0 while the earlier settings are.",
    );
    let in_service = IntGaugeVec::new(in_service, &["store"])?;
    for (store, state) in app.actors.files.current().states() {
        in_service.with_label_values(&[store.name()]).set((state == SettingsState::InService).into());
    }
    add(registry, healthy)?;
    add(registry, in_service)?;
    add(registry, took)?;
    add(registry, age)
}

fn add_audit(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let waiting = app.trail.audit.waiting();
    add_gauge(registry, "quarterdeck_audit_waiting", "Audit records that are not stored yet.", waiting)?;
    let lost = IntCounter::new("quarterdeck_audit_lost_total", "Audit records lost, because the queue was full.")?;
    lost.inc_by(app.trail.audit.lost());
    add(registry, lost)?;
    let refused =
        IntCounter::new("quarterdeck_audit_refused_total", "Changes refused, because the audit queue was full.")?;
    refused.inc_by(app.trail.audit.refused());
    add(registry, refused)?;
    let counted =
        Opts::new("quarterdeck_audit_counted_total", "Refusals that were counted instead of recorded one by one.");
    let counted = IntCounterVec::new(counted, &["callers"])?;
    counted.with_label_values(&["strangers"]).inc_by(app.trail.unauthenticated.counted());
    counted.with_label_values(&["users"]).inc_by(app.trail.refusals.counted());
    add(registry, counted)?;
    let used =
        Opts::new("quarterdeck_audit_room_used_bytes", "Bytes reserved for audit records that are not stored yet.");
    let used = IntGaugeVec::new(used, &["room"])?;
    let bound = Opts::new(
        "quarterdeck_audit_room_bytes",
        "Maximum number of bytes that audit records may reserve in a part of the queue.",
    );
    let bound = IntGaugeVec::new(bound, &["room"])?;
    for (name, used_kib, room_kib) in app.trail.audit.rooms() {
        used.with_label_values(&[name]).set(i64::from(used_kib) * 1024);
        bound.with_label_values(&[name]).set(i64::from(room_kib) * 1024);
    }
    add(registry, used)?;
    add(registry, bound)
}

fn add_sockets(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let counts = app.actors.hub.counts();
    let gauges = [
        (
            "mattermost_http_websockets_total",
            "Open WebSockets, with and without authentication.",
            load(&counts.sockets),
        ),
        (
            "quarterdeck_socket_connections",
            "WebSocket connections, including those that wait to be resumed.",
            load(&counts.connections),
        ),
        (
            "quarterdeck_socket_held_bytes",
            "Bytes of events that are queued or kept for a resume.",
            app.actors.hub.held_bytes(),
        ),
    ];
    for (name, help, value) in gauges {
        add_gauge(registry, name, help, value)?;
    }
    let counters = [
        (
            "quarterdeck_sockets_refused_total",
            "WebSockets refused, because a connection limit was reached.",
            &counts.refused,
        ),
        ("quarterdeck_socket_deliveries_total", "Events put into a connection's queue.", &counts.deliveries),
        ("quarterdeck_socket_spared_total", "Events that were not queued for slow connections.", &counts.spared),
        ("quarterdeck_socket_lost_total", "Events that a hub did not accept.", &counts.lost),
    ];
    for (name, help, value) in counters {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(value.load(Ordering::Relaxed));
        add(registry, counter)?;
    }
    let receptions =
        Opts::new("quarterdeck_socket_receptions_total", "WebSocket connections accepted, by outcome of the resume.");
    let receptions = IntCounterVec::new(receptions, &["outcome"])?;
    for outcome in JoinOutcome::ALL {
        receptions.with_label_values(&[outcome.name()]).inc_by(counts.joined_with(outcome));
    }
    let ends = Opts::new("quarterdeck_socket_ends_total", "WebSocket connections that the server ended.");
    let ends = IntCounterVec::new(ends, &["reason"])?;
    for end in End::ALL {
        ends.with_label_values(&[end.name()]).inc_by(counts.ended(end));
    }
    let breaks = Opts::new(
        "quarterdeck_socket_breaks_total",
        "Earlier WebSocket connections that ended, by the code that clients report when they reconnect.",
    );
    let breaks = IntCounterVec::new(breaks, &["code"])?;
    for (code, count) in counts.breaks() {
        breaks.with_label_values(&[&code.to_string()]).inc_by(count);
    }
    let broadcasts = Opts::new("mattermost_websocket_broadcasts_total", "Events published on WebSockets.");
    let broadcasts = IntCounterVec::new(broadcasts, &["name"])?;
    for (name, count) in counts.events() {
        broadcasts.with_label_values(&[name]).inc_by(count);
    }
    add(registry, broadcasts)?;
    add(registry, receptions)?;
    add(registry, breaks)?;
    add(registry, ends)
}

fn add_connections(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let (open, limit) = (app.limits.connections.open(), app.limits.connections.limit());
    add_gauge(registry, "quarterdeck_connections_open", "Open client connections.", open)?;
    add_gauge(registry, "quarterdeck_connections_limit", "Maximum number of connections.", limit)?;
    let help = "Connections, and requests through a trusted proxy, that were refused because of a connection limit.";
    let refused = IntCounterVec::new(Opts::new("quarterdeck_connections_refused_total", help), &["limit"])?;
    for (limit, count) in app.limits.connections.refused() {
        refused.with_label_values(&[limit]).inc_by(count);
    }
    add(registry, refused)?;
    let help = "Idle connections closed to make room for new connections.";
    let made_room = IntCounter::new("quarterdeck_connections_made_room_total", help)?;
    made_room.inc_by(app.limits.connections.made_room());
    add(registry, made_room)?;
    add_gauge(registry, "quarterdeck_body_bytes", "Bytes of request bodies in memory.", app.limits.bodies.held())?;
    let help = "Request bodies refused, because memory was short or they arrived too slowly.";
    let refused = IntCounterVec::new(Opts::new("quarterdeck_bodies_refused_total", help), &["reason"])?;
    for (reason, count) in app.limits.bodies.refused() {
        refused.with_label_values(&[reason]).inc_by(count);
    }
    add(registry, refused)
}

/// Adds the figures of the bus, which only servers on a shared database have.
fn add_cluster(registry: &Registry, app: &AppState) -> Result<(), prometheus::Error> {
    let cluster = &app.actors.cluster;
    if !cluster.is_shared() {
        return Ok(());
    }
    let (figures, nodes) = (cluster.figures(), cluster.nodes());
    let name = "quarterdeck_cluster_nodes";
    add_gauge(registry, name, "Servers on this database with a recent heartbeat.", nodes.living.len())?;
    let silence =
        Gauge::new("quarterdeck_cluster_silence_seconds", "Time since this server knew all messages of the others.")?;
    silence.set(Duration::from_millis(u64::try_from(figures.silence_ms).unwrap_or_default()).as_secs_f64());
    add(registry, silence)?;
    let name = "quarterdeck_cluster_waiting";
    add_gauge(registry, name, "Messages of this server that are not published yet.", figures.waiting)?;
    for (name, help, count) in [
        ("quarterdeck_cluster_received_total", "Messages applied, own ones included.", figures.received),
        ("quarterdeck_cluster_published_total", "Messages published by this server.", figures.published),
        ("quarterdeck_cluster_lost_total", "Messages of this server that could not be published.", figures.lost),
    ] {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(count);
        add(registry, counter)?;
    }
    let opts = Opts::new("quarterdeck_cluster_lag", "Messages that a server had not applied at its last heartbeat.");
    let lag = IntGaugeVec::new(opts, &["node"])?;
    let last = nodes.living.iter().map(|node| node.position).max().unwrap_or_default();
    for node in &nodes.living {
        lag.with_label_values(&[&node.facts.name]).set(last.saturating_sub(node.position));
    }
    add(registry, lag)?;
    cluster.redis().map_or(Ok(()), |figures| add_redis(registry, &figures))
}

/// Adds the figures of Redis, which only servers have that are to use it.
fn add_redis(registry: &Registry, figures: &RedisFigures) -> Result<(), prometheus::Error> {
    let help = "1 while the events of this server go to Redis.";
    add_gauge(registry, "quarterdeck_redis_in_use", help, usize::from(figures.is_used))?;
    let help = "Batches of messages that this server published, by the place of their content.";
    let batches = IntCounterVec::new(Opts::new("quarterdeck_redis_batches_total", help), &["place"])?;
    for (place, count) in [("redis", figures.batches), ("database", figures.batches_in_rows)] {
        batches.with_label_values(&[place]).inc_by(count);
    }
    add(registry, batches)?;
    for (name, help, count) in [
        ("quarterdeck_redis_failures_total", "Failures after which Redis was left alone.", figures.failures),
        (
            "quarterdeck_redis_losses_total",
            "Times that this run of Redis did not have entries any more that it had accepted.",
            figures.losses,
        ),
    ] {
        let counter = IntCounter::new(name, help)?;
        counter.inc_by(count);
        add(registry, counter)?;
    }
    Ok(())
}

fn load(count: &AtomicUsize) -> usize {
    count.load(Ordering::Relaxed)
}

fn add_gauge(registry: &Registry, name: &str, help: &str, value: usize) -> Result<(), prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(as_gauge(value));
    add(registry, gauge)
}

fn as_gauge(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn add(registry: &Registry, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
    registry.register(Box::new(collector))
}
