//! What does not fit the table of settings in a submitted document: unknown keys and wrong types.

use serde_json::Value;

use super::document::Document;
use super::table::{Kind, Node, tree};

/// Names further apart than this are not offered as what was meant.
const LIKENESS: f64 = 0.7;

/// A place of a document that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong there.
    pub kind: ProblemKind,
}

/// What is wrong at a place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The table has no such key.
    Unknown {
        /// The path that was probably meant.
        nearest: Option<String>,
    },
    /// The value is of another type.
    WrongType {
        /// What the setting takes.
        wanted: &'static str,
        /// What it was given.
        found: &'static str,
    },
}

/// Everything in `body` that does not fit, in the order of its keys.
///
/// Null fits everywhere a setting or a section stands; nothing is converted.
pub fn problems(body: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    check_section(body, &Place { node: tree(), pointer: String::new() }, &mut problems);
    problems
}

struct Place {
    node: &'static Node,
    pointer: String,
}

impl Place {
    fn below(&self, node: &'static Node, key: &str) -> Self {
        Self { node, pointer: pointer_below(&self.pointer, key) }
    }
}

fn check_section(section: &Document, place: &Place, problems: &mut Vec<Problem>) {
    for (key, value) in section {
        match place.node.children.get(key.as_str()) {
            None => problems.push(Problem {
                pointer: pointer_below(&place.pointer, key),
                kind: ProblemKind::Unknown { nearest: nearest(key, place.node) },
            }),
            Some(node) if !value.is_null() => check(value, &place.below(node, key), problems),
            Some(_) => {}
        }
    }
}

fn check(value: &Value, place: &Place, problems: &mut Vec<Problem>) {
    let kind = place.node.kind();
    match (kind, value) {
        (Kind::Object, Value::Object(section)) => check_section(section, place, problems),
        (Kind::Strings, Value::Array(elements)) => {
            for (position, element) in elements.iter().enumerate() {
                check_kind(Kind::String, element, &pointer_below(&place.pointer, &position.to_string()), problems);
            }
        }
        (Kind::Objects, Value::Array(elements)) => check_elements(elements, place, problems),
        (Kind::Map, Value::Object(map)) => check_map(map, place, problems),
        (kind, value) => check_kind(kind, value, &place.pointer, problems),
    }
}

fn check_elements(elements: &[Value], place: &Place, problems: &mut Vec<Problem>) {
    let Some(node) = place.node.children.get("[]") else { return };
    for (position, element) in elements.iter().enumerate() {
        check(element, &place.below(node, &position.to_string()), problems);
    }
}

fn check_map(map: &Document, place: &Place, problems: &mut Vec<Problem>) {
    let values = place.node.setting.and_then(|setting| setting.values);
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        match (place.node.children.get("<plugin id>"), values) {
            (Some(node), _) => check(value, &place.below(node, key), problems),
            (None, Some(kind)) => check_kind(kind, value, &pointer_below(&place.pointer, key), problems),
            (None, None) => {}
        }
    }
}

fn check_kind(wanted: Kind, value: &Value, pointer: &str, problems: &mut Vec<Problem>) {
    if !wanted.admits(value) {
        let kind = ProblemKind::WrongType { wanted: wanted.name(), found: name_of(value) };
        problems.push(Problem { pointer: pointer.to_owned(), kind });
    }
}

fn nearest(key: &str, node: &Node) -> Option<String> {
    let likeness = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &key.to_lowercase());
    let (_, (known, node)) = node
        .children
        .iter()
        .map(|child| (likeness(child.0), child))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    Some(node.setting.map_or_else(|| (*known).to_owned(), |setting| setting.path.clone()))
}

/// The place `key` below a place, as a JSON pointer.
pub(super) fn pointer_below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_i64() => "a whole number",
        Value::Number(_) => "a number with a fraction or out of range",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a section",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::arbitrary::{documents, patches};
    use super::super::table::{Mode, defaults};
    use super::*;

    fn found_in(body: &Value) -> Vec<(String, ProblemKind)> {
        let problems = problems(body.as_object().unwrap());
        problems.into_iter().map(|problem| (problem.pointer, problem.kind)).collect()
    }

    fn wrong(pointer: &str, wanted: &'static str, found: &'static str) -> (String, ProblemKind) {
        (pointer.to_owned(), ProblemKind::WrongType { wanted, found })
    }

    fn unknown(pointer: &str, nearest: Option<&str>) -> (String, ProblemKind) {
        (pointer.to_owned(), ProblemKind::Unknown { nearest: nearest.map(str::to_owned) })
    }

    #[test]
    fn the_defaults_fit() {
        assert_eq!(problems(&defaults(Mode::Blank)), []);
    }

    #[test]
    fn null_fits_every_section_and_setting() {
        let body = json!({
            "TeamSettings": null, "SqlSettings": {"DataSource": null, "ReplicaLagSettings": [{"DataSource": null}]},
            "PluginSettings": {"Plugins": {"one": null}, "PluginStates": {"one": {"Enable": null}}},
        });
        assert_eq!(found_in(&body), []);
    }

    #[test]
    fn a_key_that_the_table_lacks_is_unknown_and_the_nearest_is_named() {
        let body = json!({
            "TeamSetings": {}, "ServiceSettings": {"siteurl": "", "Quux": 1},
            "SqlSettings": {"ReplicaLagSettings[]": {}, "ReplicaLagSettings": [{"DataSorce": ""}]},
            "PluginSettings": {"PluginStates": {"one": {"Enabled": true}}},
            "ServiceSettings.SiteURL": "", "a/b~c": 1,
        });
        assert_eq!(
            found_in(&body),
            [
                unknown(
                    "/PluginSettings/PluginStates/one/Enabled",
                    Some("PluginSettings.PluginStates.<plugin id>.Enable")
                ),
                unknown("/ServiceSettings/Quux", None),
                unknown("/ServiceSettings/siteurl", Some("ServiceSettings.SiteURL")),
                unknown("/ServiceSettings.SiteURL", Some("ServiceSettings")),
                unknown(
                    "/SqlSettings/ReplicaLagSettings/0/DataSorce",
                    Some("SqlSettings.ReplicaLagSettings[].DataSource")
                ),
                unknown("/SqlSettings/ReplicaLagSettings[]", Some("SqlSettings.ReplicaLagSettings")),
                unknown("/TeamSetings", Some("TeamSettings")),
                unknown("/a~1b~0c", None),
            ]
        );
    }

    #[test]
    fn nothing_is_converted() {
        let body = json!({
            "FileSettings": [],
            "PluginSettings": {"Plugins": {"one": 1}, "PluginStates": {"one": true}},
            "ServiceSettings": {"SiteURL": 1, "EnableTesting": 0, "ReadTimeout": 5.0, "WriteTimeout": u64::MAX, "IdleTimeout": "60"},
            "SqlSettings": {"DataSourceReplicas": ["one", null], "ReplicaLagSettings": [null]},
            "ContentFlaggingSettings": {"NotificationSettings": {"EventTargetMapping": {"flagged": "author"}}},
        });
        let whole = "a whole number";
        let fraction = "a number with a fraction or out of range";
        assert_eq!(
            found_in(&body),
            [
                wrong(
                    "/ContentFlaggingSettings/NotificationSettings/EventTargetMapping/flagged",
                    "a list of strings",
                    "a string"
                ),
                wrong("/FileSettings", "a section", "a list"),
                wrong("/PluginSettings/PluginStates/one", "a section", "true or false"),
                wrong("/PluginSettings/Plugins/one", "a section", whole),
                wrong("/ServiceSettings/EnableTesting", "true or false", whole),
                wrong("/ServiceSettings/IdleTimeout", whole, "a string"),
                wrong("/ServiceSettings/ReadTimeout", whole, fraction),
                wrong("/ServiceSettings/SiteURL", "a string", whole),
                wrong("/ServiceSettings/WriteTimeout", whole, fraction),
                wrong("/SqlSettings/DataSourceReplicas/1", "a string", "null"),
                wrong("/SqlSettings/ReplicaLagSettings/0", "a section", "null"),
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_the_table_admits_fits(document in documents(), patch in patches()) {
            prop_assert_eq!(problems(&document), []);
            prop_assert_eq!(problems(&patch), []);
        }
    }
}
