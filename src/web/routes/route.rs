//! One row of the route table, and the functions that make it.

use std::fmt;

use actix_web::http::Method;

use super::operation::Operation;

/// The listener on which a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Network,
    LocalSocket,
}

/// The method of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verb {
    /// Also serves HEAD.
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// The session that a route requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// No session is required. A session only adds to the response.
    Open,
    /// No session is required, and none is read. So the route answers even while sessions cannot be read.
    Anonymous,
    /// A session is required.
    Session,
}

/// The listeners that serve a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listeners {
    Network,
    NetworkAndSocket,
    SocketOnly,
}

/// Tells if a route does the CSRF check. GET never does it, because a read changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Csrf {
    Checked,
    /// For a route that only reads although its method is not GET.
    Exempt,
}

/// The largest form with a picture, in bytes. All users may send one, so it is far below a user's share of the memory.
pub(crate) const MAX_PICTURE_BYTES: u64 = 8 << 20;

/// The size limit for the request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLimit {
    /// `ServiceSettings.MaximumPayloadSizeBytes`.
    Ordinary,
    /// `FileSettings.MaxFileSize`.
    Files,
    /// `FileSettings.MaxFileSize`, and at most [`MAX_PICTURE_BYTES`].
    Pictures,
}

/// The handling of a route while the server is marked as busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhileBusy {
    Served,
    Refused,
}

/// Tells if a caller must have one-time codes where settings and licence enforce them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OneTimeCodes {
    Needed,
    /// Not for the caller's own account: these routes set codes up.
    NotForOwn,
}

/// Tells if the rate limit counts the requests of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RateLimit {
    Applied,
    /// For probes and metrics: without them, an overloaded server would be taken for a broken one.
    Exempt,
}

/// The audit event of a route, and the requests that it is recorded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditEvent {
    /// Only refused requests are recorded, because the route only reads.
    OnRefusal(&'static str),
    /// Every request is recorded, because the route changes something or hands out something sensitive.
    Always(&'static str),
    /// Every request is recorded. The route ends sessions, so it is served even if the audit trail has no space for the
    /// record.
    EndsSessions(&'static str),
}

/// The level at which a request is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogLevel {
    Info,
    /// For requests that machines send frequently and without effect.
    Trace,
}

/// One row of the route table.
pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) path: &'static str,
    pub(crate) class: Class,
    pub(crate) listeners: Listeners,
    pub(crate) csrf: Csrf,
    pub(crate) body_limit: BodyLimit,
    pub(crate) one_time_codes: OneTimeCodes,
    pub(crate) while_busy: WhileBusy,
    pub(crate) audit: AuditEvent,
    pub(crate) log_level: LogLevel,
    pub(crate) rate_limit: RateLimit,
    /// True for a page for people. Its address is below the path of the site, because cookies are bound to that.
    pub(crate) is_page: bool,
    /// True if a web application has this path, where one is served.
    pub(crate) yields: bool,
    pub(crate) operation: Operation,
}

/// The audit event of reads that have no event of their own.
pub(super) const READ: AuditEvent = AuditEvent::OnRefusal("read");

pub(super) const fn get(path: &'static str, operation: Operation) -> Route {
    Route::new(Verb::Get, path, operation, READ)
}

pub(super) const fn post(path: &'static str, operation: Operation, audit: AuditEvent) -> Route {
    Route::new(Verb::Post, path, operation, audit)
}

pub(super) const fn put(path: &'static str, operation: Operation, audit: AuditEvent) -> Route {
    Route::new(Verb::Put, path, operation, audit)
}

pub(super) const fn patch(path: &'static str, operation: Operation, audit: AuditEvent) -> Route {
    Route::new(Verb::Patch, path, operation, audit)
}

pub(super) const fn delete(path: &'static str, operation: Operation, audit: AuditEvent) -> Route {
    Route::new(Verb::Delete, path, operation, audit)
}

/// The setters change what differs from the usual route.
impl Route {
    const fn new(verb: Verb, path: &'static str, operation: Operation, audit: AuditEvent) -> Self {
        Self {
            verb,
            path,
            class: Class::Session,
            listeners: Listeners::Network,
            csrf: Csrf::Checked,
            body_limit: BodyLimit::Ordinary,
            one_time_codes: OneTimeCodes::Needed,
            while_busy: WhileBusy::Served,
            audit,
            log_level: LogLevel::Info,
            rate_limit: RateLimit::Applied,
            is_page: false,
            yields: false,
            operation,
        }
    }

    pub(super) const fn class(self, class: Class) -> Self {
        Self { class, ..self }
    }

    pub(super) const fn listeners(self, listeners: Listeners) -> Self {
        Self { listeners, ..self }
    }

    pub(super) const fn csrf(self, csrf: Csrf) -> Self {
        Self { csrf, ..self }
    }

    pub(super) const fn body_limit(self, body_limit: BodyLimit) -> Self {
        Self { body_limit, ..self }
    }

    pub(super) const fn one_time_codes(self, one_time_codes: OneTimeCodes) -> Self {
        Self { one_time_codes, ..self }
    }

    pub(super) const fn while_busy(self, while_busy: WhileBusy) -> Self {
        Self { while_busy, ..self }
    }

    pub(super) const fn audit(self, audit: AuditEvent) -> Self {
        Self { audit, ..self }
    }

    pub(super) const fn log_level(self, log_level: LogLevel) -> Self {
        Self { log_level, ..self }
    }

    pub(super) const fn rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit, ..self }
    }

    pub(super) const fn page(self) -> Self {
        Self { is_page: true, ..self }
    }

    pub(super) const fn yielding(self) -> Self {
        Self { yields: true, ..self }
    }

    /// Returns path and method, as the labels of metrics.
    pub(crate) fn labels(&self) -> (&'static str, &'static str) {
        (self.path, self.verb.as_str())
    }

    /// Returns true if a listener serves the route.
    pub(super) fn is_served_on(&self, origin: Origin) -> bool {
        match self.listeners {
            Listeners::Network => origin == Origin::Network,
            Listeners::NetworkAndSocket => true,
            Listeners::SocketOnly => origin == Origin::LocalSocket,
        }
    }
}

impl AuditEvent {
    /// Returns the name of the event.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnRefusal(name) | Self::Always(name) | Self::EndsSessions(name) => name,
        }
    }

    /// Returns true if successful requests are recorded as well.
    pub(crate) fn is_always(self) -> bool {
        match self {
            Self::OnRefusal(_) => false,
            Self::Always(_) | Self::EndsSessions(_) => true,
        }
    }
}

impl Verb {
    /// Returns the verb that serves a method.
    pub(super) fn of(method: &Method) -> Option<Self> {
        match *method {
            Method::GET | Method::HEAD => Some(Self::Get),
            Method::POST => Some(Self::Post),
            Method::PUT => Some(Self::Put),
            Method::PATCH => Some(Self::Patch),
            Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
