//! Reads a JSON text and finds the keys that it gives twice within one object. A parsed value no longer tells, because
//! the last one replaces the others.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::document::Document;
use super::shape::pointer_below;
use super::spelling::{DoubledKey, MAX_LISTED, spelled};
use crate::steps::walked;

/// The maximum length of all listed pointers together, in bytes. At least one repeated key is listed.
const MAX_POINTER_BYTES: usize = 64 * 1024;

/// A JSON value, with the keys that its text gives twice within one object.
#[derive(Debug)]
pub struct Parsed {
    /// The value. Of a repeated key it has the last value.
    pub value: Value,
    /// The repeated keys. Only the first ones are listed.
    pub repeated: Vec<DoubledKey>,
}

impl Parsed {
    /// Returns the object, if the value is one.
    pub fn document(self) -> Option<(Document, Vec<DoubledKey>)> {
        match self.value {
            Value::Object(document) => Some((document, self.repeated)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        }
    }

    /// Returns a submitted document in today's spelling, or the keys that it gives twice, in one spelling or in two. A
    /// value that is no object counts as a document without settings.
    pub fn spelled(self) -> Result<Document, Vec<DoubledKey>> {
        let (document, repeated) = self.document().unwrap_or_default();
        match (spelled(document), repeated.is_empty()) {
            (spelled, true) => spelled,
            (Ok(_), false) => Err(repeated),
            (Err(doubled), false) => Err([repeated, doubled].concat()),
        }
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = RefCell::new(Found { repeated: Vec::new(), room: MAX_POINTER_BYTES });
        let value = Reader { place: &Place::Root, found: &found }.deserialize(deserializer)?;
        Ok(Self { value, repeated: found.into_inner().repeated })
    }
}

struct Found {
    repeated: Vec<DoubledKey>,
    /// The remaining bytes for pointers.
    room: usize,
}

/// A place in the text. Its pointer is made only for a repeated key, because a caller chooses the length of the keys.
enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn pointer(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(above, key) => pointer_below(&above.pointer(), key),
            Self::Element(above, position) => pointer_below(&above.pointer(), &position.to_string()),
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    place: &'a Place<'a>,
    found: &'a RefCell<Found>,
}

impl Reader<'_> {
    fn note(self, key: &str) {
        let mut found = self.found.borrow_mut();
        let is_listed = found.repeated.len() < MAX_LISTED && found.room > 0;
        if is_listed {
            let pointer = pointer_below(&self.place.pointer(), key);
            found.room = found.room.saturating_sub(pointer.len());
            found.repeated.push(DoubledKey { pointer, counts: key.to_owned(), other: key.to_owned() });
        }
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let place = Place::Element(self.place, list.len());
            match elements.next_element_seed(Reader { place: &place, found: self.found })? {
                Some(element) => list.push(element),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            walked(key.len());
            let place = Place::Key(self.place, &key);
            let value = members.next_value_seed(Reader { place: &place, found: self.found })?;
            if map.contains_key(&key) {
                self.note(&key);
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::arbitrary::documents;
    use super::*;
    use crate::steps::assert_linear;

    fn parsed(text: &str) -> Parsed {
        serde_json::from_str(text).unwrap()
    }

    fn pointers(text: &str) -> Vec<String> {
        parsed(text).repeated.into_iter().map(|key| key.pointer).collect()
    }

    #[test]
    fn a_key_that_one_object_has_twice_is_named_by_its_place() {
        let text =
            r#"{"A": {"x": 1, "x": [{"y": 1}, {"y": 1, "\u0079": null}]}, "B": {"x": 1}, "A": 2, "a/b": 1, "a/b": 1}"#;
        assert_eq!(pointers(text), ["/A/x/1/y", "/A/x", "/A", "/a~1b"]);
        assert_eq!(parsed(text).value, json!({"A": 2, "B": {"x": 1}, "a/b": 1}), "the last one counts");
        assert_eq!(pointers(r#"[{"a": 1}, {"a": 1}]"#), [""; 0]);
    }

    #[test]
    fn a_key_in_one_spelling_and_one_in_two_are_refused_together() {
        let text = r#"{"TeamSettings": {"SiteName": 1, "SiteName": 2, "MaxUsersPerTeam": 1, "maxusersperteam": 2}}"#;
        let doubled = parsed(text).spelled().unwrap_err();
        let named: Vec<(&str, &str)> = doubled.iter().map(|key| (key.pointer.as_str(), key.other.as_str())).collect();
        let wanted = [("/TeamSettings/SiteName", "SiteName"), ("/TeamSettings/MaxUsersPerTeam", "maxusersperteam")];
        assert_eq!(named, wanted);
        assert_eq!(parsed("7").spelled().unwrap(), Document::new());
        assert_eq!(Value::Object(parsed(r#"{"teamsettings": {}}"#).spelled().unwrap()), json!({"TeamSettings": {}}));
    }

    #[test]
    fn the_list_is_bounded_and_the_work_is_linear() {
        let many = |size: usize| format!("{{\"a\": 1{}}}", ", \"a\": 1".repeat(size / 8));
        assert_eq!(pointers(&many(10_000)).len(), MAX_LISTED);
        let long = "k".repeat(MAX_POINTER_BYTES);
        assert_eq!(pointers(&format!(r#"{{"{long}": {{"a": 1, "a": 2, "a": 3}}}}"#)).len(), 1);
        assert_linear("repeated keys", 5_000, |size| drop(parsed(&many(size))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_text_is_read_as_any_json_is(document in documents()) {
            let read = parsed(&serde_json::to_string(&document).unwrap());
            prop_assert_eq!(read.value, Value::Object(document));
            prop_assert_eq!(read.repeated, []);
        }
    }
}
