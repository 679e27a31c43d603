//! Why a mail was not sent, in words that say where it went wrong and what to do.

use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use thiserror::Error;

/// So many characters of what a mail server says are passed on.
const LONGEST_TEXT: usize = 300;

/// How far a mail came, and why no further.
#[derive(Debug, Error)]
#[error("{stage}: {problem}. {}", remedy(*stage, problem))]
pub(crate) struct Failure {
    pub(super) stage: Stage,
    pub(super) problem: Problem,
}

/// The steps of sending, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    Settings,
    Resolve,
    Connect,
    Tls,
    Greeting,
    Authenticate,
    Sender,
    Recipient,
    Data,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Waiting => "waiting",
            Self::Settings => "settings",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Greeting => "greeting",
            Self::Authenticate => "authenticate",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Data => "data",
        })
    }
}

/// What went wrong at a step.
#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Setting(String),
    #[error("{0} other mails are on their way, and none was done in time")]
    Busy(usize),
    #[error("there was no answer within the {} s that SMTPServerTimeout allows", .0.as_secs())]
    Late(Duration),
    #[error("the name of the server is unknown ({0})")]
    Unknown(io::Error),
    #[error("the server cannot be reached ({0})")]
    Unreachable(io::Error),
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server does not speak SMTP")]
    Gibberish,
    #[error("the server sent more than any mail server does")]
    TooMuch,
    #[error("{0}")]
    Encryption(String),
    #[error("the server offers no STARTTLS")]
    NoStartTls,
    #[error("something was sent in clear that belongs after the encryption; somebody may be listening in")]
    Eager,
    #[error("the user name and the password would go in clear to another machine")]
    InClear,
    #[error("the server offers {}, and this one speaks PLAIN and LOGIN", shown(.0))]
    NoLogin(String),
    #[error("the address needs SMTPUTF8, which the server does not offer")]
    NoUtf8,
    #[error("the server answered {code} {:?}", shown(text))]
    Refused { code: u16, text: String },
}

impl Problem {
    pub(super) fn setting(text: &str) -> Self {
        Self::Setting(text.to_owned())
    }

    /// The same with `hidden` out of the server's words.
    pub(super) fn without(mut self, hidden: &str, shown: &str) -> Self {
        if let Self::Refused { text, .. } = &mut self
            && !hidden.is_empty()
        {
            *text = text.replace(hidden, shown);
        }
        self
    }

    /// What a failed handshake means.
    pub(super) fn of_handshake(cause: &io::Error) -> Self {
        let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Encryption(match inner {
            Some(rustls::Error::InvalidCertificate(certificate)) => of_certificate(certificate),
            Some(rustls::Error::InvalidMessage(_)) => "the server does not begin with TLS here".to_owned(),
            Some(other) => format!("the handshake failed ({other})"),
            None => format!("the handshake failed ({cause})"),
        })
    }
}

fn of_certificate(problem: &CertificateError) -> String {
    use CertificateError as Is;
    let text = if matches!(problem, Is::Expired | Is::ExpiredContext { .. }) {
        "has expired"
    } else if matches!(problem, Is::NotValidYet | Is::NotValidYetContext { .. }) {
        "is not valid yet"
    } else if matches!(problem, Is::NotValidForName | Is::NotValidForNameContext { .. }) {
        "belongs to another name than SMTPServer"
    } else if matches!(problem, Is::UnknownIssuer) {
        "is signed by nobody whom this machine trusts"
    } else {
        return format!("the server's certificate is not accepted ({problem})");
    };
    format!("the server's certificate {text}")
}

/// Words of the server, as far as they can be shown.
fn shown(text: &str) -> String {
    let shown = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    shown.take(LONGEST_TEXT).collect()
}

fn remedy(stage: Stage, problem: &Problem) -> &'static str {
    match (stage, problem) {
        (_, Problem::Setting(_)) => "Correct it and try again.",
        (_, Problem::Eager) => "Find out what stands between the two servers.",
        (_, Problem::NoStartTls) => "Set ConnectionSecurity to TLS, or enable STARTTLS there.",
        (_, Problem::InClear) => "Set ConnectionSecurity to STARTTLS or TLS.",
        (_, Problem::NoLogin(_)) => "Enable one of them there, or turn EnableSMTPAuth off.",
        (_, Problem::NoUtf8) => "Use an address of plain letters.",
        (Stage::Waiting, _) => "Try again later.",
        (Stage::Settings, _) => "Correct the settings and try again.",
        (Stage::Resolve, _) => "Check SMTPServer, and that this machine can look names up.",
        (Stage::Connect, _) => {
            "Check SMTPServer and SMTPPort, that the mail server runs, and that no firewall is between."
        }
        (Stage::Tls, _) => {
            "Check ConnectionSecurity and SMTPPort, and the certificate of the mail server, which \
             SkipServerCertificateVerification accepts unseen."
        }
        (Stage::Greeting, _) => "Check SMTPPort, and whether the port wants ConnectionSecurity TLS.",
        (Stage::Authenticate, _) => "Check SMTPUsername and SMTPPassword.",
        (Stage::Sender, _) => "Check FeedbackEmail, and whether the mail server wants EnableSMTPAuth.",
        (Stage::Recipient, _) => "Check the address of your account, and whether the mail server passes mail on to it.",
        (Stage::Data, _) => "Look into the log of the mail server.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, text: &str) -> Problem {
        Problem::Refused { code, text: text.to_owned() }
    }

    #[test]
    fn a_failure_says_where_what_and_what_to_do() {
        let problem = refused(535, "5.7.8 no\r\nhunter2 is wrong").without("hunter2", "***");
        let failure = Failure { stage: Stage::Authenticate, problem };
        let text = "authenticate: the server answered 535 \"5.7.8 no  *** is wrong\". \
                    Check SMTPUsername and SMTPPassword.";
        assert_eq!(failure.to_string(), text);
    }

    #[test]
    fn what_the_server_offers_is_cut() {
        let text = Problem::NoLogin("X".repeat(60_000)).to_string();
        assert!(text.len() < 2 * LONGEST_TEXT, "{} bytes", text.len());
    }

    #[test]
    fn words_of_the_server_are_cut_and_never_within_what_is_hidden() {
        let problem = refused(500, &format!("{}hunter2{}", "é".repeat(LONGEST_TEXT - 3), "é".repeat(1000)));
        let text = problem.without("hunter2", "***").to_string();
        assert_eq!(text, format!("the server answered 500 \"{}***\"", "é".repeat(LONGEST_TEXT - 3)));
    }
}
