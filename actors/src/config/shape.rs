//! Finds unknown keys and values of the wrong type in a submitted document.

use std::fmt;

use serde_json::Value;

use super::document::Document;
use super::shown::quoted;
use super::table::{Kind, Node, tree};
use crate::nearest;
use crate::steps::{counted, walked};

/// The words before the type of a wrong value, in its error.
const FOUND: &str = ", found ";

/// A key or value that the table of settings does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its place, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The kind of problem.
    pub kind: ProblemKind,
}

/// The kind of problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The table has no such key.
    Unknown {
        /// The path of the known setting with the most similar name.
        nearest: Option<String>,
    },
    /// The value has the wrong type.
    WrongType(WrongType),
}

/// A value of the wrong type. It is displayed as what the setting must be and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongType {
    /// The type of the setting.
    pub wanted: &'static str,
    /// The type of the value.
    pub found: &'static str,
    /// The value as JSON, if it is short and cannot be a secret.
    pub value: Option<String>,
}

impl Problem {
    /// Returns the place with dots between the keys, as people write it.
    pub fn path(&self) -> String {
        self.pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
    }
}

impl fmt::Display for WrongType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, found, value } = self;
        write!(formatter, "must be {wanted}{FOUND}{found}")?;
        value.as_ref().map_or(Ok(()), |value| write!(formatter, ": {value}"))
    }
}

/// Returns a text with errors of wrong types, one a line, without the values.
pub fn without_values(text: &str) -> String {
    let cut = |line: &str| {
        let found = line.find(FOUND).map(|at| at + FOUND.len());
        let end = found.and_then(|at| line.get(at..)?.find(": ").map(|length| at + length));
        line.get(..end.unwrap_or(line.len())).unwrap_or_default().to_owned()
    };
    text.lines().map(cut).collect::<Vec<String>>().join("\n")
}

/// The maximum length of all pointers of one kind of problem together, in bytes. Further problems of that kind are not
/// listed.
const MAX_POINTER_BYTES: usize = 64 * 1024;

/// Returns the problems of `body`, in the order of its keys, without suggested names, because these take long to find.
///
/// Null is allowed for every setting and section. No value is converted. Of many unknown keys or many wrong types, only
/// the first ones are listed, but at least one of each.
pub fn problems(body: &Document) -> Vec<Problem> {
    found(body, |_, _| None)
}

/// Returns the problems of `body`, with a suggested name for each unknown key.
pub fn explained_problems(body: &Document) -> Vec<Problem> {
    found(body, nearest)
}

fn found(body: &Document, nearest: Nearest) -> Vec<Problem> {
    let room = Room { unknown: MAX_POINTER_BYTES, wrong: MAX_POINTER_BYTES };
    let mut search = Search { found: Vec::new(), room, nearest };
    search.section(body, &Place { node: tree(), step: None });
    search.found
}

type Nearest = fn(&str, &Node) -> Option<String>;

/// The remaining bytes for pointers of each kind of problem.
struct Room {
    unknown: usize,
    wrong: usize,
}

/// A place in the document. Its pointer is made only for a problem, because a caller chooses the length of the keys.
struct Place<'a> {
    node: &'static Node,
    /// The parent place, and the step from it to this one.
    step: Option<(&'a Place<'a>, Step<'a>)>,
}

enum Step<'a> {
    Key(&'a str),
    Element(usize),
}

impl<'a> Place<'a> {
    fn below(&'a self, node: &'static Node, step: Step<'a>) -> Self {
        Self { node, step: Some((self, step)) }
    }

    fn pointer(&self) -> String {
        match &self.step {
            None => String::new(),
            Some((above, Step::Key(key))) => pointer_below(&above.pointer(), key),
            Some((above, Step::Element(position))) => pointer_below(&above.pointer(), &position.to_string()),
        }
    }
}

struct Search {
    found: Vec<Problem>,
    room: Room,
    nearest: Nearest,
}

impl Search {
    fn section(&mut self, section: &Document, place: &Place<'_>) {
        for (key, value) in counted(section.iter()) {
            match place.node.children.get(key.as_str()) {
                None if self.room.unknown > 0 => {
                    let kind = ProblemKind::Unknown { nearest: (self.nearest)(key, place.node) };
                    let pointer = pointer_below(&place.pointer(), key);
                    self.room.unknown = self.room.unknown.saturating_sub(pointer.len());
                    self.found.push(Problem { pointer, kind });
                }
                Some(node) if !value.is_null() => self.value(value, &place.below(node, Step::Key(key))),
                None | Some(_) => {}
            }
        }
    }

    fn value(&mut self, value: &Value, place: &Place<'_>) {
        let kind = place.node.kind();
        match (kind, value) {
            (Kind::Object, Value::Object(section)) => self.section(section, place),
            (Kind::Strings, Value::Array(elements)) => {
                for (position, element) in counted(elements.iter()).enumerate() {
                    self.kind(Kind::String, element, &place.below(place.node, Step::Element(position)));
                }
            }
            (Kind::Objects, Value::Array(elements)) => self.elements(elements, place),
            (Kind::Map, Value::Object(map)) => self.map(map, place),
            (kind, value) => self.kind(kind, value, place),
        }
    }

    fn elements(&mut self, elements: &[Value], place: &Place<'_>) {
        let Some(node) = place.node.children.get("[]") else { return };
        for (position, element) in counted(elements.iter()).enumerate() {
            self.value(element, &place.below(node, Step::Element(position)));
        }
    }

    fn map(&mut self, map: &Document, place: &Place<'_>) {
        let values = place.node.setting.and_then(|setting| setting.values);
        for (key, value) in counted(map.iter()).filter(|(_, value)| !value.is_null()) {
            match (place.node.children.get("<plugin id>"), values) {
                (Some(node), _) => self.value(value, &place.below(node, Step::Key(key))),
                (None, Some(kind)) => self.kind(kind, value, &place.below(place.node, Step::Key(key))),
                (None, None) => {}
            }
        }
    }

    fn kind(&mut self, wanted: Kind, value: &Value, place: &Place<'_>) {
        let is_listed = !wanted.admits(value) && self.room.wrong > 0;
        if is_listed {
            let value_shown = place.node.setting.and_then(|setting| quoted(setting, value));
            let wrong = WrongType { wanted: wanted.name(), found: name_of(value), value: value_shown };
            let kind = ProblemKind::WrongType(wrong);
            let pointer = place.pointer();
            self.room.wrong = self.room.wrong.saturating_sub(pointer.len());
            self.found.push(Problem { pointer, kind });
        }
    }
}

fn nearest(key: &str, node: &Node) -> Option<String> {
    let known = nearest::nearest(key, node.children.keys().copied())?;
    let setting = node.children.get(known).and_then(|node| node.setting);
    Some(setting.map_or_else(|| known.to_owned(), |setting| setting.path.clone()))
}

/// Returns the JSON pointer of `key` below `pointer`.
pub(super) fn pointer_below(pointer: &str, key: &str) -> String {
    walked(pointer.len() + key.len());
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
    use super::super::table::defaults;
    use super::*;

    fn found_in(body: &Value) -> Vec<(String, ProblemKind)> {
        let problems = explained_problems(body.as_object().unwrap());
        let without_value = |kind| match kind {
            ProblemKind::WrongType(wrong) => ProblemKind::WrongType(WrongType { value: None, ..wrong }),
            ProblemKind::Unknown { .. } => kind,
        };
        problems.into_iter().map(|problem| (problem.pointer, without_value(problem.kind))).collect()
    }

    fn wrong(pointer: &str, wanted: &'static str, found: &'static str) -> (String, ProblemKind) {
        (pointer.to_owned(), ProblemKind::WrongType(WrongType { wanted, found, value: None }))
    }

    fn unknown(pointer: &str, nearest: Option<&str>) -> (String, ProblemKind) {
        (pointer.to_owned(), ProblemKind::Unknown { nearest: nearest.map(str::to_owned) })
    }

    #[test]
    fn the_defaults_fit() {
        assert_eq!(problems(&defaults()), []);
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
                unknown("/ServiceSettings.SiteURL", None),
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

    #[test]
    fn a_wrong_value_is_shown_unless_it_may_be_a_secret_or_is_long() {
        let body = json!({
            "EmailSettings": {"SMTPPassword": 987_654_321, "SMTPServer": {"canary": 1}, "SMTPPort": 25},
            "SqlSettings": {"DataSource": 7, "DataSourceReplicas": "canary", "ReplicaLagSettings": "canary"},
            "PluginSettings": {"Plugins": {"one": "canary"}, "PluginStates": {"one": true}},
            "TeamSettings": {"MaxUsersPerTeam": "many", "SiteName": 7, "EnableOpenServer": "c".repeat(200)},
            "DisplaySettings": {"CustomURLSchemes": "git"},
            "ServiceSettings": {"ReadTimeout": "http://me:canary@host"},
            "FileSettings": "canary",
        });
        let shown = |problem: Problem| match &problem.kind {
            ProblemKind::WrongType(wrong) => wrong.value.is_some().then(|| format!("{} {wrong}", problem.path())),
            ProblemKind::Unknown { .. } => None,
        };
        let shown: Vec<String> = problems(body.as_object().unwrap()).into_iter().filter_map(shown).collect();
        let wanted = [
            "DisplaySettings.CustomURLSchemes must be a list of strings, found a string: \"git\"",
            "EmailSettings.SMTPPort must be a string, found a whole number: 25",
            "TeamSettings.MaxUsersPerTeam must be a whole number, found a string: \"many\"",
            "TeamSettings.SiteName must be a string, found a whole number: 7",
        ];
        assert_eq!(shown, wanted);
        let text = format!("own.json:3: {}\n{}\nother: words", wanted[0], wanted[2]);
        let cut = "own.json:3: DisplaySettings.CustomURLSchemes must be a list of strings, found a string\n\
                   TeamSettings.MaxUsersPerTeam must be a whole number, found a string\nother: words";
        assert_eq!(without_values(&text), cut);
    }

    #[test]
    fn of_many_problems_only_the_first_are_listed_and_a_wrong_type_is_never_missed() {
        let mut body: Document = (0..100_000).map(|number| (format!("Unknown{number}"), json!(1))).collect();
        body.insert("Z".repeat(100_000), json!(1));
        body.insert("ZSettings".to_owned(), json!(1));
        let states: Document = (0..10_000).map(|number| (format!("plugin{number}"), json!(1))).collect();
        body.insert("PluginSettings".to_owned(), json!({ "PluginStates": states }));
        let listed = problems(&body);
        let bytes: usize = listed.iter().map(|problem| problem.pointer.len()).sum();
        assert!(bytes < 3 * MAX_POINTER_BYTES, "{bytes}");
        let is_wrong = |problem: &&Problem| matches!(problem.kind, ProblemKind::WrongType(_));
        assert!(listed.iter().any(|problem| is_wrong(&problem)));
        assert!(listed.iter().any(|problem| !is_wrong(&problem)));
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
