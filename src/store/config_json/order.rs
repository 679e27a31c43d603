//! The order of the keys in a file. The next version of the file keeps it, so that an operator can compare the two.

use std::collections::BTreeMap;
use std::fmt;

use quarterdeck_actors::config::document::Document;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::store::pretty;

/// The keys of an object in the order of a text, each with those of its value.
#[derive(Debug, Default)]
struct Order(Vec<(String, Order)>);

/// An object whose keys are written in an order. Keys that the order does not have come last.
struct Ordered<'a>(&'a Document, &'a Order);

/// Returns the document as text, with its keys in the order that they have in the text `before`.
pub(super) fn in_order_of(before: Option<&[u8]>, document: &Document) -> String {
    // A byte order mark is no part of the document.
    let plain = before.map(|before| before.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(before));
    let order = plain.and_then(|plain| serde_json::from_slice(plain).ok()).unwrap_or_default();
    pretty(&Ordered(document, &order))
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(document, Order(order)) = self;
        let none = Order::default();
        let mut left: BTreeMap<&str, &Json> = document.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let mut map = serializer.serialize_map(Some(left.len()))?;
        for (key, order) in order {
            // A key that the text has twice is found once.
            if let Some(value) = left.remove(key.as_str()) {
                entry(&mut map, key, value, order)?;
            }
        }
        for (key, value) in left {
            entry(&mut map, key, value, &none)?;
        }
        map.end()
    }
}

fn entry<M: SerializeMap>(map: &mut M, key: &str, value: &Json, order: &Order) -> Result<(), M::Error> {
    if let Json::Object(members) = value {
        return map.serialize_entry(key, &Ordered(members, order));
    }
    map.serialize_entry(key, value)
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Keys)
    }
}

/// Reads the keys of objects. All other values have none.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Order;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Order, A::Error> {
        let mut order = Vec::new();
        while let Some(member) = members.next_entry()? {
            order.push(member);
        }
        Ok(Order(order))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Order, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Order::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Order, E> {
        Ok(Order::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Order, E> {
        Ok(Order::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Order, E> {
        Ok(Order::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Order, E> {
        Ok(Order::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Order, E> {
        Ok(Order::default())
    }

    fn visit_unit<E>(self) -> Result<Order, E> {
        Ok(Order::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_stay_where_they_are_and_new_ones_come_last() {
        let before =
            br#"{"z": {"b": 1, "a": [{"y": 1, "x": 2}], "gone": null}, "m": true, "a": "text", "z": {"a": 1.5}}"#;
        let after = json!({ "a": "text", "m": {"q": -1, "p": 0}, "n": null, "z": { "a": [], "b": 2, "c": 3 } });
        let text = in_order_of(Some(before), after.as_object().unwrap());
        let plain: String = text.split_whitespace().collect();
        assert_eq!(plain, r#"{"z":{"b":2,"a":[],"c":3},"m":{"p":0,"q":-1},"a":"text","n":null}"#);
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), after);
        let marked = [b"\xEF\xBB\xBF", &before[..]].concat();
        assert_eq!(in_order_of(Some(&marked), after.as_object().unwrap()), text);
    }

    #[test]
    fn a_text_without_keys_gives_no_order() {
        let document = json!({ "b": 1, "a": { "d": 2, "c": 3 } });
        let document = document.as_object().unwrap();
        for before in [None, Some(&b"{"[..]), Some(b"[1, {}]"), Some(b"")] {
            assert_eq!(in_order_of(before, document), pretty(document));
        }
    }
}
