//! Keys of a stored document that are no settings here, such as settings of a newer server. They are kept and never
//! used.

use serde_json::Value;

use super::document::Document;
use super::table::{Kind, Node, tree};
use crate::steps::counted;

/// The section that is never stored.
const FLAGS: &str = "FeatureFlags";

/// Returns the parts of `document` that the table of settings does not know.
pub fn extras(document: &Document) -> Document {
    let mut extras = split(document, tree()).1;
    extras.remove(FLAGS);
    extras
}

/// Returns the parts of `document` that the table of settings knows.
pub fn without_extras(document: &Document) -> Document {
    split(document, tree()).0
}

/// Returns `document` with `extras` added in their places.
pub fn with_extras(mut document: Document, extras: &Document) -> Document {
    add(&mut document, extras);
    document
}

/// Splits a section into the parts that the table knows below `node` and the other parts.
fn split(section: &Document, node: &Node) -> (Document, Document) {
    let (mut known, mut unknown) = (Document::new(), Document::new());
    for (key, value) in counted(section.iter()) {
        match (node.children.get(key.as_str()), value) {
            (None, _) => {
                unknown.insert(key.clone(), value.clone());
            }
            (Some(node), Value::Object(inner)) if node.kind() == Kind::Object => {
                let (inner, extras) = split(inner, node);
                known.insert(key.clone(), Value::Object(inner));
                if !extras.is_empty() {
                    unknown.insert(key.clone(), Value::Object(extras));
                }
            }
            (Some(_), _) => {
                known.insert(key.clone(), value.clone());
            }
        }
    }
    (known, unknown)
}

fn add(document: &mut Document, extras: &Document) {
    for (key, extra) in extras {
        match (document.get_mut(key), extra) {
            (Some(Value::Object(section)), Value::Object(extras)) => add(section, extras),
            (_, extra) => {
                document.insert(key.clone(), extra.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::table::defaults;
    use super::*;

    fn object(value: &Value) -> Document {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_the_table_does_not_know_is_found_at_every_depth_and_goes_back_to_its_place() {
        let document = object(&json!({
            "NewerSettings": { "Enable": true },
            "TeamSettings": { "SiteName": "one", "Newer": [1] },
            "MessageExportSettings": { "GlobalRelaySettings": { "CustomerType": "A9", "Newer": null } },
        }));
        let extras = extras(&document);
        let expected = json!({
            "NewerSettings": { "Enable": true },
            "TeamSettings": { "Newer": [1] },
            "MessageExportSettings": { "GlobalRelaySettings": { "Newer": null } },
        });
        assert_eq!(Value::Object(extras.clone()), expected);
        let known = without_extras(&document);
        assert_eq!(known["TeamSettings"], json!({ "SiteName": "one" }));
        assert_eq!(with_extras(known, &extras), document);
    }

    #[test]
    fn settings_maps_and_flags_are_no_extras() {
        let mut document = defaults();
        document.insert("FeatureFlags".to_owned(), json!({ "Newer": true }));
        document.insert("PluginSettings".to_owned(), json!({ "Plugins": { "com.example.any": { "any": 1 } } }));
        assert_eq!(extras(&document), Document::new());
    }
}
