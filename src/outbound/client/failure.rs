//! The errors of calls to other servers.

use std::io;
use std::time::Duration;

use quarterdeck_actors::causes::causes;
use thiserror::Error as ThisError;

/// The reason why a call failed, in words for the person who can fix it.
#[derive(Debug, ThisError)]
pub(crate) enum CallFailure {
    /// The URL is invalid for all callers.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// The request body cannot be serialised.
    #[error("the message cannot be written: {0}")]
    Message(String),
    /// The host name cannot be resolved.
    #[error("{host} cannot be resolved: {cause}")]
    Unresolved {
        host: String,
        #[source]
        cause: io::Error,
    },
    /// The address policy forbids the address.
    #[error("{0}; list it in ServiceSettings.AllowedUntrustedInternalConnections to allow it")]
    Internal(String),
    /// The host's certificate is invalid.
    #[error(
        "{host} has no valid certificate ({cause}); ServiceSettings.EnableInsecureOutgoingConnections would accept it"
    )]
    Certificate {
        host: String,
        #[source]
        cause: rustls::Error,
    },
    /// The host cannot be reached, or the connection broke.
    #[error("{host} cannot be reached: {}", root_of(.cause))]
    Unreachable {
        host: String,
        #[source]
        cause: reqwest::Error,
    },
    /// The user, or all users together, have too many calls in progress.
    #[error("too many calls to other servers are under way")]
    Busy,
    /// The deadline passed.
    #[error("no response within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// The host stopped sending before the end of the response.
    #[error("{host} sent no data for {} s", .silence.as_secs_f32())]
    Stalled { host: String, silence: Duration },
    /// The host redirects to something that the caller may not ask for.
    #[error("{host} redirects to another address")]
    Elsewhere { host: String },
    /// There were too many redirects.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// The response body is larger than the limit.
    #[error("the response is larger than {0} bytes")]
    TooLarge(usize),
    /// The host responded, but could not do what was requested.
    #[error("the response reports a failure")]
    Answer,
    /// The host responded with an unexpected status.
    #[error("{host} answered {status}")]
    Status { host: String, status: u16 },
}

impl CallFailure {
    /// Returns the failure for an error of the HTTP library.
    pub(super) fn of(host: &str, cause: reqwest::Error, connect: Duration) -> Self {
        let host = host.to_owned();
        if cause.is_timeout() {
            return Self::Late(connect);
        }
        match certificate_problem(&cause) {
            Some(cause) => Self::Certificate { host, cause },
            // The URL is removed, because it can contain private data.
            None => Self::Unreachable { host, cause: cause.without_url() },
        }
    }
}

fn certificate_problem(error: &reqwest::Error) -> Option<rustls::Error> {
    let problem = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    matches!(problem, rustls::Error::InvalidCertificate(_)).then(|| problem.clone())
}

fn root_of(error: &reqwest::Error) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
