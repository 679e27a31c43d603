//! Audit records of requests: one record for each request that changes something or is refused.
//!
//! Space for the record of a change is reserved before its handler runs; the change is refused if there is no space.
//! The first commit of a change stores a draft of the record in the same transaction. Refusals beyond a budget are only
//! counted, and so are refusals for which there is no space.

use std::rc::Rc;

use actix_web::http::StatusCode;
use quarterdeck_actors::audit::{AuditRecord, Caller, Permit, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::draft::{Progress, within};
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use serde_json::Value;

use crate::domain::audit::refusals::{RECORDED_OF_ADMIN, RECORDED_OF_USER};
use crate::domain::audit::{Notes, no_room, room_of};
use crate::domain::session::Session;
use crate::web::address::{address_of, group_of};
use crate::web::pipeline::arrival::Arrival;
use crate::web::request::{Context, query_of};
use crate::web::routes::route::{AuditEvent, Class, Origin, Route};
use crate::web::routes::router::Found;
use crate::web::state::AppState;

/// The name under which refusals on the local socket are counted, in place of a user id.
const LOCAL: &str = "local";

/// Reserves space for the record of a change, if the caller has a session. Routes without a session reserve space in
/// their handler.
///
/// A request that ends sessions is never refused for lack of space; its record is then only counted.
pub(super) async fn reserve(app: &AppState, route: &Route, context: &Context) -> Result<(), AppError> {
    let Some(session) = context.session.as_ref().filter(|_| route.audit.is_always()) else { return Ok(()) };
    let caller = caller_of(session);
    let permit = if let AuditEvent::EndsSessions(_) = route.audit {
        let ending = || app.trail.audit.try_reserve(&Caller::Ending(session.user_id().to_owned()));
        app.trail.audit.try_reserve(&caller).or_else(ending)
    } else {
        Some(app.trail.audit.reserve(&caller).await.ok_or_else(no_room)?)
    };
    context.notes.borrow_mut().permit = permit;
    Ok(())
}

fn caller_of(session: &Session) -> Caller {
    if session.is_local() { Caller::Local } else { room_of(session.user_id(), session.may("manage_system")) }
}

/// A request whose outcome is not recorded yet. If it is dropped before [`Pending::close`], because it panicked or the
/// server stopped, it is recorded as an attempt: the change may or may not have happened.
pub(super) struct Pending<'a> {
    arrival: &'a Arrival,
    app: &'a AppState,
    found: &'a Found,
    is_open: bool,
    /// The id of the record.
    id: String,
    /// Shows if a draft of the record is stored.
    progress: Progress,
}

/// The outcome of a request.
struct End<'a> {
    status: Status,
    code: u16,
    error_id: &'a str,
}

impl<'a> Pending<'a> {
    pub(super) fn new(arrival: &'a Arrival, app: &'a AppState, found: &'a Found) -> Self {
        Self { arrival, app, found, is_open: true, id: new_id(), progress: Progress::default() }
    }

    pub(super) fn found(&self) -> &'a Found {
        self.found
    }

    /// Runs the handler. For a change, the first commit stores the draft of the record in the same transaction.
    pub(super) async fn run<T>(&self, context: &Rc<Context>, handler: impl Future<Output = T>) -> T {
        if !self.found.route.audit.is_always() {
            return handler.await;
        }
        let (begun, context) = (self.begun(), context.clone());
        let record = move || noted(AuditRecord { at: wall_ms(), ..begun.clone() }, &context);
        within(record, self.progress.clone(), handler).await
    }

    /// Records the outcome of the request.
    pub(super) fn close(mut self, code: StatusCode, error_id: &str) {
        self.is_open = false;
        let is_failed = code.is_client_error() || code.is_server_error();
        let status = if is_failed { Status::Fail } else { Status::Success };
        self.end(&End { status, code: code.as_u16(), error_id });
    }

    fn end(&self, end: &End<'_>) {
        let permit = self.take_permit();
        let is_stored = self.progress.is_stored();
        if !self.concerns_the_trail(end) {
            if is_stored {
                self.app.trail.audit.withdraw(self.id.clone());
            }
            return;
        }
        // A refused change has changed nothing, unless a part of it was committed, so it may be counted instead of
        // recorded. If there is no space for the record of a committed change, its draft stays in the database.
        let can_be_counted = !is_stored && (permit.is_none() || (400..500).contains(&end.code));
        if can_be_counted && !self.is_within_budget() {
            return;
        }
        match permit.or_else(|| self.app.trail.audit.try_reserve(&self.caller())) {
            Some(permit) => self.app.trail.audit.place(permit, self.record(end)),
            None => self.count(),
        }
    }

    fn take_permit(&self) -> Option<Permit> {
        self.arrival.context.get().and_then(|context| context.notes.borrow_mut().permit.take())
    }

    fn concerns_the_trail(&self, end: &End<'_>) -> bool {
        let route = self.found.route;
        let is_refused = matches!(end.code, 401 | 403);
        let is_nothing = self.notes(|notes| notes.is_nothing).unwrap_or_default();
        (route.audit.is_always() || is_refused) && !is_nothing
    }

    /// Returns true if the budget allows one more refusal with a record of its own. Otherwise the refusal is counted.
    fn is_within_budget(&self) -> bool {
        let event = self.found.route.audit.name();
        match self.caller() {
            Caller::Admin(id) => self.app.trail.refusals.admits(&id, RECORDED_OF_ADMIN, event),
            Caller::User(id) => self.app.trail.refusals.admits(&id, RECORDED_OF_USER, event),
            Caller::Local => self.app.trail.refusals.admits(LOCAL, RECORDED_OF_ADMIN, event),
            Caller::Anonymous | Caller::Ending(_) | Caller::Server => {
                let is_turned_away = self.found.route.class == Class::Session;
                if is_turned_away {
                    self.count();
                }
                !is_turned_away && self.app.trail.unauthenticated.admits_address(&self.client(), event)
            }
        }
    }

    fn count(&self) {
        let event = self.found.route.audit.name();
        match self.caller() {
            Caller::Admin(id) | Caller::User(id) => self.app.trail.refusals.count(&id, event),
            Caller::Local => self.app.trail.refusals.count(LOCAL, event),
            Caller::Anonymous | Caller::Ending(_) | Caller::Server => {
                self.app.trail.unauthenticated.count(&self.client(), event);
            }
        }
    }

    fn caller(&self) -> Caller {
        self.arrival.caller.get().map_or(Caller::Anonymous, caller_of)
    }

    fn record(&self, end: &End<'_>) -> AuditRecord {
        let begun = self.begun();
        let record = match self.arrival.context.get() {
            Some(context) => noted(begun, context),
            None => begun,
        };
        AuditRecord { at: wall_ms(), status: end.status, code: end.code, error_id: end.error_id.to_owned(), ..record }
    }

    /// Returns the record with everything that is known before the handler runs.
    fn begun(&self) -> AuditRecord {
        let Arrival { http, id, caller, .. } = self.arrival;
        let caller = caller.get();
        let named = self.found.params.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        AuditRecord {
            id: self.id.clone(),
            at: 0,
            event: self.found.route.audit.name(),
            status: Status::Attempt,
            user_id: caller.map(Session::user_id).unwrap_or_default().to_owned(),
            session_id: caller.map(Session::id).unwrap_or_default().to_owned(),
            address: self.address(),
            source: self.source(),
            request_id: id.clone(),
            method: http.method().to_string(),
            path: self.found.path(self.arrival.path()).to_owned(),
            code: 0,
            error_id: String::new(),
            parameters: Value::Object(named.collect()),
            before: Value::Null,
            after: Value::Null,
        }
    }

    fn notes<T>(&self, look: impl FnOnce(&Notes) -> T) -> Option<T> {
        self.arrival.context.get().map(|context| look(&context.notes.borrow()))
    }

    fn address(&self) -> String {
        address_of(&self.arrival.http)
    }

    /// Returns the address group under which refusals of a client without a session are counted.
    fn client(&self) -> String {
        group_of(&self.arrival.http)
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
        self.end(&End { status: Status::Attempt, code: 0, error_id: "" });
    }
}

/// Adds everything that the handler has noted so far to the record.
fn noted(mut record: AuditRecord, context: &Context) -> AuditRecord {
    // A handler borrows its notes only for a moment and never across an `await`, so this borrow is expected to succeed.
    let Ok(notes) = context.notes.try_borrow() else { return record };
    if let Value::Object(parameters) = &mut record.parameters {
        parameters.extend(notes.parameters.clone());
    }
    if !notes.user_id.is_empty() {
        record.user_id.clone_from(&notes.user_id);
        record.session_id.clone_from(&notes.session_id);
    }
    record.before.clone_from(&notes.before);
    record.after.clone_from(&notes.after);
    record
}
