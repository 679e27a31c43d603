//! A demand on one setting, as data. It is met, or it returns the text that describes the wrong value.

use std::path::Path;

use serde_json::Value;

use super::settings::{Settings, text_of};

#[derive(Clone, Copy)]
pub(super) struct Demand {
    pub(super) pointer: &'static str,
    pub(super) form: Form,
}

#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A switch with this value.
    Flag(bool),
    /// A number within this range, both ends included.
    Range(i64, i64),
    /// Any number except this one.
    OtherThan(i64),
    /// A time that is not in the future.
    Past,
    /// This text.
    Is(&'static str),
    /// Any text except this one.
    Unlike(&'static str),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text of this form.
    Text(fn(&str) -> bool),
    /// An empty text, or a text of this form.
    BlankOr(fn(&str) -> bool),
    /// A text with this relation to the text of another setting.
    Related(fn(&str, &str) -> bool, &'static str),
    /// The path of an existing file or folder on the server's disk.
    OnDisk,
    /// A path in an existing folder on the server's disk.
    InFolder,
    /// A list with a length within this range, both ends included.
    Items(usize, usize),
    /// A list of texts of this form.
    Each(fn(&str) -> bool),
    /// A value about which this function returns no complaint.
    Free(fn(&Value) -> Option<String>),
}

pub(super) const fn on(pointer: &'static str) -> Demand {
    Demand { pointer, form: Form::Flag(true) }
}

pub(super) const fn off(pointer: &'static str) -> Demand {
    Demand { pointer, form: Form::Flag(false) }
}

pub(super) const fn at_least(pointer: &'static str, least: i64) -> Demand {
    within(pointer, least, i64::MAX)
}

pub(super) const fn at_most(pointer: &'static str, max: i64) -> Demand {
    within(pointer, i64::MIN, max)
}

pub(super) const fn within(pointer: &'static str, least: i64, max: i64) -> Demand {
    Demand { pointer, form: Form::Range(least, max) }
}

pub(super) const fn other_than(pointer: &'static str, number: i64) -> Demand {
    Demand { pointer, form: Form::OtherThan(number) }
}

pub(super) const fn past(pointer: &'static str) -> Demand {
    Demand { pointer, form: Form::Past }
}

pub(super) const fn is(pointer: &'static str, text: &'static str) -> Demand {
    Demand { pointer, form: Form::Is(text) }
}

pub(super) const fn unlike(pointer: &'static str, text: &'static str) -> Demand {
    Demand { pointer, form: Form::Unlike(text) }
}

pub(super) const fn blank(pointer: &'static str) -> Demand {
    is(pointer, "")
}

pub(super) const fn given(pointer: &'static str) -> Demand {
    unlike(pointer, "")
}

pub(super) const fn one_of(pointer: &'static str, texts: &'static [&'static str]) -> Demand {
    Demand { pointer, form: Form::OneOf(texts) }
}

pub(super) const fn text(pointer: &'static str, is_right: fn(&str) -> bool) -> Demand {
    Demand { pointer, form: Form::Text(is_right) }
}

pub(super) const fn blank_or(pointer: &'static str, is_right: fn(&str) -> bool) -> Demand {
    Demand { pointer, form: Form::BlankOr(is_right) }
}

pub(super) const fn related(
    pointer: &'static str,
    is_right: fn(&str, &str) -> bool,
    other_pointer: &'static str,
) -> Demand {
    Demand { pointer, form: Form::Related(is_right, other_pointer) }
}

pub(super) const fn on_disk(pointer: &'static str) -> Demand {
    Demand { pointer, form: Form::OnDisk }
}

pub(super) const fn in_folder(pointer: &'static str) -> Demand {
    Demand { pointer, form: Form::InFolder }
}

pub(super) const fn items(pointer: &'static str, least: usize, max: usize) -> Demand {
    Demand { pointer, form: Form::Items(least, max) }
}

pub(super) const fn each(pointer: &'static str, is_right: fn(&str) -> bool) -> Demand {
    Demand { pointer, form: Form::Each(is_right) }
}

pub(super) const fn free_of(pointer: &'static str, complaint: fn(&Value) -> Option<String>) -> Demand {
    Demand { pointer, form: Form::Free(complaint) }
}

impl Demand {
    pub(super) fn is_met(&self, settings: &Settings<'_>) -> bool {
        self.found_instead(settings).is_none()
    }

    /// Returns the text that describes the wrong value: the value, its first wrong item, its length, or the complaint.
    pub(super) fn found_instead(&self, settings: &Settings<'_>) -> Option<String> {
        let value = settings.value(self.pointer);
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let text = value.as_str().unwrap_or_default();
        let number = value.as_i64().unwrap_or_default();
        let is_met = match self.form {
            Form::Each(is_right) => return list.iter().map(text_of).find(|item| !is_right(item)),
            Form::Free(complaint) => return complaint(&value),
            Form::Items(least, max) if (least..=max).contains(&list.len()) => true,
            Form::Items(..) => return Some(list.len().to_string()),
            Form::Flag(wanted) => value.as_bool() == Some(wanted),
            Form::Range(least, max) => (least..=max).contains(&number),
            Form::OtherThan(refused) => number != refused,
            Form::Past => number <= settings.facts.now_ms,
            Form::Is(wanted) => text == wanted,
            Form::Unlike(refused) => text != refused,
            Form::OneOf(wanted) => wanted.contains(&text),
            Form::Text(is_right) => is_right(text),
            Form::BlankOr(is_right) => text.is_empty() || is_right(text),
            Form::Related(is_right, other) => is_right(text, &settings.text(other)),
            Form::OnDisk => !text.is_empty() && (settings.facts.file_exists)(text),
            Form::InFolder => (settings.facts.file_exists)(&folder_of(text)),
        };
        (!is_met).then(|| text_of(&value))
    }
}

fn folder_of(path: &str) -> String {
    let folder = Path::new(path).parent().map(|folder| folder.to_string_lossy().into_owned());
    folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| ".".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_bare_name_is_the_current_one() {
        assert_eq!(folder_of("/var/tmp/local.socket"), "/var/tmp");
        assert_eq!(folder_of("/local.socket"), "/");
        assert_eq!(folder_of("local.socket"), ".");
        assert_eq!(folder_of(""), ".");
    }
}
