//! Routes that read the server's log, and the route that logs messages of clients.

use actix_files::NamedFile;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentDisposition, ContentType, HeaderName, HeaderValue, X_FRAME_OPTIONS,
};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::{debug, error};
use utoipa::ToSchema;

use crate::base::any_case::Members;
use crate::base::lenient::or_default;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::telemetry::logging::{self, Span, Wanted};
use crate::web::answer::{Json, Reply, json_body};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const MAX_LINES: usize = 10_000;

/// The largest message of a client that is logged in full, in bytes. A longer one is cut.
const MAX_MESSAGE_BYTES: usize = 400;

/// The node name of this server, which is the only node of its cluster.
const NODE: &str = "default";

/// The header that says why lines may be missing from the response: `size` or `time`.
const CUT: HeaderName = HeaderName::from_static("x-logs-cut");

/// A message of a client. Further members are returned unchanged if they are texts.
#[derive(Deserialize, ToSchema)]
pub(super) struct ClientLog {
    /// `ERROR`; everything else is logged at level DEBUG.
    #[serde(default, deserialize_with = "or_default")]
    level: String,
    /// The message. The first 399 bytes of a longer one are logged.
    #[serde(default, deserialize_with = "or_default")]
    message: String,
}

pub(super) const LIST: Operation = Description::new(
    Tag::Environment,
    "GetLogs",
    "Lists the newest lines of the log. Within a page, the oldest line comes first.",
)
.details(
    "Needs the permission `get_logs`. Lines of single requests are in a log of their own: `logs/query` lists them.",
)
.queries(&[
    Query::optional("page", Type::Integer, "The page, from 0."),
    Query::optional(
        "logs_per_page",
        Type::Integer,
        "The number of lines in a page. The default and the maximum are 10,000.",
    ),
])
.responses(&[Response::json(200, Type::Nullable(&Type::List(&Type::String)), "The lines.")])
.refusals(&[403, 500, 503])
.handled_by(handler!(list));

/// `GET /logs`: returns the newest lines. Within a page the oldest comes first, and each line begins with the line feed
/// before it.
pub(super) async fn list(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("get_logs")?;
    let span = span(&request, &audit);
    let settings = &request.config().view.log;
    if !settings.enable_file {
        return Json([""]).reply();
    }
    if span.taken == 0 {
        return Json(Value::Null).reply();
    }
    let page = app.tools.log_reader.page(vec![logging::file_path(settings)], span, None);
    let page = request.while_awaited(page).await??;
    Ok(marked(Json(page.texts()).reply()?, page.cut))
}

pub(super) const QUERY: Operation =
    Description::new(Tag::Environment, "QueryLogs", "Lists the lines of the log that match a filter.")
        .details("Needs the permission `get_logs`.")
        .queries(&[
            Query::optional("page", Type::Integer, "The page, from 0."),
            Query::optional(
                "logs_per_page",
                Type::Integer,
                "The number of lines in a page. The default and the maximum are 10,000.",
            ),
        ])
        .body(Type::of::<Wanted>(), "The filter.")
        .responses(&[Response::json(
            200,
            Type::Map(&Type::List(&Type::Object)),
            "The lines of each node. A node without lines is absent.",
        )])
        .refusals(&[400, 403, 500, 503])
        .handled_by(handler!(query));

/// `POST /logs/query`: returns the lines that match a filter, by node.
pub(super) async fn query(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    session.require_unrestricted("get_logs")?;
    let span = span(&request, &audit);
    let wanted: Wanted = body.object("filter").await.map_err(invalid_body)?;
    let settings = &request.config().view.log;
    let filter = wanted.filter(NODE)?;
    if !settings.enable_file {
        return Json(Map::new()).reply();
    }
    let mut paths = vec![logging::file_path(settings)];
    if filter.takes_requests() {
        paths.push(logging::requests_path(settings));
    }
    let page = app.tools.log_reader.page(paths, span, Some(filter));
    let page = request.while_awaited(page).await??;
    let cut = page.cut;
    let mut text = Vec::new();
    if page.is_empty() {
        text.extend(b"{}");
    } else {
        text.extend(format!("{{\"{NODE}\":").into_bytes());
        text.append(&mut page.records());
        text.push(b'}');
    }
    Ok(marked(json_body(text), cut))
}

/// Returns the refusal of a body that is no filter, with the place of the error.
fn invalid_body(refusal: AppError) -> AppError {
    if refusal.id != "api.context.invalid_body_param.app_error" {
        return refusal;
    }
    match &refusal.cause {
        Some(cause) => logging::invalid_filter(format!("the body is no JSON object: {cause}")),
        None => logging::invalid_filter("the body is no JSON object"),
    }
}

pub(super) const DOWNLOAD: Operation = Description::new(Tag::Environment, "DownloadLogs", "Downloads the log file.")
    .details("Needs the permission `get_logs`.")
    .responses(&[
        Response::media(200, "text/plain", "The whole file."),
        Response::media(206, "text/plain", "The requested range."),
        Response::empty(416, "The file does not contain the requested range."),
    ])
    .refusals(&[403, 500, 503])
    .handled_by(handler!(download));

/// `GET /logs/download`: returns the log file, as a whole or in ranges.
pub(super) async fn download(http: HttpRequest, request: Request, session: Session) -> Result<HttpResponse, AppError> {
    const FAILED: &str = "api.system.logs.download_bytes_buffer.app_error";
    session.require_unrestricted("get_logs")?;
    let settings = &request.config().view.log;
    if !settings.enable_file {
        return Err(AppError::new(FAILED).because("the log is not written to a file"));
    }
    let path = logging::file_path(settings);
    let file = NamedFile::from_file(logging::open(path.clone()).await?, path).or_fail(FAILED)?;
    let name = "attachment;filename=\"mattermost.log\"; filename*=UTF-8''mattermost.log";
    let disposition = ContentDisposition::from_raw(&HeaderValue::from_static(name)).or_fail(FAILED)?;
    let file = file.set_content_type(ContentType::plaintext().0).set_content_disposition(disposition);
    let mut answer = file.into_response(&http);
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    Ok(answer)
}

pub(super) const RECORD: Operation = Description::new(Tag::Environment, "PostLog", "Logs a message of a client.")
    .details(
        "A message is logged as an error only if the caller has the permission `manage_system`, \
         or if `ServiceSettings.EnableDeveloper` is on; then no session is required either.",
    )
    .optional_body(Type::of::<ClientLog>(), "The message.")
    .responses(&[Response::json(200, Type::Map(&Type::String), "The message that was logged.")])
    .refusals(&[403])
    .handled_by(handler!(record));

/// `POST /logs`: logs a message of a client: an error at level ERROR if the caller may log errors, everything else at
/// level DEBUG.
pub(super) async fn record(
    request: Request,
    session: Option<Session>,
    body: Body,
) -> Result<Json<Map<String, Value>>, AppError> {
    let is_open = request.config().view.service.enable_developer;
    let may_alarm = match &session {
        Some(session) => is_open || session.may("manage_system"),
        None if is_open => true,
        None => return Err(AppError::new("api.context.permissions.app_error")),
    };
    let mut members = body.members().await;
    members.retain(|_, value| value.is_string());
    let sent = ClientLog::deserialize(Members(members.clone())).or_fail("api.marshal_error")?;
    let message = format!("Client Logs API Endpoint Message: {}", cut(&sent.message));
    let user_agent = request.header("User-Agent").unwrap_or_default();
    if may_alarm && sent.level == "ERROR" {
        error!("type" = "client_message", user_agent, "{message}");
    } else {
        debug!("type" = "client_message", user_agent, "{message}");
    }
    members.insert("message".to_owned(), message.into());
    Ok(Json(members))
}

fn cut(message: &str) -> &str {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message;
    }
    message.get(..message.floor_char_boundary(MAX_MESSAGE_BYTES - 1)).unwrap_or_default()
}

/// Returns the requested page. A value that is not a number is treated as absent.
fn span(request: &Request, audit: &Audit) -> Span {
    let number = |name| request.query(name).and_then(|text| text.parse::<usize>().ok());
    let page = number("page").unwrap_or(0);
    let taken = number("logs_per_page").unwrap_or(MAX_LINES).min(MAX_LINES);
    audit.parameter("page", page);
    audit.parameter("logs_per_page", taken);
    Span { skipped: page.saturating_mul(taken), taken }
}

fn marked(mut answer: HttpResponse, cut: Option<&'static str>) -> HttpResponse {
    if let Some(reason) = cut {
        answer.headers_mut().insert(CUT, HeaderValue::from_static(reason));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        assert_eq!(cut(&"x".repeat(400)).len(), 400);
        assert_eq!(cut(&"x".repeat(401)).len(), 399);
        assert_eq!(cut(&"é".repeat(201)).len(), 398);
    }
}
