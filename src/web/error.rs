//! Turns an error into a response: looks up status and text by its id, and logs it once.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, Detail};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::storage::report::Report;
use serde::Serialize;
use serde_json::Value;
use tracing::{debug, error};
use utoipa::ToSchema;

use crate::base::error_text::{sent, status_of, text, text_of};
use crate::web::answer::JSON;

/// A refused or failed request. Its keys are in the order of the contract.
#[derive(Serialize, ToSchema)]
#[schema(as = AppError)]
pub(crate) struct Envelope<'a> {
    /// The error id. It never changes.
    id: &'a str,
    /// The message for people.
    message: String,
    /// Details; only if `ServiceSettings.EnableDeveloper` is on.
    detailed_error: String,
    /// The id in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
    /// The status of the response.
    #[schema(value_type = i64)]
    status_code: u16,
    /// All problems of a document, if the refusal is about one. An extension of the API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Problem<'a>>,
    /// The results of a test, step by step, if the caller requested them. An extension of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Report>, nullable = false)]
    report: Option<&'a Value>,
}

/// One problem of a document.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorPlace)]
struct Problem<'a> {
    /// The place in the body, as a JSON pointer.
    pointer: &'a str,
    /// The error id.
    id: &'a str,
    /// The message for people.
    message: String,
}

/// Returns the response to a failed request and logs the failure. The parameter `RetryAfter`, in seconds, becomes a
/// header.
pub(crate) fn answer(failure: &AppError, request_id: &str, config: &Config) -> HttpResponse {
    let envelope = told(failure, request_id, config);
    let status = StatusCode::from_u16(envelope.status_code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = respond(status, &envelope);
    let retry_after = failure.params.iter().find(|(name, _)| *name == "RetryAfter");
    if let Some(seconds) = retry_after.and_then(|(_, seconds)| HeaderValue::from_str(seconds).ok()) {
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    answer
}

/// Returns the body of the response to a failed request and logs the failure.
pub(crate) fn told<'a>(failure: &'a AppError, request_id: &'a str, config: &Config) -> Envelope<'a> {
    let status = status(&failure.id);
    log(failure, status, request_id);
    let service = &config.view.service;
    let is_hidden = service.experimental_enable_hardened_mode && status.is_server_error();
    let is_open = service.enable_developer && !failure.is_confidential();
    if is_hidden {
        Envelope {
            id: "",
            message: "Internal Server Error".to_owned(),
            detailed_error: String::new(),
            request_id,
            status_code: 500,
            errors: Vec::new(),
            report: None,
        }
    } else {
        Envelope {
            id: sent(&failure.id),
            message: text_of(failure),
            detailed_error: if is_open { detail_of(failure) } else { String::new() },
            request_id,
            status_code: status.as_u16(),
            errors: failure.failures.iter().map(problem).collect(),
            report: failure.report.as_deref(),
        }
    }
}

/// Returns one of several errors inside a response that is not itself an error.
pub(crate) fn envelope(failure: &AppError) -> Envelope<'_> {
    Envelope {
        id: sent(&failure.id),
        message: text_of(failure),
        detailed_error: String::new(),
        request_id: "",
        status_code: status(&failure.id).as_u16(),
        errors: Vec::new(),
        report: None,
    }
}

/// Returns the HTML page for a failed request, and logs the failure.
pub(crate) fn page(failure: &AppError) -> HttpResponse {
    let status = status(&failure.id);
    log(failure, status, "");
    let text = text_of(failure).replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><title>{status}</title><p>{text}</p><p>{}</p></html>",
        sent(&failure.id)
    );
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(page)
}

/// Returns the response to a path that no route serves. It is the only error without a request id, and its detail is
/// never hidden.
pub(crate) fn not_found(path: &str) -> HttpResponse {
    let missing = AppError::new("api.context.404.app_error");
    let envelope = Envelope {
        id: &missing.id,
        message: text_of(&missing),
        detailed_error: format!(
            "There doesn't appear to be an api call for the url='{path}'.  Typo? are you missing a team_id or user_id as part of the url?"
        ),
        request_id: "",
        status_code: 404,
        errors: Vec::new(),
        report: None,
    };
    respond(StatusCode::NOT_FOUND, &envelope)
}

fn respond(status: StatusCode, envelope: &Envelope<'_>) -> HttpResponse {
    let body = to_json(envelope).unwrap_or_default();
    HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON)).body(body)
}

fn problem(detail: &Detail) -> Problem<'_> {
    Problem { pointer: &detail.pointer, id: sent(detail.id), message: text(detail.id, &detail.params) }
}

fn detail_of(failure: &AppError) -> String {
    match &failure.cause {
        Some(cause) if failure.detail.is_empty() => cause.to_string(),
        Some(cause) => format!("{}, {cause}", failure.detail),
        None => failure.detail.clone(),
    }
}

/// Returns the status of an error id.
pub(crate) fn status(id: &str) -> StatusCode {
    StatusCode::from_u16(status_of(id)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn log(failure: &AppError, status: StatusCode, request_id: &str) {
    if status.is_server_error() {
        error!(request.id = request_id, error.id = %failure.id, cause = %failure, "request failed");
    } else {
        debug!(request.id = request_id, error.id = %failure.id, cause = %failure, "request refused");
    }
}
