//! The notes that a handler makes about its request; the pipeline turns them into an audit record.

pub(crate) mod key_file;
pub(crate) mod refusals;
pub(crate) mod verification;

use std::cell::RefCell;
use std::rc::Rc;

use quarterdeck_actors::audit::{AuditHandle, AuditRecord, Caller, Permit, Status};
use quarterdeck_actors::config::difference::{Change, changes};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::DecisionContext;
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::own_record;

/// The audit trail, and the counters of refusals that are not recorded one by one.
pub(crate) struct Trail {
    pub(crate) audit: AuditHandle,
    /// Refusals of callers without a session.
    pub(crate) unauthenticated: refusals::Refusals,
    /// Refusals of callers with a session.
    pub(crate) refusals: refusals::Refusals,
    /// The knowledge about the stored trail.
    pub(crate) verification: verification::Verification,
}

/// The longest text of a client that is kept, in characters.
const MAX_TEXT_CHARACTERS: usize = 256;

/// The members that are left out: `update_at` carries no information, and clients choose the content of `props`.
const LEFT_OUT: [&str; 2] = ["props", "update_at"];

/// The facts of an event that the request itself does not contain.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) parameters: Map<String, Value>,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) is_nothing: bool,
    /// The permit for the record, reserved before anything is changed.
    pub(crate) permit: Option<Permit>,
}

/// The notes of a request, which its handler fills. They must not contain secrets.
pub(crate) struct Audit(Rc<RefCell<Notes>>);

impl Audit {
    /// Wraps the notes of a request.
    pub(crate) fn of(notes: Rc<RefCell<Notes>>) -> Self {
        Self(notes)
    }

    /// Notes a parameter of the request.
    pub(crate) fn parameter(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let text = value.as_str().map(|text| Value::from(text.chars().take(MAX_TEXT_CHARACTERS).collect::<String>()));
        let value = text.unwrap_or(value);
        self.notes().borrow_mut().parameters.insert(name.to_owned(), value);
    }

    /// Notes the user and the session, if they were not known before.
    pub(crate) fn by(&self, user_id: &str, session_id: &str) {
        let mut notes = self.notes().borrow_mut();
        user_id.clone_into(&mut notes.user_id);
        session_id.clone_into(&mut notes.session_id);
    }

    /// Reserves room in the trail for the record of a change, for a caller without a session.
    ///
    /// The pipeline reserves it for callers with a session. An open route reserves it itself, as late as possible:
    /// earlier, callers without a session could use up the room with requests that fail anyway.
    pub(crate) async fn reserve(&self, trail: &AuditHandle, caller: Caller) -> Result<(), AppError> {
        if self.notes().borrow().permit.is_some() {
            return Ok(());
        }
        let permit = trail.reserve(&caller).await.ok_or_else(no_room)?;
        self.notes().borrow_mut().permit = Some(permit);
        Ok(())
    }

    /// Notes a created object.
    pub(crate) fn made(&self, after: Value) {
        self.notes().borrow_mut().after = after;
    }

    /// Notes the members that changed.
    pub(crate) fn changed(&self, before: &impl Serialize, after: &impl Serialize) {
        let (before, after) = difference(before, after);
        let mut notes = self.notes().borrow_mut();
        (notes.before, notes.after) = (before, after);
    }

    /// Notes the settings that changed. Secrets in `changes` are already fingerprints.
    pub(crate) fn settings(&self, changes: &[Change]) {
        let mut notes = self.notes().borrow_mut();
        (notes.before, notes.after) = both_sides(changes);
    }

    /// Notes that the request changed nothing, so that no record is written.
    pub(crate) fn nothing(&self) {
        self.notes().borrow_mut().is_nothing = true;
    }

    fn notes(&self) -> &RefCell<Notes> {
        &self.0
    }
}

/// Returns the part of the trail's queue in which the records of a user wait.
pub(crate) fn room_of(user_id: &str, is_admin: bool) -> Caller {
    if is_admin { Caller::Admin(user_id.to_owned()) } else { Caller::User(user_id.to_owned()) }
}

/// Returns the error for a change that the trail has no room to record.
pub(crate) fn no_room() -> AppError {
    AppError::new("app.audit.no_room.app_error")
}

/// Returns the record of a reload that did not come from the API.
pub(crate) fn reload_record(
    before: &Document,
    after: Result<&Document, &AppError>,
    context: &DecisionContext,
) -> AuditRecord {
    let mut record = own_record("configReload", Status::Success, Value::Null);
    match after {
        Ok(after) => (record.before, record.after) = both_sides(&changes(before, after, &*context.fingerprint)),
        Err(refusal) => {
            record.status = Status::Fail;
            record.error_id = refusal.id.to_string();
        }
    }
    record
}

/// Returns the settings before and after the changes, by their paths.
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
