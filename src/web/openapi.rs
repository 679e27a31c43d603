//! The description of the API (`OpenAPI`), made from the route table.
//!
//! A row of the table refers to an operation, which has its description. `operations` adds the responses that all
//! routes of a class share.

mod operations;
mod types;

use quarterdeck_actors::json::to_json;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
};

use crate::base::version::VERSION;
use crate::web::routes::operation::Tag;
use crate::web::routes::route::{Route, Verb};
use crate::web::schema::Schemas;
use operations::{operation, refusals};

const ABOUT: &str = "The system area of the Mattermost REST API v4, and what administrators need around it. \
    Every response has the header `X-Request-Id`. Every error is an `AppError` with an id that never changes.";

/// Returns the document as JSON. It describes the routes of `table`, whose bodies refer to `schemas`.
pub(crate) fn document(table: &[Route], schemas: Schemas) -> Result<Vec<u8>, serde_json::Error> {
    to_json(&assembled(table, schemas))
}

fn assembled(table: &[Route], schemas: Schemas) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for route in table {
        if let Some(described) = &route.operation.description {
            paths = paths.path(route.path, PathItem::new(method(route.verb), operation(route, described)));
        }
    }
    let tags = Tag::ALL.map(Tag::texts).map(|(name, about)| TagBuilder::new().name(name).description(Some(about)));
    let tags: Vec<_> = tags.into_iter().map(TagBuilder::build).collect();
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new().title("Quarterdeck").version(VERSION).description(Some(ABOUT)).license(Some(license));
    let document = OpenApiBuilder::new().info(info).paths(paths).tags(Some(tags)).components(Some(components(schemas)));
    document.build()
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn components(schemas: Schemas) -> Components {
    let mut components = ComponentsBuilder::new()
        .security_scheme("bearerAuth", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
        .security_scheme("cookieAuth", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("MMAUTHTOKEN"))));
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    for (name, response) in refusals() {
        components = components.response(name, response);
    }
    components.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes::schemas::schemas;
    use crate::web::routes::table;

    #[test]
    fn the_tables_make_a_document_and_every_type_in_it_is_there() {
        let document: serde_json::Value = serde_json::from_slice(&document(table(), schemas()).unwrap()).unwrap();
        let text = document.to_string();
        for named in text.split("#/components/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(document.pointer(&format!("/components/{name}")).is_some(), "{name} is not there");
        }
    }
}
