//! The metrics on the API's listener, for a Prometheus that cannot reach the metrics listener.

use actix_web::HttpResponse;
use actix_web::web::Data;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use quarterdeck_actors::error::AppError;

use crate::web::error::Envelope;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;
use crate::web::{error, readings};

pub(super) const SHOW: Operation = Description::new(Tag::System, "GetMetrics", "Returns the metrics for Prometheus.")
    .details(
        "Needs the configured token, as `Authorization: Bearer`. Without a configured token, the \
         response is 404. `MetricsSettings.ListenAddress` is a separate address that needs no \
         token.",
    )
    .responses(&[
        Response::media(200, "text/plain", "The metrics, in the text format of Prometheus."),
        Response::json(401, Type::of::<Envelope<'_>>(), "The token is missing or wrong."),
        Response::json(404, Type::of::<Envelope<'_>>(), "No token is configured."),
    ])
    .refusals(&[500])
    .handled_by(handler!(show));

/// `GET /metrics`: returns the metrics to a caller with the configured token. Answers 404 if no token is configured.
pub(super) async fn show(request: Request, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let Some(token) = &app.facts.options.metrics_token else { return Ok(error::not_found("/metrics")) };
    let given = request.header("Authorization").and_then(|header| header.strip_prefix("Bearer "));
    let is_known = |given: &str| verify_slices_are_equal(token.expose().as_bytes(), given.as_bytes()).is_ok();
    if given.is_some_and(is_known) { readings::show(&app) } else { Err(AppError::new("app.metrics.token.app_error")) }
}
