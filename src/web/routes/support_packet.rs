//! The route that downloads the support packet.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use time::OffsetDateTime;

use super::config::never_cached;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::support_packet::{Database, Live, Source, Wanted, file_name, gather};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const SHOW: Operation = Description::new(
    Tag::System,
    "GenerateSupportPacket",
    "Makes an archive that helps to find a fault. It contains no secrets.",
)
.details(
    "Needs the permission `manage_system`, and an administrator who is not restricted. The \
     server makes at most two at a time.",
)
.queries(&[
    Query::optional("basic_server_logs", Type::Boolean, "`false` leaves the log out."),
    Query::optional(
        "plugin_packets",
        Type::String,
        "The id of a plugin; can be given more than once. This server has no plugins.",
    ),
])
.responses(&[Response::media(200, "application/zip", "The archive, written while it is downloaded.")])
.refusals(&[403, 503])
.handled_by(handler!(show));

/// `GET /system/support_packet`: returns an archive with data for diagnosing a problem, written while the client reads
/// it.
pub(super) async fn show(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("manage_system")?;
    let leaves_logs_out = request.flag("basic_server_logs") == Some(false);
    let wanted = Wanted { with_logs: !leaves_logs_out, plugins: request.queries("plugin_packets") };
    audit.parameter("include_logs", wanted.with_logs);
    audit.parameter("plugin_packets", wanted.noted_plugins());
    let license = app.actors.license.current();
    if app.facts.options.support_packet_needs_license && license.is_none() {
        return Err(AppError::new("api.no_license"));
    }
    let name = file_name(license.as_deref(), OffsetDateTime::now_utc());
    audit.parameter("filename", name.as_str());
    let turn = app.tools.support_packets.turn()?;
    let packet = request.while_awaited(gather(source(&app), wanted)).await?;
    let answer = HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment;filename=\"{name}\"; filename*=UTF-8''{name}")))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((CONTENT_SECURITY_POLICY, "Frame-ancestors 'none'"))
        .streaming(packet.stream(turn, app.limits.traffic.begin()));
    Ok(never_cached(answer))
}

fn source(app: &AppState) -> Source {
    let environment = app.tools.support_packets.environment();
    let mut secrets = environment.secrets();
    secrets.push(app.facts.fingerprint_key.clone());
    let outcomes = app.actors.health.current();
    let filestore = outcomes.iter().find(|outcome| outcome.name == "filestore");
    Source {
        config: app.actors.config.current(),
        database: Database::Ready(Box::new(app.db.clone())),
        faults: Vec::new(),
        secrets_are_known: true,
        license: app.actors.license.current(),
        store: app.facts.versions.file_name(),
        hostname: app.facts.hostname.clone(),
        installation: environment.installation(),
        secrets,
        live: Some(Live {
            sockets: app.actors.hub.counts().sockets.load(Ordering::Relaxed),
            database_connections: app.db.pool().open,
            file_problem: filestore.and_then(|outcome| outcome.problem.clone()),
        }),
    }
}
