//! Routes that restart this server, or the servers on its database one after the other.

pub(crate) mod nodes;
mod progress;
pub(crate) mod rolling;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::cluster::Others;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::upgrade::Stage;

use crate::base::version::VERSION;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::settings::options::Options;
use crate::store::Rollout;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::routes::upgrade::{is_running, last as last_upgrade, upgraded};
use crate::web::state::AppState;
use progress::Progress;
use rolling::Rolling;

const READ_FAILED: &str = "app.cluster.read.app_error";

/// The time within which each server has to be back: the default without the stop, the minimum and the maximum, in seconds.
const WITHIN_S: (u64, u64, u64) = (180, 10, 3600);

pub(super) const RESTART: Operation = Description::new(
    Tag::System,
    "RestartServer",
    "Restarts the server after a completed upgrade, or servers on its database one after the other.",
)
.details(
    "Needs the permission `manage_system`. Requests in flight are answered first, and sockets are told of the restart. \
     Without parameters, the servers with a completed upgrade restart, one after the other; without one, nothing happens. \
     While other servers on its database restart, such a restart is refused. \
     The parameters are an extension: with one of `server` and `servers`, each of these servers restarts, with or \
     without an upgrade, and the next one only after the one before is ready again. The server that gets the request \
     comes last. If a server is not back in time, no further one restarts. The response comes before the first \
     restart, and `GET restart` tells the progress.",
)
.queries(&[
    Query::optional("server", Type::String, "The name of a server, as `cluster/status` lists it."),
    Query::optional("servers", Type::String, "`all`: every server on the database."),
    Query::optional(
        "within",
        Type::Integer,
        "The time in seconds within which each server has to be back, from 10 to 3,600. The default is 180, \
         `DrainSeconds` and `StopSeconds` together.",
    ),
])
.responses(&[Response::json(200, STATUS_OK, "Accepted.")])
.refusals(&[400, 403, 404, 409, 500])
.handled_by(handler!(restart));

/// `POST /restart`: restarts the servers with a program that an upgrade installed, and does nothing without an upgrade. With
/// parameters, restarts the named servers one after the other.
pub(super) async fn restart(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    session.require("manage_system")?;
    let wanted = Wanted::of(request.query("server"), request.query("servers").as_deref())?;
    let within = within(request.query("within"), &app.facts.options)?;
    if let Some(wanted) = wanted {
        if wanted == Wanted::All {
            into_one_version(&app, &upgraded(&app).await?).await?;
        }
        let names = begin(app, wanted, within).await?;
        audit.parameter("servers", names);
        return Ok(Done);
    }
    let upgraded = upgraded(&app).await?;
    let Some(version) = upgraded.values().next().cloned() else { return Ok(Done) };
    into_one_version(&app, &upgraded).await?;
    let names = begin(app, Wanted::Runs(upgraded.into_keys().collect()), within).await?;
    audit.parameter("version", version);
    if names.len() > 1 {
        audit.parameter("servers", names);
    }
    Ok(Done)
}

/// Fails if a restart of those with a new program in place would leave the servers with different versions: the first one
/// that starts may bring the schema to a form in which the older program does not start.
async fn into_one_version(app: &AppState, upgraded: &BTreeMap<String, String>) -> Result<(), AppError> {
    if upgraded.is_empty() {
        return Ok(());
    }
    let others = app.actors.cluster.others().await.nodes;
    let running = others.iter().map(|node| (&*node.id, &*node.version));
    let own = app.node().0;
    let running = running.chain([(&*own, VERSION)]);
    one_version(running.map(|(id, version)| upgraded.get(id).map_or(version, String::as_str)))
}

/// Fails if servers would run different versions after their restart.
fn one_version<'a>(versions: impl Iterator<Item = &'a str>) -> Result<(), AppError> {
    let versions: BTreeSet<&str> = versions.collect();
    if versions.len() < 2 {
        return Ok(());
    }
    let named = versions.into_iter().collect::<Vec<_>>().join(", ");
    Err(AppError::new("app.restart.mixed_versions.app_error").with("Versions", named))
}

/// Begins the restart of servers, and returns their names. Where servers share a database, one restart is under way at a
/// time, also if it is that of one server into its upgrade.
async fn begin(app: Data<AppState>, wanted: Wanted, within: Duration) -> Result<Vec<String>, AppError> {
    let others = app.actors.cluster.others().await;
    if !others.is_current {
        return Err(AppError::new(READ_FAILED));
    }
    let own = if app.db.is_shared() { others.own.clone() } else { app.node().1 };
    let names = wanted.among(&others, (&app.node().0, &own))?;
    let is_upgrading = last_upgrade(&app).await?.is_some_and(|stored| is_running(&stored));
    if is_upgrading || names.contains(&own) && matches!(app.actors.upgrade.stage(), Stage::InProgress(_)) {
        return Err(AppError::new("app.restart.upgrading.app_error"));
    }
    if app.db.is_shared() {
        Rolling::begin(app, own, names.clone(), within).await?;
    } else {
        app.tools.restart.notify_one();
    }
    Ok(names)
}

pub(super) const SHOW: Operation = Description::new(
    Tag::System,
    "GetRestart",
    "Tells the progress of the last restart of servers on the database, one after the other.",
)
.details("An extension of the API. Needs the permission `manage_system`. Every server on the database tells the same.")
.responses(&[Response::json(200, Type::of::<Progress>(), "The progress.")])
.refusals(&[403, 500])
.handled_by(handler!(show));

/// `GET /restart`: returns the progress of the last restart of several servers.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Progress> {
    session.require("manage_system")?;
    if !app.db.is_shared() {
        return Ok(Json(Progress::default()));
    }
    let stored = app.db.rollout(Rollout::Restart).await.or_fail(READ_FAILED)?;
    Ok(Json(stored.as_ref().map(Progress::of).unwrap_or_default()))
}

/// The servers that are to restart.
#[derive(Debug, PartialEq)]
enum Wanted {
    All,
    One(String),
    /// Those with these ids of their runs.
    Runs(HashSet<String>),
}

impl Wanted {
    /// Reads the parameters; `None` without any.
    fn of(server: Option<String>, servers: Option<&str>) -> Result<Option<Self>, AppError> {
        match (server, servers) {
            (None, None) => Ok(None),
            (Some(name), None) => Ok(Some(Self::One(name))),
            (None, Some("all")) => Ok(Some(Self::All)),
            (_, Some(_)) => Err(AppError::invalid_url("servers must be all, without server")),
        }
    }

    /// Returns the names of the servers, this one last. `own` is the id and the name of this one.
    fn among(self, others: &Others, own: (&str, &str)) -> Result<Vec<String>, AppError> {
        let mut nodes = others.nodes.iter().map(|node| (&*node.id, &*node.name)).chain([own]);
        match self {
            Self::All => Ok(nodes.map(|(_, name)| name.to_owned()).collect()),
            Self::Runs(ids) => Ok(nodes.filter(|(id, _)| ids.contains(*id)).map(|(_, name)| name.to_owned()).collect()),
            Self::One(name) if nodes.any(|(_, known)| known == name) => Ok(vec![name]),
            Self::One(_) => Err(AppError::new("app.restart.unknown_server.app_error")),
        }
    }
}

/// Returns the time for each server. The default leaves time for a drain and a stop like those of this server.
fn within(given: Option<String>, options: &Options) -> Result<Duration, AppError> {
    let (default, min, max) = WITHIN_S;
    let Some(given) = given else {
        return Ok(Duration::from_secs(default) + options.drain_window + options.stop_timeout);
    };
    let seconds = given.parse().ok().filter(|seconds| (min..=max).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| AppError::invalid_url("within must be 10 - 3600"))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::cluster::NodeFacts;

    use super::*;

    #[test]
    fn one_server_or_all_of_them_restart_and_this_one_last() {
        let named =
            |name: &str| NodeFacts { id: format!("id of {name}"), name: name.to_owned(), ..NodeFacts::default() };
        let own = ("id of b", "b");
        let others = Others { nodes: vec![named("a"), named("c")], own: "b".to_owned(), is_current: true };
        assert_eq!(Wanted::All.among(&others, own).unwrap(), ["a", "c", "b"]);
        let runs = ["id of b", "id of c", "id of d"].map(str::to_owned);
        assert_eq!(Wanted::Runs(runs.into()).among(&others, own).unwrap(), ["c", "b"]);
        for name in ["a", "b"] {
            assert_eq!(Wanted::One(name.to_owned()).among(&others, own).unwrap(), [name]);
        }
        let refused = Wanted::One("d".to_owned()).among(&others, own).unwrap_err();
        assert_eq!(refused.id, "app.restart.unknown_server.app_error");
    }

    #[test]
    fn servers_restart_into_one_version() {
        one_version(["2.0.0", "2.0.0"].into_iter()).unwrap();
        let refused = one_version(["2.0.1", "2.0.0", "2.0.1"].into_iter()).unwrap_err();
        assert_eq!(refused.id, "app.restart.mixed_versions.app_error");
        assert!(crate::base::error_text::text_of(&refused).contains("2.0.0, 2.0.1"));
    }

    #[test]
    fn parameters_that_contradict_each_other_or_are_out_of_range_are_refused() {
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(Wanted::of(None, None).unwrap(), None);
        assert_eq!(Wanted::of(given("a"), None).unwrap(), Some(Wanted::One("a".to_owned())));
        assert_eq!(Wanted::of(None, Some("all")).unwrap(), Some(Wanted::All));
        for (server, servers) in [(given("a"), Some("all")), (None, Some("some")), (None, Some(""))] {
            assert!(Wanted::of(server, servers).is_err());
        }
        let mut options = Options::default();
        options.drain_window = Duration::from_mins(10);
        assert_eq!(within(None, &options).unwrap(), Duration::from_mins(13) + options.stop_timeout);
        assert_eq!(within(given("3600"), &options).unwrap(), Duration::from_hours(1));
        for refused in ["9", "3601", "-1", "", "x"] {
            assert!(within(given(refused), &options).is_err(), "{refused}");
        }
    }
}
