//! Decodes structures with members in any letter case, as Mattermost does: a name that fits exactly comes first.

use std::borrow::Cow;
use std::fmt;

use quarterdeck_actors::spelling::is_same;
use quarterdeck_actors::steps::walked;
use serde::de::value::CowStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};

/// A value whose own members may be in any letter case. Two spellings of a member are refused, as a member that stands
/// twice is.
pub(crate) struct AnyCase<T>(pub(crate) T);

/// Members of an object, as the source of a structure that is read leniently. Of two spellings of a member the exact one
/// counts, otherwise the last.
pub(crate) struct Members(pub(crate) Map<String, Value>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyCase<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(Source(deserializer)).map(Self)
    }
}

/// Returns the name among `names` that is `key`, in another letter case if none is exactly `key`.
fn known(key: &str, names: &'static [&'static str]) -> Option<&'static str> {
    walked(key.len());
    let exact = names.iter().find(|name| **name == key);
    exact.or_else(|| names.iter().find(|name| is_same(name, key))).copied()
}

struct Source<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Source<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, names, Structure { visitor, names })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// The visitor of a structure, which is told its own names of the members.
struct Structure<V> {
    visitor: V,
    names: &'static [&'static str],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Structure<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Renamed { members, names: self.names })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(elements)
    }
}

struct Renamed<A> {
    members: A,
    names: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Renamed<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.members.next_key::<String>()? else { return Ok(None) };
        let name = known(&key, self.names).map_or(Cow::Owned(key), Cow::Borrowed);
        seed.deserialize(CowStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

impl<'de> Deserializer<'de> for Members {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        Value::Object(self.0).deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let mut members = Map::new();
        let mut others = Vec::new();
        for (key, value) in self.0 {
            match known(&key, names) {
                Some(name) if name != key => others.push((name, value)),
                Some(_) | None => drop(members.insert(key, value)),
            }
        }
        for (name, value) in others.into_iter().rev() {
            members.entry(name).or_insert(value);
        }
        Value::Object(members).deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Profile {
        nickname: String,
        #[serde(rename = "auth_data")]
        data: Option<String>,
        props: Map<String, Value>,
    }

    fn read(text: &str) -> Result<Profile, serde_json::Error> {
        serde_json::from_str(text).map(|AnyCase(profile)| profile)
    }

    fn lenient(members: Value) -> Profile {
        let Value::Object(members) = members else { panic!("no object") };
        Profile::deserialize(Members(members)).unwrap()
    }

    #[test]
    fn members_are_taken_in_any_letter_case_and_unknown_ones_are_left_out() {
        let profile =
            read(r#"{"Nickname": "x", "AUTH_DATA": "y", "Props": {"Key": 1, "key": 2}, "Nick_Name": 1}"#).unwrap();
        assert_eq!((profile.nickname.as_str(), profile.data.as_deref()), ("x", Some("y")));
        assert_eq!(Value::Object(profile.props), json!({"Key": 1, "key": 2}), "the keys of a map stay as they are");
    }

    #[test]
    fn two_spellings_of_a_member_are_refused_as_equal_ones_are() {
        for text in [r#"{"nickname": "x", "Nickname": "y"}"#, r#"{"nickname": "x", "nickname": "y"}"#] {
            assert!(read(text).unwrap_err().is_data(), "{text}");
        }
    }

    #[test]
    fn a_lenient_structure_prefers_the_exact_name() {
        assert_eq!(lenient(json!({"NICKNAME": "x", "nickname": "y", "Nickname": "z"})).nickname, "y");
        assert_eq!(lenient(json!({"NICKNAME": "x", "Nickname": "z"})).nickname, "z");
    }

    #[test]
    fn what_is_no_structure_is_read_as_it_is() {
        let AnyCase(texts): AnyCase<Vec<String>> = serde_json::from_str(r#"["A", "a"]"#).unwrap();
        assert_eq!(texts, ["A", "a"]);
        let AnyCase(map): AnyCase<Map<String, Value>> = serde_json::from_str(r#"{"A": 1, "a": 2}"#).unwrap();
        assert_eq!(Value::Object(map), json!({"A": 1, "a": 2}));
    }
}
