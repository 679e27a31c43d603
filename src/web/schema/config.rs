//! The schema of the configuration, made from the table of settings.

use std::borrow::Cow;

use quarterdeck_actors::config::table::{Applies, Kind, Setting, settings};
use utoipa::openapi::schema::{AdditionalProperties, KnownFormat, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Array, ArrayBuilder, Object, ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A configuration document. It is a free map in the code, so the table of settings says what it holds.
pub(crate) enum ConfigSchema {}

impl ToSchema for ConfigSchema {
    fn name() -> Cow<'static, str> {
        "Config".into()
    }
}

impl PartialSchema for ConfigSchema {
    fn schema() -> RefOr<Schema> {
        Schema::Object(document()).into()
    }
}

fn document() -> Object {
    let about = "The configuration. Sections and settings that the caller may not read are absent.";
    let mut config = ObjectBuilder::new().description(Some(about)).build();
    // Settings are sorted by path, so a section comes before its members.
    for setting in settings().values() {
        let mut parts: Vec<&str> = setting.path.split('.').collect();
        let Some(name) = parts.pop() else { continue };
        if let Some(section) = parts.into_iter().try_fold(&mut config, section) {
            section.properties.insert(name.to_owned(), schema(setting));
        }
    }
    config
}

/// Returns the section `name` inside `around`. Creates it if it does not exist.
fn section<'a>(around: &'a mut Object, name: &str) -> Option<&'a mut Object> {
    let found = around.properties.entry(name.to_owned()).or_insert_with(|| Object::new().into());
    match found {
        RefOr::T(Schema::Object(section)) => Some(section),
        RefOr::Ref(_) | RefOr::T(_) => None,
    }
}

fn schema(setting: &Setting) -> RefOr<Schema> {
    let when = match setting.applies {
        Applies::Now => None,
        Applies::Reconnect => Some("A change takes effect when a client connects the next time."),
        Applies::Restart => Some("A change takes effect when the server starts the next time."),
    };
    let environment = setting.env.as_ref().map(|name| format!("Pinned by `{name}`."));
    let about: Vec<&str> = environment.as_deref().into_iter().chain(when).collect();
    let about = (!about.is_empty()).then(|| about.join(" "));
    let types =
        |kind| -> SchemaType { if setting.nullable { [kind, Type::Null].into_iter().collect() } else { kind.into() } };
    let object = match setting.kind {
        Kind::Bool => ObjectBuilder::new().schema_type(types(Type::Boolean)),
        Kind::Int => ObjectBuilder::new()
            .schema_type(types(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64))),
        Kind::String => ObjectBuilder::new().schema_type(types(Type::String)),
        Kind::Object => ObjectBuilder::new().schema_type(types(Type::Object)),
        Kind::Map => ObjectBuilder::new()
            .schema_type(types(Type::Object))
            .additional_properties(Some(AdditionalProperties::FreeForm(true))),
        Kind::RawJson => ObjectBuilder::new().schema_type(SchemaType::AnyValue),
        Kind::Strings => return list(Type::String, types(Type::Array), about),
        Kind::Objects => return list(Type::Object, types(Type::Array), about),
    };
    object.description(about).build().into()
}

fn list(items: Type, types: SchemaType, about: Option<String>) -> RefOr<Schema> {
    let items = ObjectBuilder::new().schema_type(items).build();
    let list: Array = ArrayBuilder::new().items(items).schema_type(types).description(about).build();
    list.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_its_place() {
        let config = serde_json::to_value(document()).unwrap();
        for setting in settings().values() {
            let place = setting.path.replace('.', "/properties/");
            assert!(config.pointer(&format!("/properties/{place}")).is_some(), "{} has none", setting.path);
        }
    }
}
