//! What the audit trail is told of a request: one record for each that changes something or is refused.

use actix_web::http::StatusCode;
use quarterdeck_actors::audit::{AuditRecord, Status};
use quarterdeck_actors::id::new_id;
use serde_json::{Map, Value};

use super::{Arrival, Origin};
use crate::address::address_of;
use crate::audit::Notes;
use crate::request::query_of;
use crate::routes::{Class, Found};
use crate::session::Session;
use crate::state::{AppState, now_ms};

/// A request whose end the trail waits for. One that is dropped before its end is recorded as an attempt:
/// its client went away, and what it asked for may have happened.
pub(super) struct Pending<'a> {
    arrival: &'a Arrival,
    app: &'a AppState,
    found: &'a Found<'a>,
    is_open: bool,
}

/// How a request ended.
struct End<'a> {
    status: Status,
    code: u16,
    error_id: &'a str,
}

impl<'a> Pending<'a> {
    pub(super) fn new(arrival: &'a Arrival, app: &'a AppState, found: &'a Found<'a>) -> Self {
        Self { arrival, app, found, is_open: true }
    }

    /// Records how the request ended.
    pub(super) async fn close(mut self, code: StatusCode, error_id: &str) {
        self.is_open = false;
        let is_failed = code.is_client_error() || code.is_server_error();
        let status = if is_failed { Status::Fail } else { Status::Success };
        let end = End { status, code: code.as_u16(), error_id };
        if self.is_recorded(&end) {
            self.app.audit.record(self.record(&end)).await;
        }
    }

    fn is_recorded(&self, end: &End<'_>) -> bool {
        let route = self.found.route;
        let is_refused = matches!(end.code, 401 | 403);
        let is_nothing = self.notes(|notes| notes.is_nothing).unwrap_or_default();
        let concerns_the_trail = (route.is_change || is_refused) && !is_nothing;
        if !concerns_the_trail {
            return false;
        }
        let is_known = self.arrival.caller.get().is_some() || end.status == Status::Success;
        is_known || self.admits_stranger()
    }

    /// Whether the refusal of somebody without a session is recorded on its own.
    fn admits_stranger(&self) -> bool {
        let address = self.address();
        let is_turned_away = self.found.route.class == Class::Session;
        if is_turned_away {
            self.app.strangers.count(&address);
        }
        !is_turned_away && self.app.strangers.admits(&address)
    }

    fn record(&self, end: &End<'_>) -> AuditRecord {
        let Arrival { http, id, caller, .. } = self.arrival;
        let caller = caller.get();
        let mut record = AuditRecord {
            id: new_id(),
            at: now_ms(),
            event: self.found.route.event,
            status: end.status,
            user_id: caller.map(Session::user_id).unwrap_or_default().to_owned(),
            session_id: caller.map(Session::id).unwrap_or_default().to_owned(),
            address: self.address(),
            source: self.source(),
            request_id: id.clone(),
            method: http.method().to_string(),
            path: http.path().to_owned(),
            code: end.code,
            error_id: end.error_id.to_owned(),
            parameters: Value::Null,
            before: Value::Null,
            after: Value::Null,
        };
        let named = self.found.params.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        let mut parameters: Map<String, Value> = named.collect();
        self.notes(|notes| {
            parameters.extend(notes.parameters.clone());
            if !notes.user_id.is_empty() {
                record.user_id.clone_from(&notes.user_id);
                record.session_id.clone_from(&notes.session_id);
            }
            record.before.clone_from(&notes.before);
            record.after.clone_from(&notes.after);
        });
        record.parameters = Value::Object(parameters);
        record
    }

    fn notes<T>(&self, look: impl FnOnce(&Notes) -> T) -> Option<T> {
        self.arrival.context.get().map(|context| look(&context.notes.borrow()))
    }

    fn address(&self) -> String {
        address_of(&self.arrival.http)
    }

    fn source(&self) -> &'static str {
        match self.arrival.origin {
            Origin::Network => "api",
            Origin::LocalSocket if query_of(&self.arrival.http, "source").as_deref() == Some("cli") => "cli",
            Origin::LocalSocket => "local",
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let end = End { status: Status::Attempt, code: 0, error_id: "" };
        if self.is_recorded(&end) {
            self.app.audit.record_now(self.record(&end));
        }
    }
}
