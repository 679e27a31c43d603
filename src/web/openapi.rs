//! The description of the API (`OpenAPI`), made from the route table and the text tables in `openapi/`.
//!
//! `operations` reads the parameters and responses of each route. Responses that all routes of a class share come from
//! the row in the route table.

mod config;
mod operations;
mod schemas;
mod types;

use quarterdeck_actors::json::to_json;
use thiserror::Error;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr,
    Required, Response, ResponseBuilder,
};

use crate::base::version::VERSION;
use crate::web::routes::route::{Class, Listeners, Route, Verb};
use operations::{Answer, Described, Given};

/// The statuses with which a request can be refused: status, name and meaning.
const REFUSALS: [(u16, &str, &str); 16] = [
    (400, "BadRequest", "Something in the request is missing or makes no sense."),
    (401, "Unauthorized", "There is no session, or it is over."),
    (403, "Forbidden", "The caller may not do this."),
    (404, "NotFound", "There is no such thing."),
    (408, "RequestTimeout", "The body did not arrive in time."),
    (412, "PreconditionFailed", "Another version is in force."),
    (413, "TooLarge", "The body is too large."),
    (414, "AddressTooLong", "The address is too long."),
    (429, "TooManyRequests", "Not now; try again later."),
    (431, "HeadersTooLarge", "The headers are too large."),
    (451, "UnavailableForLegalReasons", "The law forbids it."),
    (499, "Abandoned", "The client went away; nobody reads this answer."),
    (500, "InternalServerError", "It failed; the error says what."),
    (501, "NotImplemented", "It is switched off, or there is none here."),
    (503, "ServiceUnavailable", "Not now: the server is busy or a part of it is starting."),
    (504, "GatewayTimeout", "Another server did not answer in time."),
];

/// The statuses with which any request can be refused.
const ALWAYS: [u16; 5] = [400, 414, 429, 431, 503];

/// The further statuses with which a request with a body can be refused.
const WITH_BODY: [u16; 2] = [408, 413];

/// Routes that the document leaves out.
///
/// The first two are other spellings of described routes; the others serve pages.
const LEFT_OUT: [&str; 5] =
    ["/api/v4/websocket/", "GET /api/v4/system/notices/view", "/", "/api/v4/openapi", "/api/v4/openapi/{file}"];

const ABOUT: &str = "The system area of the Mattermost REST API v4, with what administrators need around it. \
    Every answer carries `X-Request-Id`; every refusal is an `AppError` with an id that never changes.";

/// An error in the tables.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// A line of a table that cannot be parsed.
    #[error("{table}, line {line}: {reason}")]
    Line {
        /// The name of the table.
        table: &'static str,
        /// The number of the line, from 1.
        line: usize,
        /// The error in the line.
        reason: String,
    },
    /// An operation without a route, or a route without an operation.
    #[error("{0}")]
    Mismatch(String),
    /// The document cannot be serialized.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// Returns the document as JSON.
pub(crate) fn document(table: &[Route]) -> Result<Vec<u8>, Fault> {
    Ok(to_json(&assembled(table)?)?)
}

fn assembled(table: &[Route]) -> Result<OpenApi, Fault> {
    let mut rows: Vec<&Route> = table.iter().filter(|row| !is_left_out(row)).collect();
    let mut paths = PathsBuilder::new();
    let mut tags = Vec::new();
    for (tag, about, described) in operations::all()? {
        tags.push(TagBuilder::new().name(tag).description(Some(about)).build());
        for described in described {
            let at = rows.iter().position(|row| row.verb.as_str() == described.method && row.path == described.path);
            let at = at.ok_or_else(|| Fault::Mismatch(format!("{} has no route", described.id)))?;
            let row = rows.swap_remove(at);
            let method = method(row.verb);
            paths = paths.path(described.path, utoipa::openapi::PathItem::new(method, operation(tag, &described, row)));
        }
    }
    if let Some(row) = rows.first() {
        return Err(Fault::Mismatch(format!("{} {} is not described", row.verb, row.path)));
    }
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new().title("Quarterdeck").version(VERSION).description(Some(ABOUT)).license(Some(license));
    let document = OpenApiBuilder::new().info(info).paths(paths).tags(Some(tags)).components(Some(components()?));
    Ok(document.build())
}

fn is_left_out(row: &Route) -> bool {
    let named = format!("{} {}", row.verb, row.path);
    LEFT_OUT.iter().any(|left| *left == row.path || *left == named)
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn components() -> Result<utoipa::openapi::Components, Fault> {
    let mut components = ComponentsBuilder::new()
        .security_scheme("bearerAuth", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
        .security_scheme("cookieAuth", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("MMAUTHTOKEN"))));
    for (name, schema) in schemas::all()? {
        components = components.schema(name, schema);
    }
    for (name, schema) in config::schemas() {
        components = components.schema(name, schema);
    }
    for (_, name, meaning) in REFUSALS {
        components = components.response(name, refusal(meaning));
    }
    Ok(components.build())
}

fn refusal(meaning: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name("AppError")));
    ResponseBuilder::new().description(meaning).content("application/json", content).build()
}

fn operation(tag: &str, described: &Described, row: &Route) -> Operation {
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(described.id))
        .summary(Some(described.summary))
        .description(about(described, row))
        .parameters(Some(path_parameters(described.path).chain(described.queries.iter().map(query_parameter))));
    if let Some(body) = &described.body {
        operation = operation.request_body(Some(request_body(body)));
    }
    for requirement in requirements(row.class) {
        operation = operation.security(requirement);
    }
    for answer in &described.answers {
        operation = operation.response(answer.status.to_string(), response(answer));
    }
    for (status, name, _) in REFUSALS.into_iter().filter(|(status, ..)| refuses(described, row, *status)) {
        operation = operation.response(status.to_string(), RefOr::Ref(Ref::from_response_name(name)));
    }
    operation.build()
}

/// Returns true if a request can be refused with this status, and the status is not among the described responses.
fn refuses(described: &Described, row: &Route, status: u16) -> bool {
    let is_described = described.answers.iter().any(|answer| answer.status == status);
    let is_likely = described.fails.contains(&status)
        || ALWAYS.contains(&status)
        || (status == 401 && row.class == Class::Session)
        || (described.body.is_some() && WITH_BODY.contains(&status));
    is_likely && !is_described
}

fn about(described: &Described, row: &Route) -> Option<String> {
    let place = match row.listeners {
        Listeners::SocketOnly => Some("Served on the local socket only."),
        Listeners::NetworkAndSocket => Some("Served on the local socket as well."),
        Listeners::Network => None,
    };
    let parts: Vec<&str> = described.about.into_iter().chain(place).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn requirements(class: Class) -> Vec<SecurityRequirement> {
    let one = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let nobody = SecurityRequirement::default();
    match class {
        Class::Anonymous => vec![nobody],
        Class::Open => vec![nobody, one("bearerAuth"), one("cookieAuth")],
        Class::Session => vec![one("bearerAuth"), one("cookieAuth")],
    }
}

fn path_parameters(path: &'static str) -> impl Iterator<Item = Parameter> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let (schema, about) = types::in_path(name);
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(about))
            .schema(Some(schema))
            .build()
    })
}

fn query_parameter(given: &Given) -> Parameter {
    ParameterBuilder::new()
        .name(given.name)
        .parameter_in(ParameterIn::Query)
        .required(if given.is_required { Required::True } else { Required::False })
        .description(Some(given.about))
        .schema(Some(given.schema.clone()))
        .build()
}

fn request_body(given: &Given) -> RequestBody {
    RequestBodyBuilder::new()
        .description(Some(given.about))
        .required(Some(if given.is_required { Required::True } else { Required::False }))
        .content(given.media, Content::new(Some(given.schema.clone())))
        .build()
}

fn response(answer: &Answer) -> Response {
    let response = ResponseBuilder::new().description(answer.about);
    match &answer.content {
        Some((media, schema)) => response.content(*media, Content::new(Some(schema.clone()))).build(),
        None => response.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_make_a_document_and_every_type_in_it_is_there() {
        let document: serde_json::Value =
            serde_json::from_slice(&document(crate::web::routes::table()).unwrap()).unwrap();
        let text = document.to_string();
        for named in text.split("#/components/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(document.pointer(&format!("/components/{name}")).is_some(), "{name} is not there");
        }
    }

    #[test]
    fn what_stands_in_the_tables_of_refusals_is_a_status_with_a_name() {
        let known = |status: &u16| REFUSALS.iter().any(|(known, ..)| known == status);
        assert!(ALWAYS.iter().chain(&WITH_BODY).all(known));
    }
}
