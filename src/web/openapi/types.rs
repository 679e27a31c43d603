//! The schemas of the types that operations name.

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, KnownFormat, SchemaFormat, Type as Kind};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema};

use crate::web::routes::operation::Type;

/// The pattern of an id.
const ID: &str = "^[a-z0-9]{26}$";

fn one_of<'a>(texts: impl Iterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Kind::String).enum_values(Some(texts)).build().into()
}

/// Returns the schema of a type.
pub(super) fn schema(of: Type) -> RefOr<Schema> {
    let object = match of {
        Type::String => ObjectBuilder::new().schema_type(Kind::String),
        Type::NonEmptyString => ObjectBuilder::new().schema_type(Kind::String).min_length(Some(1)),
        Type::Integer => {
            ObjectBuilder::new().schema_type(Kind::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        }
        Type::Boolean => ObjectBuilder::new().schema_type(Kind::Boolean),
        Type::Object => ObjectBuilder::new(),
        Type::OneOf(texts) => return one_of(texts.iter().copied()),
        Type::Structure(structure) => return (structure.reference)(),
        Type::List(items) => return ArrayBuilder::new().items(schema(*items)).build().into(),
        Type::NonEmptyList(items) => {
            return ArrayBuilder::new().items(schema(*items)).min_items(Some(1)).build().into();
        }
        Type::Map(values) => {
            ObjectBuilder::new().additional_properties(Some(AdditionalProperties::RefOr(schema(*values))))
        }
        Type::Nullable(inner) => {
            let null = ObjectBuilder::new().schema_type(Kind::Null).build();
            return Schema::AnyOf(AnyOfBuilder::new().item(schema(*inner)).item(null).build()).into();
        }
    };
    object.build().into()
}

/// Returns the schema of a body that is not JSON.
pub(super) fn text_body(media: &str) -> RefOr<Schema> {
    let body = ObjectBuilder::new().schema_type(Kind::String);
    let is_text = media.starts_with("text/");
    let format = (!is_text).then_some(SchemaFormat::KnownFormat(KnownFormat::Binary));
    body.format(format).build().into()
}

/// Returns the schema and the description of a path parameter.
pub(super) fn in_path(name: &str) -> (RefOr<Schema>, &'static str) {
    let text = ObjectBuilder::new().schema_type(Kind::String);
    match name {
        "user_id" => {
            (text.pattern(Some("^(me|[a-z0-9]{26})$")).build().into(), "The id of an account; `me` is the caller.")
        }
        "username" => (text.build().into(), "The name of an account."),
        "email" => (text.build().into(), "The address of an account."),
        "team_name" => (text.build().into(), "The name of a team, as in addresses."),
        "role_name" => (text.build().into(), "The name of a role."),
        "category" => (text.build().into(), "The category."),
        "name" => (text.build().into(), "The name."),
        _ => (text.pattern(Some(ID)).build().into(), "The id: 26 characters."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::team::Team;

    const TEAM: Type = Type::of::<Team>();

    #[test]
    fn each_type_has_its_schema() {
        let written = |of: Type| serde_json::to_value(schema(of)).unwrap();
        assert_eq!(written(Type::NonEmptyString), json!({ "type": "string", "minLength": 1 }));
        assert_eq!(written(Type::Integer), json!({ "type": "integer", "format": "int64" }));
        assert_eq!(written(Type::Object), json!({ "type": "object" }));
        assert_eq!(written(Type::OneOf(&["a", "b"])), json!({ "type": "string", "enum": ["a", "b"] }));
        let team = json!({ "$ref": "#/components/schemas/Team" });
        assert_eq!(written(Type::List(&TEAM)), json!({ "type": "array", "items": team }));
        let flags = json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 1 });
        assert_eq!(written(Type::NonEmptyList(&Type::Boolean)), flags);
        let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert_eq!(written(Type::Map(&Type::String)), texts);
        let flag = json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] });
        assert_eq!(written(Type::Nullable(&Type::Boolean)), flag);
    }
}
