//! The listener for Prometheus. It has an address of its own, so that clients of the API cannot read the metrics.

use std::net::SocketAddr;

use actix_server::{Server, ServerBuilder};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use tracing::error;

use super::claimed::Claimed;
use super::http::{ConnectionFactory, builder};
use super::listeners::METRICS_ADDRESS;
use crate::web::answer::outgoing::Outgoing;
use crate::web::state::AppState;
use crate::web::{line, readings};

/// Opens the listener if the settings ask for it, on the claimed address. The error names the setting.
pub(super) fn open(app: &Data<AppState>, claimed: &mut Claimed) -> Result<Option<(Server, SocketAddr)>, String> {
    let config = app.actors.config.current();
    let settings = &config.view.metrics;
    if !settings.enable {
        return Ok(None);
    }
    let failed = |cause: std::io::Error| format!("{METRICS_ADDRESS} {:?}: {cause}", settings.listen_address);
    let listener = claimed.listen(METRICS_ADDRESS, &settings.listen_address)?;
    let address = listener.local_addr().map_err(failed)?;
    let factory = ConnectionFactory::to_metrics(app, &config.view.service);
    let server = builder(app).workers(1);
    let listening = server.listen("metrics", listener, move || factory.over_tcp());
    let server = listening.map(ServerBuilder::run).map_err(failed)?;
    Ok(Some((server, address)))
}

/// Handles `GET /metrics`.
pub(super) async fn show(http: HttpRequest, app: Data<AppState>) -> HttpResponse<Outgoing> {
    // Marks the request as in flight; the idle timeout of the connection starts at its end.
    let _in_progress = line::begin(&http);
    let answer = readings::show(&app).unwrap_or_else(|cause| {
        error!(%cause, "metrics could not be rendered");
        HttpResponse::InternalServerError().finish()
    });
    answer.map_body(|_, body| Outgoing::chunks(body))
}
