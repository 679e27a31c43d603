//! Health routes for clients, Kubernetes and people. They do no I/O, except that a ping with `device_id` calls the push
//! proxy.

use std::collections::HashSet;
use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{AGE, CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::web::Data;
use quarterdeck_actors::cluster::ClusterHandle;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::health::Outcome;
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::probe::stores::SettingsState;

use crate::base::time_zone;
use crate::domain::audit::verification::State;
use crate::domain::session::Session;
use crate::outbound::push;
use crate::web::answer::{Answer, JSON, Json};
use crate::web::prepared::{Health, Ping};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const PING: Operation = Description::new(Tag::System, "GetPing", "Tells if the server is healthy.")
    .details(
        "Answers from the last health check, without a call to a database or a file store. With \
         `get_server_status=true`, the headers `status`, `database_status`, `filestore_status` \
         and `Age` (seconds since the oldest check) are added.",
    )
    .queries(&[
        Query::optional(
            "get_server_status",
            Type::Boolean,
            "Adds the state of the database and of the file store, as of the last check.",
        ),
        Query::optional(
            "device_id",
            Type::String,
            "A device, as `platform:token`. Adds if push notifications reach it.",
        ),
        Query::optional(
            "use_rest_semantics",
            Type::Boolean,
            "Answers 200 even if the server is unhealthy; the body tells the difference.",
        ),
    ])
    .responses(&[
        Response::json(200, Type::of::<Ping<'_>>(), "The status of the server."),
        Response::json(500, Type::of::<Ping<'_>>(), "The server is unhealthy."),
    ])
    .handled_by(handler!(ping));

/// `GET /system/ping`: returns the health of the server. With `get_server_status=true`, adds the last results of the
/// checks of its dependencies.
pub(super) async fn ping(
    request: Request,
    session: Option<Session>,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let is_crowded = is_crowded(&request, &app);
    if !is_crowded && !request.has_queries() {
        let body = app.prepared.current(&app.actors.config).ping.clone();
        return Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(body));
    }
    let wants_details = request.is_literally_true("get_server_status");
    let outcomes = wants_details.then(|| app.actors.health.current());
    let (database, filestore) =
        (status_of("database", outcomes.as_deref()), status_of("filestore", outcomes.as_deref()));
    let is_healthy = !is_crowded && [database, filestore].iter().all(|status| *status != Some(Health::Unhealthy));
    let status = Health::of(is_healthy);
    let sees_root = wants_details && session.is_some_and(|session| session.may("manage_system"));
    let can_receive_notifications = can_receive(&request, &app).await;
    let is_root = sees_root.then(is_root);
    let ping = Ping { can_receive_notifications, database, filestore, is_root, status, ..Ping::of(request.config()) };
    let is_success = is_healthy || request.is_literally_true("use_rest_semantics");
    let code = if is_success { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let body = to_json(&ping).or_fail("api.marshal_error")?;
    let mut answer = HttpResponse::build(code).insert_header((CONTENT_TYPE, JSON)).body(body);
    if let (Some(database), Some(filestore), Some(outcomes)) = (database, filestore, outcomes) {
        let headers = answer.headers_mut();
        headers.insert(HeaderName::from_static("status"), HeaderValue::from_static(status.name()));
        headers.insert(HeaderName::from_static("database_status"), HeaderValue::from_static(database.name()));
        headers.insert(HeaderName::from_static("filestore_status"), HeaderValue::from_static(filestore.name()));
        headers.insert(AGE, HeaderValue::from(age_s(&outcomes)));
    }
    Ok(answer)
}

/// Returns true if more requests are in flight than `GoroutineHealthThreshold` allows.
fn is_crowded(request: &Request, app: &AppState) -> bool {
    let limit = usize::try_from(request.config().view.service.goroutine_health_threshold).unwrap_or(0);
    limit > 0 && app.limits.traffic.in_flight() >= limit
}

fn status_of(name: &str, outcomes: Option<&Vec<Outcome>>) -> Option<Health> {
    let outcome = outcomes?.iter().find(|outcome| outcome.name == name);
    Some(Health::of(outcome.is_some_and(Outcome::is_ok)))
}

/// Tells if the device in the query can receive push notifications; `None` if the query names no device.
async fn can_receive(request: &Request, app: &AppState) -> Option<&'static str> {
    let device = request.query("device_id")?;
    let view = &request.config().view;
    if !push::is_available(&view.email, app.actors.license.current().as_deref()) {
        return Some("false");
    }
    let tested = request.while_awaited(app.outside.push.test(app.prepared.diagnostic_id(), &device, view)).await;
    Some(tested.unwrap_or("unknown"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(super) const TIMEZONES: Operation =
    Description::new(Tag::System, "GetSupportedTimezone", "Lists the names of the time zones that a client can offer.")
        .responses(&[Response::json(200, Type::List(&Type::String), "The names, in byte order.")])
        .handled_by(handler!(timezones));

/// `GET /system/timezones`: lists the time zones that a client may offer.
pub(super) async fn timezones(_: Session) -> Answer<Vec<&'static str>> {
    Ok(Json(time_zone::names().collect()))
}

pub(super) const LIVE: Operation = Description::new(Tag::System, "GetLiveness", "Tells if the process responds.")
    .responses(&[Response::media(200, "text/plain", "`ok`.")])
    .handled_by(handler!(live));

/// `GET /livez`: answers while the process runs. Reads no state.
pub(super) async fn live() -> HttpResponse {
    plain(StatusCode::OK, "ok".to_owned())
}

pub(super) const STARTED: Operation = Description::new(Tag::System, "GetStartup", "Tells if the server has started.")
    .responses(&[Response::media(200, "text/plain", "`ok`.")])
    .handled_by(handler!(started));

/// `GET /startupz`: always ok, because the listeners open only after the start is complete.
pub(super) async fn started() -> HttpResponse {
    plain(StatusCode::OK, "ok".to_owned())
}

pub(super) const READY: Operation =
    Description::new(Tag::System, "GetReadiness", "Tells if the server can serve requests.")
        .queries(&[
            Query::optional("verbose", Type::String, "Lists each check."),
            Query::optional("exclude", Type::String, "The name of a check to skip; can be given more than once."),
        ])
        .responses(&[
            Response::media(200, "text/plain", "The server is ready."),
            Response::media(503, "text/plain", "The server is not ready; each check is listed."),
        ])
        .handled_by(handler!(ready));

/// `GET /readyz`: tells if the server can serve requests. `?verbose` lists each check, `?exclude=` leaves one out.
pub(super) async fn ready(request: Request, app: Data<AppState>) -> HttpResponse {
    let excluded: HashSet<String> = request.queries("exclude").into_iter().collect();
    let checks: Vec<Readiness> = readiness(&app).into_iter().filter(|check| !excluded.contains(&check.name)).collect();
    let is_ready = checks.iter().all(|check| check.problem.is_none() || !check.is_vital);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let wants_details = !is_ready || request.has_query("verbose");
    if !wants_details {
        return plain(status, "ok".to_owned());
    }
    let mut text: String = checks.iter().map(Readiness::line).collect();
    text.push_str(if is_ready { "readyz check passed\n" } else { "readyz check failed\n" });
    plain(status, text)
}

struct Readiness {
    name: String,
    /// True if a failure takes the server out of traffic. Other failures are only shown.
    is_vital: bool,
    problem: Option<&'static str>,
    age_s: Option<u64>,
}

impl Readiness {
    // The cause is only logged, because anyone can read this page.
    fn line(&self) -> String {
        let age = self.age_s.map(|age_s| format!(" ({age_s} s ago)")).unwrap_or_default();
        match self.problem {
            None => format!("[+]{} ok{age}\n", self.name),
            Some(problem) if self.is_vital => format!("[-]{} failed: {problem}{age}\n", self.name),
            Some(problem) => format!("[!]{} degraded: {problem}{age}\n", self.name),
        }
    }
}

/// Returns the names of the checks that fail and take the server out of traffic.
pub(super) fn failing_checks(app: &AppState) -> Vec<String> {
    readiness(app)
        .into_iter()
        .filter(|check| check.is_vital && check.problem.is_some())
        .map(|check| check.name)
        .collect()
}

/// The time without a heartbeat of another server from which it counts as late, in ms: two heartbeats are missing.
const LATE_AFTER_MS: i64 = 5_000;

/// The number of messages that another server may not have applied yet.
const MAX_LAG: i64 = 1_000;

/// Returns a check for each other server in the list that is late. It takes no server out of traffic.
fn lagging(cluster: &ClusterHandle) -> Vec<Readiness> {
    let nodes = cluster.nodes();
    let last = nodes.living.iter().map(|node| node.position).max().unwrap_or_default();
    let others = nodes.living.iter().filter(|node| node.facts.id != cluster.own().id);
    let late = others.filter_map(|node| {
        let problem = match node {
            _ if node.silent_ms >= LATE_AFTER_MS => "no heartbeat for 5 s or longer",
            _ if last - node.position > MAX_LAG => "more than 1,000 messages behind",
            _ => return None,
        };
        let name = format!("server-{}", node.facts.name.replace(|character: char| !character.is_ascii_graphic(), "?"));
        Some(Readiness { name, is_vital: false, problem: Some(problem), age_s: None })
    });
    late.collect()
}

fn readiness(app: &AppState) -> Vec<Readiness> {
    let stopping = app.limits.traffic.is_draining().then_some("the server is stopping");
    let mut checks = vec![Readiness { name: "shutdown".to_owned(), is_vital: true, problem: stopping, age_s: None }];
    checks.extend(app.actors.health.current().iter().map(|outcome| Readiness {
        name: outcome.name.to_owned(),
        is_vital: outcome.is_vital,
        problem: (!outcome.is_ok()).then_some("see the log"),
        age_s: Some(outcome.at.elapsed().as_secs()),
    }));
    checks.extend(lagging(&app.actors.cluster));
    // A trail of which nothing is known yet is neither in order nor damaged.
    checks.extend(app.trail.verification.outcome().map(|(state, age)| Readiness {
        name: "audit-trail".to_owned(),
        is_vital: false,
        problem: (state != State::Intact).then_some("see the log"),
        age_s: Some(age.as_secs()),
    }));
    checks.extend(app.actors.files.current().states().into_iter().map(|(store, state)| {
        Readiness {
            name: format!("storage-settings-{}", store.name()),
            is_vital: false,
            problem: matches!(state, SettingsState::Refused(_))
                .then_some("the saved settings do not work; the earlier settings are in use"),
            age_s: None,
        }
    }));
    checks.extend(app.vitals().iter().map(|vitals| Readiness {
        name: format!("actor-{}", vitals.name),
        is_vital: true,
        problem: match (vitals.is_alive(), vitals.is_stuck()) {
            (false, _) => Some("restarting"),
            (true, true) => Some("does not answer"),
            (true, false) => None,
        },
        age_s: None,
    }));
    checks
}

fn plain(status: StatusCode, text: String) -> HttpResponse {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    HttpResponse::build(status).insert_header((CONTENT_TYPE, plain)).body(text)
}

/// Returns the age of the oldest outcome, in seconds.
fn age_s(outcomes: &[Outcome]) -> u64 {
    let oldest = outcomes.iter().map(|outcome| outcome.at).min();
    oldest.map_or(0, |at: Instant| at.elapsed().as_secs())
}
