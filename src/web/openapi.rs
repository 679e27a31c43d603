//! The description of the API (`OpenAPI`), made from the route table.
//!
//! A row of the table refers to an operation, which has its description. `operations` adds the responses that all
//! routes of a class share.

mod config;
mod operations;
mod schemas;
mod types;

use quarterdeck_actors::json::to_json;
use thiserror::Error;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder,
};

use crate::base::version::VERSION;
use crate::web::routes::operation::Tag;
use crate::web::routes::route::{Route, Verb};
use operations::{operation, refusals};

const ABOUT: &str = "The system area of the Mattermost REST API v4, and what administrators need around it. \
    Every response has the header `X-Request-Id`. Every error is an `AppError` with an id that never changes.";

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
    /// The document cannot be serialized.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// Returns the document as JSON.
pub(crate) fn document(table: &[Route]) -> Result<Vec<u8>, Fault> {
    Ok(to_json(&assembled(table)?)?)
}

fn assembled(table: &[Route]) -> Result<OpenApi, Fault> {
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
    let document = OpenApiBuilder::new().info(info).paths(paths).tags(Some(tags)).components(Some(components()?));
    Ok(document.build())
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Delete => HttpMethod::Delete,
    }
}

fn components() -> Result<Components, Fault> {
    let mut components = ComponentsBuilder::new()
        .security_scheme("bearerAuth", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
        .security_scheme("cookieAuth", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("MMAUTHTOKEN"))));
    for (name, schema) in schemas::all()? {
        components = components.schema(name, schema);
    }
    for (name, schema) in config::schemas() {
        components = components.schema(name, schema);
    }
    for (name, response) in refusals() {
        components = components.response(name, response);
    }
    Ok(components.build())
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
}
