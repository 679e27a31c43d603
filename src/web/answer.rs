//! The results of handlers, before the pipeline adds headers and compression.

pub(crate) mod outgoing;
pub(crate) mod pack;
pub(crate) mod read_rate;

use crate::base::budget::Budget;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::json::to_json;
use serde::Serialize;
use utoipa::ToSchema;

use pack::Packer;

/// The result of most handlers: a value as JSON, or a refusal.
pub(crate) type Answer<T> = Result<Json<T>, AppError>;

/// The content type without a charset. Clients compare the whole value, and a charset makes them treat the body as
/// text.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The maximum number of servers that a header names.
const MAX_SERVERS: usize = 64;

/// The limits within which response bodies are made and sent, shared by all workers.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) budget: Arc<Budget>,
    pub(crate) packer: Packer,
    /// The number of responses that were refused because their caller had too many unread ones.
    pub(crate) refused: AtomicU64,
}

impl Sending {
    pub(crate) fn new() -> Self {
        Self { budget: Arc::default(), packer: Packer::new(), refused: AtomicU64::new(0) }
    }
}

/// Status 200 with a value.
pub(crate) struct Json<T>(pub(crate) T);

/// Status 201 with a value.
pub(crate) struct Created<T>(pub(crate) T);

/// The response to a request that succeeded and has nothing else to return.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusOK)]
pub(crate) struct StatusOk {
    /// Always `OK`.
    status: Okay,
}

/// The text `OK`.
#[derive(Serialize, ToSchema)]
#[schema(as = OK)]
pub(crate) enum Okay {
    #[serde(rename = "OK")]
    Okay,
}

/// Status 200 with `{"status":"OK"}`.
pub(crate) struct Done;

/// Status 202 with `{"status":"OK"}`: the work continues in the background.
pub(crate) struct Accepted;

/// A value that can be turned into a response.
pub(crate) trait Reply {
    fn reply(self) -> Result<HttpResponse, AppError>;
}

impl<T: Serialize> Reply for Json<T> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> Reply for Created<T> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::CREATED, &self.0)
    }
}

impl Reply for Done {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::OK, &StatusOk { status: Okay::Okay })
    }
}

impl Reply for Accepted {
    fn reply(self) -> Result<HttpResponse, AppError> {
        json_response(StatusCode::ACCEPTED, &StatusOk { status: Okay::Okay })
    }
}

impl Reply for HttpResponse {
    fn reply(self) -> Result<HttpResponse, AppError> {
        Ok(self)
    }
}

impl<R: Reply> Reply for Result<R, AppError> {
    fn reply(self) -> Result<HttpResponse, AppError> {
        self.and_then(Reply::reply)
    }
}

/// Returns status 200 with a body that is already JSON.
pub(crate) fn json_body(body: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(body)
}

/// Adds a header that lists servers, such as `chat-1, chat-2` or `chat-1=busy`; none without servers. Characters that no
/// header can hold are replaced; names of hosts have none.
pub(crate) fn list_servers(answer: &mut HttpResponse, name: HeaderName, servers: impl IntoIterator<Item = String>) {
    let servers: Vec<String> = servers.into_iter().take(MAX_SERVERS).collect();
    let visible = |one: char| if one.is_ascii_graphic() || one == ' ' { one } else { '?' };
    let text: String = servers.join(", ").chars().map(visible).collect();
    if let Ok(value) = HeaderValue::from_str(&text)
        && !servers.is_empty()
    {
        answer.headers_mut().insert(name, value);
    }
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Result<HttpResponse, AppError> {
    let body = to_json(value).or_fail("api.marshal_error")?;
    Ok(HttpResponse::build(status).insert_header((CONTENT_TYPE, JSON)).body(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(servers: Vec<String>) -> Option<String> {
        let mut answer = HttpResponse::Ok().finish();
        let name = HeaderName::from_static("x-servers");
        list_servers(&mut answer, name.clone(), servers);
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_header_lists_servers_within_its_bound_and_in_characters_that_it_can_hold() {
        assert_eq!(listed(Vec::new()), None);
        assert_eq!(listed(vec!["a=busy".to_owned(), "ü\n".to_owned()]).unwrap(), "a=busy, ??");
        let many = (0..=MAX_SERVERS).map(|number| number.to_string()).collect();
        assert!(listed(many).unwrap().ends_with(&format!(", {}", MAX_SERVERS - 1)));
    }
}
