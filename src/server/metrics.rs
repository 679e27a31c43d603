//! The door for Prometheus: an address of its own, so that the API's address need not show it to everybody.

use std::net::SocketAddr;

use actix_web::dev::Server;
use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse, HttpServer};
use tracing::error;

use super::listeners::bind;
use crate::answer::outgoing::Outgoing;
use crate::metrics;
use crate::state::AppState;

/// Opens the address if the settings ask for it; the error names the setting.
pub(super) fn open(app: &Data<AppState>) -> Result<Option<(Server, SocketAddr)>, String> {
    let config = app.config.current();
    let settings = &config.view.metrics;
    if !settings.enable {
        return Ok(None);
    }
    let failed =
        |cause: std::io::Error| format!("MetricsSettings.ListenAddress {:?}: {cause}", settings.listen_address);
    let listener = bind("MetricsSettings.ListenAddress", &settings.listen_address)?;
    let address = listener.local_addr().map_err(failed)?;
    let app = app.clone();
    let server = HttpServer::new(move || App::new().app_data(app.clone()).route("/metrics", get().to(show)))
        .workers(1)
        .shutdown_timeout(super::GRACE.as_secs())
        .disable_signals()
        .listen(listener)
        .map_err(failed)?;
    Ok(Some((server.run(), address)))
}

/// `GET /metrics`.
async fn show(app: Data<AppState>) -> HttpResponse<Outgoing> {
    let answer = metrics::show(&app).unwrap_or_else(|cause| {
        error!(%cause, "metrics cannot be shown");
        HttpResponse::InternalServerError().finish()
    });
    answer.map_body(|_, body| Outgoing::chunks(body))
}
