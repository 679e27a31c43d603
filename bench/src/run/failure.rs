//! The outcomes of requests.

use std::io;

use rustix::io::Errno;
use serde_json::Value;

/// The maximum length of an error's id, in bytes. Longer ones are cut.
const MAX_ID_BYTES: usize = 120;

/// The names of errors without a response.
const KINDS: [(io::ErrorKind, &str); 6] = [
    (io::ErrorKind::ConnectionRefused, "connection-refused"),
    (io::ErrorKind::ConnectionReset, "connection-reset"),
    (io::ErrorKind::BrokenPipe, "connection-reset"),
    (io::ErrorKind::UnexpectedEof, "connection-closed"),
    (io::ErrorKind::TimedOut, "timeout"),
    (io::ErrorKind::InvalidData, "invalid-response"),
];

/// The names of errors of the load generator's machine.
const LOCAL: [(Errno, &str); 3] =
    [(Errno::MFILE, "no-descriptor"), (Errno::NFILE, "no-descriptor"), (Errno::ADDRNOTAVAIL, "no-free-port")];

/// A failed request: by a status with the id of the error, or without any response.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Failed {
    pub(crate) status: Option<u16>,
    /// The id in the body of the error; without a response, the name of the cause.
    pub(crate) id: String,
}

impl Failed {
    /// The request had no complete response in time.
    pub(crate) fn timeout() -> Self {
        Self::without_response("timeout")
    }

    /// The request was not sent, because all connections waited for responses until its timeout.
    pub(crate) fn not_sent() -> Self {
        Self::without_response("no-free-connection")
    }

    /// The event of a request did not reach all sockets in time.
    pub(crate) fn event_missing() -> Self {
        Self::without_response("event-missing")
    }

    /// The server greeted a new connection instead of the one to resume.
    pub(crate) fn not_resumed() -> Self {
        Self::without_response("not-resumed")
    }

    /// The run ended before the response.
    pub(crate) fn unfinished() -> Self {
        Self::without_response("unfinished")
    }

    /// The user ended the run before the request was sent.
    pub(crate) fn ended_by_user() -> Self {
        Self::without_response("ended-by-user")
    }

    /// Returns true if the load generator had no descriptor or no port for a connection.
    pub(crate) fn is_of_generator(&self) -> bool {
        self.status.is_none() && LOCAL.iter().any(|(_, id)| *id == self.id)
    }

    /// Reads the id of an error from the beginning of its body.
    pub(crate) fn response(status: u16, body: &[u8]) -> Self {
        let error: Option<Value> = serde_json::from_slice(body).ok();
        let id = error.as_ref().and_then(|error| error.get("id")?.as_str()).unwrap_or_default();
        let id = id.chars().filter(char::is_ascii_graphic).take(MAX_ID_BYTES).collect();
        Self { status: Some(status), id }
    }

    pub(crate) fn io(error: &io::Error) -> Self {
        let local = LOCAL.iter().find(|(errno, _)| error.raw_os_error() == Some(errno.raw_os_error()));
        if let Some((_, id)) = local {
            return Self::without_response(id);
        }
        if error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()).is_some() {
            return Self::without_response("tls-error");
        }
        let id = KINDS.iter().find(|(kind, _)| *kind == error.kind()).map_or("input-output", |(_, id)| id);
        Self::without_response(id)
    }

    fn without_response(id: &str) -> Self {
        Self { status: None, id: id.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_load_generators_machine_is_not_one_of_the_server() {
        let io = |errno: Errno| Failed::io(&io::Error::from(errno));
        assert!(io(Errno::MFILE).is_of_generator() && io(Errno::ADDRNOTAVAIL).is_of_generator());
        assert!(!io(Errno::CONNREFUSED).is_of_generator() && io(Errno::CONNREFUSED).id == "connection-refused");
        assert!(!Failed::response(500, br#"{"id":"no-descriptor"}"#).is_of_generator());
    }

    #[test]
    fn a_failure_is_its_status_and_the_id_in_its_body() {
        let failed = Failed::response(400, br#"{"id":"api.context.invalid_param.app_error","status_code":400}"#);
        assert_eq!((failed.status, failed.id.as_str()), (Some(400), "api.context.invalid_param.app_error"));
        assert_eq!(Failed::response(502, b"<html>").id, "");
        assert_eq!(Failed::response(400, br#"{"id":"a\nb"}"#).id, "ab");
        let long = format!("{{\"id\":\"{}\"}}", "x".repeat(500));
        assert_eq!(Failed::response(400, long.as_bytes()).id.len(), MAX_ID_BYTES);
    }
}
