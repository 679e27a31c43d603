//! The schemas of structures, for the description of the API.
//!
//! A structure that a body is made of derives `ToSchema`, so its members are written once. The operations in the
//! route table refer to these structures, and the document has those that they refer to.

mod config;

use utoipa::ToSchema;
use utoipa::openapi::{Ref, RefOr, Schema};

pub(crate) use config::ConfigSchema;

/// Schemas with their names.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// Returns the reference to the schema of `T`, for a response, a body, a parameter or a member.
///
/// `T` must be in an operation, or in a structure that is in one.
pub(crate) fn reference<T: ToSchema>() -> RefOr<Schema> {
    Ref::from_schema_name(T::name()).into()
}

/// Adds the schema of `T` and of all structures that it contains.
pub(crate) fn add<T: ToSchema>(schemas: &mut Schemas) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
}
