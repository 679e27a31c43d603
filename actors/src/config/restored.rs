//! Secrets put back where a submitted document has placeholders for them.

use serde_json::Value;

use super::document::{Document, below};
use super::secrets::{Mask, PLACEHOLDER, masked};
use super::shape::pointer_below;
use super::table::settings;

/// A submitted document with its secrets, and the placeholders that stand for none.
#[derive(Debug, Default)]
pub struct Restored {
    /// The document without any placeholder.
    pub document: Document,
    /// The paths where nothing is stored; there the setting is left out.
    pub unset: Vec<String>,
    /// The JSON pointers of the elements of lists of which it is uncertain whose secret they mean.
    pub ambiguous: Vec<String>,
}

/// `submitted` with what is `stored` in the place of every placeholder.
///
/// What nothing is stored for is left out: the placeholder itself is never kept, wherever it stands.
///
/// An element of a list is the stored one that looks the same to a reader, as long as there are as many of that look as
/// before. Otherwise it is the one at its position, as long as the list is as long as before and, where readers see more
/// of an element than the placeholder, nothing else in the list has changed.
pub fn restored(submitted: &Document, stored: &Document) -> Restored {
    let (stored, seen) = (Value::Object(stored.clone()), Value::Object(masked(stored)));
    let mut restored = Restored::default();
    let place = Place { path: String::new(), pointer: String::new() };
    restored.document = restored.section(submitted, Some(Known { stored: &stored, seen: &seen }), &place);
    restored
}

/// A stored value, and what readers see of it.
#[derive(Clone, Copy)]
struct Known<'a> {
    stored: &'a Value,
    seen: &'a Value,
}

impl<'a> Known<'a> {
    fn member(self, key: &str) -> Option<Self> {
        let stored = self.stored.get(key)?;
        // What is below a hidden value was never seen.
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
        let restore = |(position, element): (usize, &Value)| {
            let place = place.element(position);
            let counterpart = counterpart(submitted, known, position, element);
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

/// The stored element that the submitted one at `position` means, if that is certain.
fn counterpart<'a>(submitted: &[Value], known: &[Known<'a>], position: usize, element: &Value) -> Option<Known<'a>> {
    let is_settled = |look: &Value| {
        let now = submitted.iter().filter(|element| *element == look).count();
        now > 0 && now == known.iter().filter(|known| known.seen == look).count()
    };
    if is_settled(element) {
        let rank = submitted.iter().take(position).filter(|other| *other == element).count();
        return known.iter().filter(|known| known.seen == element).nth(rank).copied();
    }
    let is_as_long = submitted.len() == known.len();
    let others = submitted.iter().zip(known).enumerate().filter(|(other, _)| *other != position);
    let is_only_change = others.map(|(_, pair)| pair).all(|(element, known)| element == known.seen);
    known.get(position).copied().filter(|_| is_as_long && (element == PLACEHOLDER || is_only_change))
}

fn holds_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => text == PLACEHOLDER,
        Value::Array(elements) => elements.iter().any(holds_placeholder),
        Value::Object(section) => section.values().any(holds_placeholder),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether readers see that there is nothing: then no placeholder of theirs stands for it.
fn is_shown(secret: &Value, path: &str) -> bool {
    *secret == "" && settings().get(path).is_some_and(|setting| setting.mask == Some(Mask::NonEmpty))
}

#[cfg(test)]
mod tests;
