//! Routes that read the logs of the servers, and the route that logs messages of clients.

pub(crate) mod nodes;

use std::collections::HashSet;

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
use crate::telemetry::logging::{self, Limits, Span, Wanted};
use crate::web::answer::{Json, Reply, json_body, list_servers};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;
use nodes::{NodePage, Nodes};

const MAX_LINES: usize = 10_000;

/// The largest message of a client that is logged in full, in bytes. A longer one is cut.
const MAX_MESSAGE_BYTES: usize = 400;

/// The header that says why lines may be missing from the response: `size` or `time`.
const CUT: HeaderName = HeaderName::from_static("x-logs-cut");

/// The header that names the servers whose pages are cut, each with the reason.
const CUT_NODES: HeaderName = HeaderName::from_static("x-logs-cut-nodes");

/// The header that names the servers on the database.
const NODES: HeaderName = HeaderName::from_static("x-logs-nodes");

/// The header that names servers without an answer, each with the reason.
const MISSING: HeaderName = HeaderName::from_static("x-logs-missing");

/// The header with the time of each server's clock at which it began to read, in Unix milliseconds.
const CLOCKS: HeaderName = HeaderName::from_static("x-logs-clocks");

/// The line above and below the name of a server in the lines of several, as Mattermost has it.
const RULER: &str =
    "-----------------------------------------------------------------------------------------------------------";

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
    "Needs the permission `get_logs`. Lines of single requests are in a log of their own: `logs/query` lists them. \
     If several servers use the database, each has a page of its own, below five lines with its name; the header \
     `X-Logs-Missing` names those that gave no answer.",
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
    let nodes = request.while_awaited(Nodes::of(&app.actors.cluster)).await?;
    let is_read = span.taken > 0 && nodes.has_others();
    let (answer, pages) = if is_read {
        let pages = request.while_awaited(nodes.pages(&app, &HashSet::new(), None, span)).await??;
        let lines: Vec<String> = pages.iter().flat_map(texts).collect();
        (Json(lines).reply()?, pages)
    } else {
        (alone(&request, &app, span).await?, Vec::new())
    };
    Ok(marked(answer, &nodes, &pages))
}

/// Returns the lines of a server without others.
async fn alone(request: &Request, app: &AppState, span: Span) -> Result<HttpResponse, AppError> {
    let settings = &request.config().view.log;
    if !settings.enable_file {
        return Json([""]).reply();
    }
    if span.taken == 0 {
        return Json(Value::Null).reply();
    }
    let page = app.tools.log_reader.page(vec![logging::file_path(settings)], span, None, Limits::WHOLE);
    let page = request.while_awaited(page).await??;
    let mut answer = Json(page.texts()).reply()?;
    set_cut(&mut answer, page.cut);
    Ok(answer)
}

/// Returns the lines of one of several servers, below its name.
fn texts(page: &NodePage) -> Vec<String> {
    let head = [RULER, RULER, &page.name, RULER, RULER].map(str::to_owned);
    let lines = match &page.lines {
        Ok(found) => found.texts.clone(),
        Err(absence) => vec![format!("no lines: {}", absence.name())],
    };
    head.into_iter().chain(lines).map(|line| format!("\n{line}")).collect()
}

pub(super) const QUERY: Operation =
    Description::new(Tag::Environment, "QueryLogs", "Lists the lines of the log that match a filter.")
        .details(
            "Needs the permission `get_logs`. A page counts the lines of each server apart. Where a limit cut a page \
             (`X-Logs-Cut`, and by server `X-Logs-Cut-Nodes`), the next page does not have the lines that are missing \
             in it: a query with `date_to` does. The header `X-Logs-Nodes` \
             names the servers on the database, and `X-Logs-Missing` those that gave no answer, each with the reason: \
             `silent`, `unreachable`, `busy`, `unknown` (an older version) or `failed`. `X-Logs-Clocks` has the time \
             of each server's clock at which it began to read, in Unix milliseconds: its later lines are not in the \
             response.",
        )
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
            "The lines of each server, by its name in `cluster/status`; by `default` if there is only one. A \
             server without lines is absent.",
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
    let nodes = request.while_awaited(Nodes::of(&app.actors.cluster)).await?;
    let chosen = wanted.servers(&nodes.names(), &nodes.aliases())?;
    wanted.clone().filter()?;
    let pages = request.while_awaited(nodes.pages(&app, &chosen, Some(&wanted), span)).await??;
    Ok(marked(json_body(by_name(&pages)), &nodes, &pages))
}

/// Returns the lines as a JSON object, by the names of the servers. The lines are JSON objects themselves.
fn by_name(pages: &[NodePage]) -> Vec<u8> {
    let found = pages.iter().filter_map(|page| Some((page.name.as_str(), &page.lines.as_ref().ok()?.texts)));
    let mut found: Vec<_> = found.filter(|(_, lines)| !lines.is_empty()).collect();
    found.sort_unstable();
    let mut text = String::from("{");
    for (number, (name, lines)) in found.into_iter().enumerate() {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(name).to_string());
        text.push_str(":[");
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            text.push_str(line);
        }
        text.push(']');
    }
    text.push('}');
    text.into_bytes()
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
    .details("Needs the permission `get_logs`. It is the file of the server that gets the request.")
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

/// Returns the response with the names of the servers, those without an answer, and the reason why lines may be missing.
fn marked(mut answer: HttpResponse, nodes: &Nodes, pages: &[NodePage]) -> HttpResponse {
    set_cut(&mut answer, pages.iter().find_map(|page| page.lines.as_ref().ok()?.cut));
    list_servers(&mut answer, NODES, nodes.names().into_iter().map(str::to_owned));
    let cut = |page: &NodePage| Some(format!("{}={}", page.name, page.lines.as_ref().ok()?.cut?));
    let clock = |page: &NodePage| Some(format!("{}={}", page.name, page.lines.as_ref().ok()?.at?));
    let missing = |page: &NodePage| Some(format!("{}={}", page.name, page.lines.as_ref().err()?.name()));
    list_servers(&mut answer, CUT_NODES, pages.iter().filter_map(cut));
    list_servers(&mut answer, CLOCKS, pages.iter().filter_map(clock));
    list_servers(&mut answer, MISSING, pages.iter().filter_map(missing));
    answer
}

fn set_cut(answer: &mut HttpResponse, cut: Option<&'static str>) {
    if let Some(reason) = cut {
        answer.headers_mut().insert(CUT, HeaderValue::from_static(reason));
    }
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
