//! Puts secrets back in place of the placeholders in a submitted document.

use std::collections::HashMap;
use std::fmt;
use std::vec::IntoIter;

use serde_json::Value;

use super::column::Mask;
use super::document::{Document, below};
use super::secrets::{PLACEHOLDER, masked};
use super::shape::pointer_below;
use super::table::settings;
use crate::steps::{counted, walked};

/// A submitted document with its secrets, and the placeholders that could not be replaced.
#[derive(Default)]
pub struct Restored {
    /// The document without any placeholder.
    pub document: Document,
    /// The paths without a stored secret. Their settings are left out.
    pub unset: Vec<String>,
    /// The JSON pointers of list elements for which the stored secret is uncertain.
    pub ambiguous: Vec<String>,
}

/// Returns `submitted` with the value of `stored` in place of each placeholder.
///
/// A placeholder without a stored value is left out, so a placeholder is never stored.
///
/// A list element means the stored element that looks the same to readers, if the number of elements with that look is
/// unchanged. Otherwise it means the stored element at its position, if the list has the same length and, for elements
/// of which readers see more than the placeholder, no other element has changed.
pub fn restored(submitted: &Document, stored: &Document) -> Restored {
    let (stored, seen) = (Value::Object(stored.clone()), Value::Object(masked(stored)));
    let mut restored = Restored::default();
    let place = Place { path: String::new(), pointer: String::new() };
    restored.document = restored.section(submitted, Some(Known { stored: &stored, seen: &seen }), &place);
    restored
}

impl fmt::Debug for Restored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Restored");
        shown.field("unset", &self.unset).field("ambiguous", &self.ambiguous).finish_non_exhaustive()
    }
}

/// A stored value, and the form in which readers see it.
#[derive(Clone, Copy)]
struct Known<'a> {
    stored: &'a Value,
    seen: &'a Value,
}

impl<'a> Known<'a> {
    fn member(self, key: &str) -> Option<Self> {
        let stored = self.stored.get(key)?;
        // Readers never see values below a hidden value.
        Some(Self { stored, seen: self.seen.get(key).unwrap_or(&Value::Null) })
    }

    fn elements(self) -> Vec<Known<'a>> {
        let (Some(stored), Some(seen)) = (self.stored.as_array(), self.seen.as_array()) else { return Vec::new() };
        stored.iter().zip(seen).map(|(stored, seen)| Known { stored, seen }).collect()
    }
}

struct Place {
    path: String,
    pointer: String,
}

impl Place {
    fn below(&self, key: &str) -> Self {
        Self { path: below(&self.path, key), pointer: pointer_below(&self.pointer, key) }
    }

    fn element(&self, position: usize) -> Self {
        let pointer = pointer_below(&self.pointer, &position.to_string());
        Self { path: format!("{}[{position}]", self.path), pointer }
    }
}

impl Restored {
    fn section(&mut self, submitted: &Document, known: Option<Known<'_>>, place: &Place) -> Document {
        let restore = |(key, value): (&String, &Value)| {
            let known = known.and_then(|known| known.member(key));
            Some((key.clone(), self.value(value, known, &place.below(key))?))
        };
        submitted.iter().filter_map(restore).collect()
    }

    fn value(&mut self, submitted: &Value, known: Option<Known<'_>>, place: &Place) -> Option<Value> {
        match submitted {
            Value::String(text) if text == PLACEHOLDER => {
                let stored = known.map(|known| known.stored);
                let kept = stored.filter(|stored| !stored.is_null() && **stored != PLACEHOLDER);
                if kept.is_none_or(|kept| is_shown(kept, &place.path)) {
                    self.unset.push(place.path.clone());
                }
                kept.cloned()
            }
            Value::Object(section) => Some(Value::Object(self.section(section, known, place))),
            Value::Array(elements) => {
                let known = known.map(Known::elements).unwrap_or_default();
                Some(Value::Array(self.elements(elements, &known, place)))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(submitted.clone()),
        }
    }

    fn elements(&mut self, submitted: &[Value], known: &[Known<'_>], place: &Place) -> Vec<Value> {
        if !counted(submitted.iter()).any(holds_placeholder) {
            return submitted.to_vec();
        }
        let mut counterparts = Counterparts::new(submitted, known);
        let restore = |(position, element): (usize, &Value)| {
            let place = place.element(position);
            let counterpart = counterparts.of(position, element);
            let is_uncertain = holds_placeholder(element) && counterpart.is_none() && !known.is_empty();
            if is_uncertain {
                self.ambiguous.push(place.pointer);
                return None;
            }
            self.value(element, counterpart, &place)
        };
        submitted.iter().enumerate().filter_map(restore).collect()
    }
}

/// The stored elements that the elements of a submitted list mean, if that is certain.
struct Counterparts<'a> {
    known: &'a [Known<'a>],
    /// For each look with the same number of elements in both lists: the stored elements that are not used yet.
    settled: HashMap<&'a Value, IntoIter<Known<'a>>>,
    is_as_long: bool,
    /// The number of positions at which the two lists look different.
    different: usize,
}

impl<'a> Counterparts<'a> {
    /// Walks over each list once, because the caller chooses the length of the submitted one.
    fn new(submitted: &'a [Value], known: &'a [Known<'a>]) -> Self {
        let mut submitted_looks: HashMap<&Value, usize> = HashMap::new();
        for look in counted(submitted.iter()) {
            *submitted_looks.entry(look).or_default() += 1;
        }
        let mut stored_looks: HashMap<&Value, Vec<Known<'a>>> = HashMap::new();
        for known in counted(known.iter()) {
            stored_looks.entry(known.seen).or_default().push(*known);
        }
        stored_looks.retain(|look, stored| submitted_looks.get(look) == Some(&stored.len()));
        let settled = stored_looks.into_iter().map(|(look, stored)| (look, stored.into_iter())).collect();
        let different = counted(submitted.iter().zip(known)).filter(|(element, known)| *element != known.seen).count();
        Self { known, settled, is_as_long: submitted.len() == known.len(), different }
    }

    /// Returns the stored element that the submitted one at `position` means. Must be called once for each position, in
    /// order.
    fn of(&mut self, position: usize, element: &Value) -> Option<Known<'a>> {
        if let Some(stored) = self.settled.get_mut(element) {
            return stored.next();
        }
        let known = self.known.get(position).copied()?;
        let others_different = self.different - usize::from(element != known.seen);
        let is_certain = self.is_as_long && (element == PLACEHOLDER || others_different == 0);
        is_certain.then_some(known)
    }
}

/// Returns true if `value` contains the placeholder at any depth.
pub(super) fn holds_placeholder(value: &Value) -> bool {
    walked(1);
    match value {
        Value::String(text) => text == PLACEHOLDER,
        Value::Array(elements) => elements.iter().any(holds_placeholder),
        Value::Object(section) => section.values().any(holds_placeholder),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns true if readers see that the secret is empty. Then no placeholder of theirs stands for it.
fn is_shown(secret: &Value, path: &str) -> bool {
    *secret == "" && settings().get(path).is_some_and(|setting| setting.mask == Some(Mask::NonEmpty))
}

#[cfg(test)]
mod tests;
