//! The schemas of types, and the notation of types in the table of schemas.
//!
//! `string`, `id`, `integer`, `number`, `boolean`, `object`, `any`, `binary`; the name of a schema, which begins with a
//! capital; `[T]` is a list, `{T}` a map with any keys, `a|b` one of these texts, `T?` a `T` or null. `string+` and
//! `[T]+` must not be empty.

use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, KnownFormat, SchemaFormat, SchemaType, Type as Kind,
};
use utoipa::openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema};

use crate::web::routes::operation::Type;

/// The pattern of an id.
const ID: &str = "^[a-z0-9]{26}$";

/// Returns the schema of a type; `None` if the text is not a type.
pub(super) fn parsed(text: &str) -> Option<RefOr<Schema>> {
    if let Some(inner) = text.strip_suffix('?') {
        let null = ObjectBuilder::new().schema_type(Kind::Null).build();
        return Some(Schema::AnyOf(AnyOfBuilder::new().item(parsed(inner)?).item(null).build()).into());
    }
    let (list, least) = text.strip_suffix('+').map_or((text, None), |text| (text, Some(1)));
    if let Some(inner) = list.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Some(ArrayBuilder::new().items(parsed(inner)?).min_items(least).build().into());
    }
    if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        let values = AdditionalProperties::RefOr(parsed(inner)?);
        return Some(ObjectBuilder::new().additional_properties(Some(values)).build().into());
    }
    if text.contains('|') {
        return Some(one_of(text.split('|')));
    }
    let schema = match text {
        "string" => ObjectBuilder::new().schema_type(Kind::String),
        "string+" => ObjectBuilder::new().schema_type(Kind::String).min_length(Some(1)),
        "id" => ObjectBuilder::new().schema_type(Kind::String).pattern(Some(ID)),
        "binary" => {
            ObjectBuilder::new().schema_type(Kind::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        }
        "integer" => {
            ObjectBuilder::new().schema_type(Kind::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        }
        "number" => ObjectBuilder::new().schema_type(Kind::Number),
        "boolean" => ObjectBuilder::new().schema_type(Kind::Boolean),
        "object" => ObjectBuilder::new(),
        "any" => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
        "OK" | "old" => return Some(one_of([text].into_iter())),
        name if name.starts_with(|first: char| first.is_ascii_uppercase()) => {
            return Some(Ref::from_schema_name(name).into());
        }
        _ => return None,
    };
    Some(schema.build().into())
}

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
        Type::Named(name) => return Ref::from_schema_name(name).into(),
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
    use serde_json::{Value, json};

    use super::*;

    fn written(text: &str) -> Value {
        serde_json::to_value(parsed(text).unwrap()).unwrap()
    }

    #[test]
    fn each_type_has_its_schema() {
        let written = |of: Type| serde_json::to_value(schema(of)).unwrap();
        assert_eq!(written(Type::NonEmptyString), json!({ "type": "string", "minLength": 1 }));
        assert_eq!(written(Type::Integer), json!({ "type": "integer", "format": "int64" }));
        assert_eq!(written(Type::Object), json!({ "type": "object" }));
        assert_eq!(written(Type::OneOf(&["a", "b"])), json!({ "type": "string", "enum": ["a", "b"] }));
        let team = json!({ "$ref": "#/components/schemas/Team" });
        assert_eq!(written(Type::List(&Type::Named("Team"))), json!({ "type": "array", "items": team }));
        let flags = json!({ "type": "array", "items": { "type": "boolean" }, "minItems": 1 });
        assert_eq!(written(Type::NonEmptyList(&Type::Boolean)), flags);
        let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert_eq!(written(Type::Map(&Type::String)), texts);
        let flag = json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] });
        assert_eq!(written(Type::Nullable(&Type::Boolean)), flag);
    }

    #[test]
    fn types_stand_for_schemas() {
        assert_eq!(written("boolean"), json!({ "type": "boolean" }));
        assert_eq!(written("[string]"), json!({ "type": "array", "items": { "type": "string" } }));
        assert_eq!(written("{string}"), json!({ "type": "object", "additionalProperties": { "type": "string" } }));
        assert_eq!(written("a|b"), json!({ "type": "string", "enum": ["a", "b"] }));
        assert_eq!(written("Team"), json!({ "$ref": "#/components/schemas/Team" }));
        assert_eq!(written("boolean?"), json!({ "anyOf": [{ "type": "boolean" }, { "type": "null" }] }));
        assert_eq!(written("any"), json!({}));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for text in ["", "text", "[text]", "{", "[string", "?"] {
            assert!(parsed(text).is_none(), "{text:?}");
        }
    }
}
