//! Why a call came to nothing.

use std::error::Error;
use std::io;
use std::time::Duration;

use thiserror::Error as ThisError;

/// Why a call came to nothing, in words for whoever can do something about it.
#[derive(Debug, ThisError)]
pub(crate) enum CallFailure {
    /// The address cannot be called by anybody.
    #[error("the address cannot be used: {0}")]
    Address(String),
    /// There is no way to write down what is to be sent.
    #[error("the message cannot be written: {0}")]
    Message(String),
    /// The name leads nowhere.
    #[error("{host} cannot be resolved: {cause}")]
    Unresolved {
        host: String,
        #[source]
        cause: io::Error,
    },
    /// The address policy forbids it.
    #[error("{0}; list it in ServiceSettings.AllowedUntrustedInternalConnections to allow it")]
    Internal(String),
    /// The host has no certificate that proves who it is.
    #[error(
        "{host} has no valid certificate ({cause}); ServiceSettings.EnableInsecureOutgoingConnections would accept it"
    )]
    Certificate {
        host: String,
        #[source]
        cause: rustls::Error,
    },
    /// Nobody is there, or the connection broke.
    #[error("{host} cannot be reached: {}", root_of(.cause))]
    Unreachable {
        host: String,
        #[source]
        cause: reqwest::Error,
    },
    /// The user, or all users together, have too many calls under way.
    #[error("too many calls to other servers are under way")]
    Busy,
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs_f32())]
    Late(Duration),
    /// The answer stopped coming before its end.
    #[error("{host} sent nothing more for {} s", .silence.as_secs_f32())]
    Stalled { host: String, silence: Duration },
    /// One redirect led to the next.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// The answer is larger than the caller wants.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The host answered, and cannot do what it was asked for.
    #[error("the answer says that it was not done")]
    Answer,
    /// The host answered with another status than was asked for.
    #[error("{host} answered {status}")]
    Status { host: String, status: u16 },
}

impl CallFailure {
    /// What a failed exchange with `host` means.
    pub(super) fn of(host: &str, cause: reqwest::Error, connect: Duration) -> Self {
        let host = host.to_owned();
        if cause.is_timeout() {
            return Self::Late(connect);
        }
        match certificate_problem(&cause) {
            Some(cause) => Self::Certificate { host, cause },
            // The address may hold what is nobody else's business.
            None => Self::Unreachable { host, cause: cause.without_url() },
        }
    }
}

fn certificate_problem(error: &reqwest::Error) -> Option<rustls::Error> {
    let problem = chain(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    matches!(problem, rustls::Error::InvalidCertificate(_)).then(|| problem.clone())
}

fn root_of(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and what is underneath; what an I/O error carries counts as underneath it.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(carried) => Some(carried),
            None => error.source(),
        }
    })
}
