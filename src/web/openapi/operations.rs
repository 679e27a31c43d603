//! The operations of the document: the description beside each handler, completed by the row of the route table.

use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::{RequestBody, RequestBodyBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content as MediaType, Ref, RefOr, Required, Response as Answer, ResponseBuilder};

use super::types::{in_path, schema, text_body};
use crate::web::error::Envelope;
use crate::web::routes::operation::{Body, Content, Description, Query, Response};
use crate::web::routes::reauthentication::{Reauthentication, needed_by};
use crate::web::routes::route::{Class, Listeners, Route};
use crate::web::schema::reference;

/// The statuses with which a request can be refused: status, name and meaning.
const REFUSALS: [(u16, &str, &str); 18] = [
    (400, "BadRequest", "The request is malformed, or a value in it is invalid."),
    (401, "Unauthorized", "The request has no valid session."),
    (403, "Forbidden", "The caller has no permission to do this."),
    (404, "NotFound", "The requested object does not exist."),
    (408, "RequestTimeout", "The body did not arrive in time."),
    (409, "Conflict", "The login service of the account determines this."),
    (410, "Gone", "The server does not have this way to sign in."),
    (412, "PreconditionFailed", "Another version of the configuration is in force."),
    (413, "TooLarge", "The body is too large."),
    (414, "AddressTooLong", "The URL is too long."),
    (429, "TooManyRequests", "The caller has sent too many requests and can try again later."),
    (431, "HeadersTooLarge", "The headers are too large."),
    (451, "UnavailableForLegalReasons", "The request is refused for legal reasons."),
    (499, "Abandoned", "The client disconnected before the response was sent."),
    (500, "InternalServerError", "The server failed. The id of the error names the failure."),
    (501, "NotImplemented", "The feature is turned off, or this server does not have it."),
    (503, "ServiceUnavailable", "The server is busy or not ready. The caller can try again later."),
    (504, "GatewayTimeout", "Another server did not answer in time."),
];

/// The statuses with which any request can be refused.
const ALWAYS: [u16; 5] = [400, 414, 429, 431, 503];

/// The further statuses with which a request with a body can be refused.
const WITH_BODY: [u16; 2] = [408, 413];

/// Returns the response of each status with which a request can be refused, with its name.
pub(super) fn refusals() -> impl Iterator<Item = (&'static str, Answer)> {
    REFUSALS.into_iter().map(|(_, name, meaning)| {
        let content = MediaType::new(Some(reference::<Envelope<'_>>()));
        (name, ResponseBuilder::new().description(meaning).content("application/json", content).build())
    })
}

/// Returns the operation of a route.
pub(super) fn operation(route: &Route, described: &Description) -> Operation {
    let (tag, _) = described.tag.texts();
    let mut operation = OperationBuilder::new()
        .tag(tag)
        .operation_id(Some(described.id))
        .summary(Some(described.summary))
        .description(details(route, described))
        .parameters(Some(path_parameters(route.path).chain(described.queries.iter().map(query_parameter))));
    if let Some(body) = &described.body {
        operation = operation.request_body(Some(request_body(body)));
    }
    for requirement in requirements(route.class) {
        operation = operation.security(requirement);
    }
    for answers in described.responses.chunk_by(|one, next| one.status == next.status) {
        let Some(first) = answers.first() else { continue };
        operation = operation.response(first.status.to_string(), response(answers));
    }
    for (status, name, _) in REFUSALS.into_iter().filter(|(status, ..)| refuses(route, described, *status)) {
        operation = operation.response(status.to_string(), RefOr::Ref(Ref::from_response_name(name)));
    }
    operation.build()
}

/// Returns true if a request can be refused with this status, and the status is not among the described responses.
fn refuses(route: &Route, described: &Description, status: u16) -> bool {
    let is_described = described.responses.iter().any(|answer| answer.status == status);
    let is_likely = described.refusals.contains(&status)
        || ALWAYS.contains(&status)
        || (status == 401 && route.class == Class::Session)
        || (status == 403 && needed_by(route) != Reauthentication::Never)
        || (described.body.is_some() && WITH_BODY.contains(&status));
    is_likely && !is_described
}

fn details(route: &Route, described: &Description) -> Option<String> {
    let place = match route.listeners {
        Listeners::SocketOnly => Some("Served on the local socket only."),
        Listeners::NetworkAndSocket => Some("Served on the local socket as well."),
        Listeners::Network => None,
    };
    let reauthentication = match needed_by(route) {
        Reauthentication::Always => Some("Critical: see `Reauthenticate`."),
        Reauthentication::BySetting => Some("Critical for some settings: see `Reauthenticate`."),
        Reauthentication::Never => None,
    };
    let parts: Vec<&str> = described.details.into_iter().chain(place).chain(reauthentication).collect();
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
        let (schema, about) = in_path(name);
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(about))
            .schema(Some(schema))
            .build()
    })
}

fn query_parameter(query: &Query) -> Parameter {
    ParameterBuilder::new()
        .name(query.name)
        .parameter_in(ParameterIn::Query)
        .required(required(query.is_required))
        .description(Some(query.about))
        .schema(Some(schema(query.schema)))
        .build()
}

fn request_body(body: &Body) -> RequestBody {
    RequestBodyBuilder::new()
        .description(Some(body.about))
        .required(Some(required(body.is_required)))
        .content(body.media, MediaType::new(Some(schema(body.schema))))
        .build()
}

fn required(is_required: bool) -> Required {
    if is_required { Required::True } else { Required::False }
}

/// Returns the response of one status, of which each of `answers` describes a media type.
fn response(answers: &[Response]) -> Answer {
    let about = answers.iter().map(|answer| answer.about).collect::<Vec<_>>().join(" ");
    let mut response = ResponseBuilder::new().description(about);
    for answer in answers {
        response = match answer.content {
            Content::Nothing => response,
            Content::Json(body) => response.content("application/json", MediaType::new(Some(schema(body)))),
            Content::Other(media) => response.content(media, MediaType::new(Some(text_body(media)))),
        };
    }
    response.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes::table;

    #[test]
    fn what_is_said_of_refusals_is_a_status_with_a_name() {
        let described = table().iter().filter_map(|route| route.operation.description);
        let statuses = described.flat_map(|described| described.refusals).chain(&ALWAYS).chain(&WITH_BODY);
        for status in statuses {
            assert!(REFUSALS.iter().any(|(known, ..)| known == status), "{status}");
        }
    }
}
