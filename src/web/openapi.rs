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
    ServerBuilder,
};

use crate::base::version::VERSION;
use crate::web::error::Envelope;
use crate::web::routes::operation::{Description, Tag};
use crate::web::routes::route::{Route, Verb};
use crate::web::schema::{Schemas, add};
use operations::{operation, refusals};

/// The address that completes the paths of the document. It is relative to the address of the document, so it is right
/// below the path of a site as well, even if a proxy takes that path off.
const SERVER: &str = "../..";

const ABOUT: &str = "The system area of the Mattermost REST API v4, with extensions for administrators. \
    Every response has the header `X-Request-Id`. Every error is an `AppError` with an id that never changes.";

/// Returns the document of the routes as JSON.
pub(crate) fn document(table: &[Route]) -> Result<Vec<u8>, serde_json::Error> {
    to_json(&assembled(table))
}

fn assembled(table: &[Route]) -> OpenApi {
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
    let server = ServerBuilder::new().url(SERVER).description(Some("This server."));
    let document = OpenApiBuilder::new().info(info).servers(Some([server.build()])).paths(paths).tags(Some(tags));
    document.components(Some(components(schemas(table)))).build()
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
        Verb::Put => HttpMethod::Put,
        Verb::Patch => HttpMethod::Patch,
        Verb::Delete => HttpMethod::Delete,
    }
}

/// Returns the schemas of all structures that routes refer to. A structure in several of them is there more than once.
fn schemas(table: &[Route]) -> Schemas {
    let mut schemas = Schemas::new();
    add::<Envelope<'_>>(&mut schemas);
    for route in table {
        for structure in route.operation.description.iter().flat_map(Description::structures) {
            (structure.add)(&mut schemas);
        }
    }
    schemas
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
    use std::collections::BTreeMap;

    use super::*;
    use crate::web::routes::table;

    #[test]
    fn the_tables_make_a_document_and_every_type_in_it_is_there() {
        let document: serde_json::Value = serde_json::from_slice(&document(table()).unwrap()).unwrap();
        let text = document.to_string();
        for named in text.split("#/components/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(document.pointer(&format!("/components/{name}")).is_some(), "{name} is not there");
        }
    }

    #[test]
    fn no_two_structures_have_the_same_name() {
        let mut known = BTreeMap::new();
        for (name, schema) in schemas(table()) {
            let schema = serde_json::to_value(schema).unwrap();
            let earlier = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*earlier, schema, "{name} stands for two structures");
        }
    }

    #[test]
    fn every_structure_and_every_member_of_one_has_a_description() {
        for (name, schema) in schemas(table()) {
            let schema = serde_json::to_value(schema).unwrap();
            assert!(schema["description"].is_string(), "{name}: {schema}");
            // Settings have their descriptions in the documents of Mattermost.
            if name == "Config" {
                continue;
            }
            let parts = schema["allOf"].as_array().map_or_else(|| vec![&schema], |parts| parts.iter().collect());
            for (member, schema) in parts.iter().filter_map(|part| part["properties"].as_object()).flatten() {
                // The description of a structure that may be null is at its reference.
                let is_described = [&schema["description"], &schema["oneOf"][0]["description"]];
                assert!(is_described.iter().any(|about| about.is_string()), "{name}.{member}: {schema}");
            }
        }
    }
}
