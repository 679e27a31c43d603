//! The schemas of request and response bodies, read from a table of text.
//!
//! A block begins with a name and its description. The lines after it are indented by two spaces: one for each member,
//! or `=` with the alternative types.

use utoipa::openapi::schema::AnyOf;
use utoipa::openapi::{Object, ObjectBuilder, RefOr, Schema};

use super::Fault;
use super::types::parsed;

const TABLE: &str = include_str!("schemas.txt");

/// Returns all schemas of the table, by name.
pub(super) fn all() -> Result<Vec<(&'static str, Schema)>, Fault> {
    let mut schemas: Vec<(&'static str, Schema)> = Vec::new();
    for (number, line) in TABLE.lines().enumerate() {
        let faulty = |reason: &str| Fault::Line { table: "schemas", line: number + 1, reason: reason.to_owned() };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("  ") {
            None => {
                let (name, about) = line.split_once(": ").ok_or_else(|| faulty("no name and meaning"))?;
                schemas.push((name, ObjectBuilder::new().description(Some(about)).build().into()));
            }
            Some(line) => {
                let (_, schema) = schemas.last_mut().ok_or_else(|| faulty("belongs to no schema"))?;
                add(schema, line).ok_or_else(|| faulty("cannot be read"))?;
            }
        }
    }
    Ok(schemas)
}

fn add(schema: &mut Schema, line: &'static str) -> Option<()> {
    let Schema::Object(object) = schema else { return None };
    match line.strip_prefix("= ") {
        Some(types) => *schema = Schema::AnyOf(any_of(object.description.take(), types)?),
        None => add_member(object, line)?,
    }
    Some(())
}

fn any_of(description: Option<String>, types: &str) -> Option<AnyOf> {
    let mut any = AnyOf::new();
    any.items = types.split(" | ").map(parsed).collect::<Option<_>>()?;
    any.description = description;
    Some(any)
}

fn add_member(object: &mut Object, line: &'static str) -> Option<()> {
    let (what, about) = line.split_once(": ")?;
    let (name, kind) = what.split_once(' ')?;
    let schema = told(parsed(kind)?, about);
    let is_optional = name.ends_with('?');
    let name = name.trim_end_matches('?').to_owned();
    if !is_optional {
        object.required.push(name.clone());
    }
    object.properties.insert(name, schema);
    Some(())
}

/// Returns the schema with its description.
fn told(schema: RefOr<Schema>, about: &str) -> RefOr<Schema> {
    let about = about.to_owned();
    match schema {
        RefOr::Ref(mut named) => {
            named.description = about;
            RefOr::Ref(named)
        }
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(about);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = Some(about);
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::AnyOf(mut any)) => {
            any.description = Some(about);
            RefOr::T(Schema::AnyOf(any))
        }
        other @ RefOr::T(_) => other,
    }
}
