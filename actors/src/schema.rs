//! Schemas, for the description of the API, of texts that have one of a few values.

use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};

/// Returns the schema of a text that is one of `texts`.
pub fn one_of<'a>(about: &str, texts: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about)).enum_values(Some(texts)).build().into()
}
