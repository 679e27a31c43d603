//! What a handler tells the audit trail about its request; the pipeline makes the record.

pub(crate) mod key_file;
pub(crate) mod refusals;

use std::cell::RefCell;
use std::rc::Rc;

use quarterdeck_actors::audit::{AuditHandle, AuditRecord, Caller, Permit, Status};
use quarterdeck_actors::config::difference::{Change, changes};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::Surroundings;
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::own_record;

/// The trail, and the counts of refusals that it does not record one by one.
pub(crate) struct Trail {
    pub(crate) audit: AuditHandle,
    /// Refusals of callers without a session.
    pub(crate) strangers: refusals::Refusals,
    /// Refusals of callers with a session.
    pub(crate) refusals: refusals::Refusals,
}

/// A text that a client sent is kept up to this many characters.
const LONGEST_TEXT: usize = 256;

/// Members that say nothing, or may hold anything.
const LEFT_OUT: [&str; 2] = ["props", "update_at"];

/// What is known of an event beside the request itself.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) is_nothing: bool,
    /// Room for the record, reserved before anything is changed.
    pub(crate) permit: Option<Permit>,
}

/// The notes of a request, for its handler to fill. Nothing secret goes in here.
pub(crate) struct Audit(Rc<RefCell<Notes>>);

impl Audit {
    /// The notes of a request.
    pub(crate) fn of(notes: Rc<RefCell<Notes>>) -> Self {
        Self(notes)
    }

    /// Notes what was asked for.
    pub(crate) fn parameter(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let text = value.as_str().map(|text| Value::from(text.chars().take(LONGEST_TEXT).collect::<String>()));
        let value = text.unwrap_or(value);
        self.notes().borrow_mut().parameters.insert(name.to_owned(), value);
    }

    /// Notes who it was, where that was not known before.
    pub(crate) fn by(&self, user_id: &str, session_id: &str) {
        let mut notes = self.notes().borrow_mut();
        user_id.clone_into(&mut notes.user_id);
        session_id.clone_into(&mut notes.session_id);
    }

    /// Reserves room for the record of a change by a caller who came without a session.
    ///
    /// The pipeline does so for callers with a session. A route that is open does it itself, as late as it can:
    /// before that, strangers could hold the room with requests that do not get anywhere.
    pub(crate) async fn reserve(&self, trail: &AuditHandle, caller: Caller) -> Result<(), AppError> {
        if self.notes().borrow().permit.is_some() {
            return Ok(());
        }
        let permit = trail.reserve(&caller).await.ok_or_else(no_room)?;
        self.notes().borrow_mut().permit = Some(permit);
        Ok(())
    }

    /// Notes something that is new.
    pub(crate) fn made(&self, after: Value) {
        self.notes().borrow_mut().after = after;
    }

    /// Notes the members that changed.
    pub(crate) fn changed(&self, before: &impl Serialize, after: &impl Serialize) {
        let (before, after) = difference(before, after);
        let mut notes = self.notes().borrow_mut();
        (notes.before, notes.after) = (before, after);
    }

    /// Notes the settings that changed; their secrets are fingerprints already.
    pub(crate) fn settings(&self, changes: &[Change]) {
        let mut notes = self.notes().borrow_mut();
        (notes.before, notes.after) = both_sides(changes);
    }

    /// Says that there was nothing to do, so that there is nothing to record.
    pub(crate) fn nothing(&self) {
        self.notes().borrow_mut().is_nothing = true;
    }

    fn notes(&self) -> &RefCell<Notes> {
        &self.0
    }
}

/// In which room of the trail the records of a user wait.
pub(crate) fn room_of(user_id: &str, is_admin: bool) -> Caller {
    if is_admin { Caller::Admin(user_id.to_owned()) } else { Caller::User(user_id.to_owned()) }
}

/// The refusal of a change that the trail could not record.
pub(crate) fn no_room() -> AppError {
    AppError::new("app.audit.no_room.app_error")
}

/// The record of a reload that nobody asked for over the API.
pub(crate) fn reload_record(
    before: &Document,
    after: Result<&Document, &AppError>,
    around: &Surroundings,
) -> AuditRecord {
    let mut record = own_record("configReload", Status::Success, Value::Null);
    match after {
        Ok(after) => (record.before, record.after) = both_sides(&changes(before, after, &*around.fingerprint)),
        Err(refusal) => {
            record.status = Status::Fail;
            record.error_id = refusal.id.to_string();
        }
    }
    record
}

/// What settings were, and what they are, by their paths.
pub(crate) fn both_sides(changes: &[Change]) -> (Value, Value) {
    let before = changes.iter().map(|change| (change.path.clone(), change.before.clone()));
    let after = changes.iter().map(|change| (change.path.clone(), change.after.clone()));
    (Value::Object(before.collect()), Value::Object(after.collect()))
}

fn difference(before: &impl Serialize, after: &impl Serialize) -> (Value, Value) {
    let [mut before, mut after] = [members(before), members(after)];
    for name in LEFT_OUT {
        before.remove(name);
        after.remove(name);
    }
    let old = before.clone();
    before.retain(|name, value| after.get(name) != Some(value));
    after.retain(|name, value| old.get(name) != Some(value));
    (Value::Object(before), Value::Object(after))
}

fn members(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_members_that_differ_are_noted_and_none_that_may_hold_anything() {
        let before = json!({ "a": 1, "b": 2, "gone": 3, "props": { "x": "y" }, "update_at": 1 });
        let after = json!({ "a": 1, "b": 4, "new": 5, "props": {}, "update_at": 2 });
        assert_eq!(difference(&before, &after), (json!({ "b": 2, "gone": 3 }), json!({ "b": 4, "new": 5 })));
    }
}
