use super::super::*;
use crate::config::table;

pub(super) const NOW_MS: i64 = 1_700_000_000_000;

/// A value that breaks one rule, and the nearest value that keeps it.
pub(super) struct Case {
    /// Other settings that the rule needs.
    given: Vec<(&'static str, Value)>,
    pub(super) pointer: &'static str,
    pub(super) wrong: Value,
    pub(super) right: Value,
    pub(super) id: &'static str,
    params: Vec<(&'static str, String)>,
}

pub(super) fn case(pointer: &'static str, wrong: impl Into<Value>, right: impl Into<Value>, id: &'static str) -> Case {
    Case { given: Vec::new(), pointer, wrong: wrong.into(), right: right.into(), id, params: Vec::new() }
}

impl Case {
    pub(super) fn given(mut self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.given.push((pointer, value.into()));
        self
    }

    pub(super) fn param(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.params.push((name, value.to_string()));
        self
    }

    /// Adds the name of the setting and the wrong text as parameters.
    pub(super) fn setting_and_value(self) -> Self {
        let setting = settings::dotted(self.pointer);
        let value = settings::text_of(&self.wrong);
        self.param("Setting", &setting).param("Value", &value)
    }

    pub(super) fn failure(&self) -> Failure {
        Failure { pointer: self.pointer.to_owned(), id: self.id, params: self.params.clone(), at_load: AtLoad::Refused }
    }

    pub(super) fn broken(&self) -> Map<String, Value> {
        self.document_with(&self.wrong)
    }

    pub(super) fn kept(&self) -> Map<String, Value> {
        self.document_with(&self.right)
    }

    fn document_with(&self, value: &Value) -> Map<String, Value> {
        let mut changes = self.given.clone();
        changes.push((self.pointer, value.clone()));
        document_with(&changes)
    }
}

/// Returns the defaults with these changes, in order.
pub(super) fn document_with(changes: &[(&str, Value)]) -> Map<String, Value> {
    let mut document = Value::Object(table::defaults());
    for (pointer, value) in changes {
        *document.pointer_mut(pointer).unwrap() = value.clone();
    }
    document.as_object().cloned().unwrap()
}

pub(super) fn failures_of(document: &Map<String, Value>) -> Vec<Failure> {
    let file_exists = |path: &str| ["cert.pem", "key.pem", "/var/tmp"].contains(&path);
    let failures = failures(document, &Facts { now_ms: NOW_MS, file_exists: &file_exists });
    failures.into_iter().map(|failure| Failure { at_load: AtLoad::Refused, ..failure }).collect()
}
