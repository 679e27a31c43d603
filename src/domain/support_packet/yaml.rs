//! Writes YAML in block style. Every text is quoted, so that it is not parsed as another type.

use std::fmt::Write;

use serde_json::Value;

/// Words that some YAML parsers read as a boolean or as null.
const MEANINGS: [&str; 9] = ["false", "n", "no", "null", "off", "on", "true", "y", "yes"];

/// Returns a document as YAML.
pub(super) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => object(&mut text, value, 0),
        Value::Array(items) if !items.is_empty() => list(&mut text, value, 0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            line(&mut text, value);
        }
    }
    text
}

fn object(text: &mut String, value: &Value, depth: usize) {
    for (key, value) in value.as_object().into_iter().flatten() {
        indent(text, depth);
        member(text, key, value, depth);
    }
}

/// Writes a key and its value. The cursor is at the position of the key.
fn member(text: &mut String, key: &str, value: &Value, depth: usize) {
    text.push_str(&name(key));
    text.push(':');
    below(text, value, depth + 1);
}

fn list(text: &mut String, value: &Value, depth: usize) {
    for item in value.as_array().into_iter().flatten() {
        indent(text, depth);
        text.push('-');
        match item {
            Value::Object(members) if !members.is_empty() => {
                for (at, (key, value)) in members.iter().enumerate() {
                    // The first member follows the dash; the others are on lines below it.
                    if at == 0 {
                        text.push(' ');
                    } else {
                        indent(text, depth + 1);
                    }
                    member(text, key, value, depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                below(text, item, depth + 1);
            }
        }
    }
}

/// Writes a value after a colon or a dash.
fn below(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            object(text, value, depth);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            list(text, value, depth);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            text.push(' ');
            line(text, value);
        }
    }
}

fn line(text: &mut String, scalar: &Value) {
    text.push_str(&quoted(scalar));
    text.push('\n');
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

fn name(key: &str) -> String {
    let is_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word && !MEANINGS.contains(&key) { key.to_owned() } else { quoted(&Value::from(key)) }
}

/// Returns the scalar as JSON, which is valid YAML once characters that YAML does not print are escaped.
fn quoted(scalar: &Value) -> String {
    let mut text = String::new();
    for one in scalar.to_string().chars() {
        match one {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(text, "\\u{:04x}", u32::from(one));
            }
            one => text.push(one),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_written_in_blocks_with_every_text_quoted() {
        let document = json!({
            "version": 2,
            "yes": "no",
            "empty": [],
            "lists": [[1, 2], [], {}],
            "tables": [{ "columns": [{ "name": "a\nb" }], "name": "true" }, "x\u{85}"],
            "nested": { "nothing": null, "really": true },
        });
        let expected = "\
empty: []
lists:
  -
    - 1
    - 2
  - []
  - {}
nested:
  nothing: null
  really: true
tables:
  - columns:
      - name: \"a\\nb\"
    name: \"true\"
  - \"x\\u0085\"
version: 2
\"yes\": \"no\"
";
        assert_eq!(yaml(&document), expected);
        assert_eq!(yaml(&json!({})), "{}\n");
    }
}
