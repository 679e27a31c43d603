//! The errors of sending mail, with the failed step and a remedy.

use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use thiserror::Error;

/// The step that failed, and its problem.
#[derive(Debug, Error)]
#[error("{stage}: {problem}. {}", remedy(*stage, problem))]
pub(crate) struct Failure {
    pub(super) stage: Stage,
    pub(super) problem: Problem,
}

/// The steps of sending, in order.
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

/// The problem of a failed step.
#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("{0}")]
    Setting(String),
    #[error("{0} other mails are being sent, and none was finished in time")]
    Busy(usize),
    #[error("the mail server did not respond within the {} s of SMTPServerTimeout", .0.as_secs())]
    Late(Duration),
    #[error("the name of the mail server cannot be resolved ({0})")]
    Unknown(io::Error),
    #[error("the server cannot be reached ({0})")]
    Unreachable(io::Error),
    #[error("the connection was lost ({0})")]
    Broken(io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server does not speak SMTP")]
    Gibberish,
    #[error("the server sent a response that is too long")]
    TooMuch,
    #[error("{0}")]
    Encryption(String),
    #[error("the server offers no STARTTLS")]
    NoStartTls,
    #[error("the server sent data in clear text before the TLS handshake; the connection may be intercepted")]
    Eager,
    #[error("the user name and the password would be sent to another machine in clear text")]
    InClear,
    #[error("the mail server offers {}, and Quarterdeck supports PLAIN and LOGIN", offers(*offers_others))]
    NoLogin { offers_others: bool },
    #[error("the address needs SMTPUTF8, which the server does not offer")]
    NoUtf8,
    #[error("the server answered {code}{}", shown(*enhanced))]
    Refused { code: u16, enhanced: Option<[u16; 3]> },
}

impl Problem {
    pub(super) fn setting(text: &str) -> Self {
        Self::Setting(text.to_owned())
    }

    /// Returns a refusal with the server's codes but not its text, because the caller may have chosen the server.
    pub(super) fn refused(code: u16, text: &str) -> Self {
        Self::Refused { code, enhanced: enhanced(text) }
    }

    /// Returns the problem for a failed TLS handshake.
    pub(super) fn of_handshake(cause: &io::Error) -> Self {
        let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        Self::Encryption(match inner {
            Some(rustls::Error::InvalidCertificate(certificate)) => of_certificate(certificate),
            Some(rustls::Error::InvalidMessage(_)) => "the server does not start with TLS on this port".to_owned(),
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
        "is not valid for the name in SMTPServer"
    } else if matches!(problem, Is::UnknownIssuer) {
        "is not signed by an authority that this machine trusts"
    } else {
        return format!("the server's certificate is not accepted ({problem})");
    };
    format!("the server's certificate {text}")
}

/// Returns the enhanced status code (RFC 3463) at the start of a response, such as `5.7.8`.
fn enhanced(text: &str) -> Option<[u16; 3]> {
    let mut numbers = text.split_ascii_whitespace().next()?.split('.').map(|number| number.parse().ok());
    let code = [numbers.next()??, numbers.next()??, numbers.next()??];
    let [class, subject, detail] = code;
    let is_code = numbers.next().is_none() && matches!(class, 2 | 4 | 5) && subject < 1000 && detail < 1000;
    is_code.then_some(code)
}

fn shown(enhanced: Option<[u16; 3]>) -> String {
    enhanced.map(|[class, subject, detail]| format!(" {class}.{subject}.{detail}")).unwrap_or_default()
}

fn offers(others: bool) -> &'static str {
    if others { "other authentication methods" } else { "no authentication" }
}

fn remedy(stage: Stage, problem: &Problem) -> &'static str {
    match (stage, problem) {
        (_, Problem::Setting(_)) => "Correct it and try again.",
        (_, Problem::Eager) => "Find out which proxy or attacker is between the two servers.",
        (_, Problem::NoStartTls) => "Set ConnectionSecurity to TLS, or enable STARTTLS on the mail server.",
        (_, Problem::InClear) => "Set ConnectionSecurity to STARTTLS or TLS.",
        (_, Problem::NoLogin { .. }) => "Enable one of them on the mail server, or turn EnableSMTPAuth off.",
        (_, Problem::NoUtf8) => "Use an address of ASCII characters.",
        (Stage::Waiting, _) => "Try again later.",
        (Stage::Settings, _) => "Correct the settings and try again.",
        (Stage::Resolve, _) => "Check SMTPServer, and that this machine can resolve names.",
        (Stage::Connect, _) => {
            "Check SMTPServer and SMTPPort, that the mail server runs, and that no firewall blocks the connection."
        }
        (Stage::Tls, _) => {
            "Check ConnectionSecurity, SMTPPort and the certificate of the mail server; \
             SkipServerCertificateVerification accepts any certificate."
        }
        (Stage::Greeting, _) => "Check SMTPPort, and whether the port requires ConnectionSecurity TLS.",
        (Stage::Authenticate, _) => "Check SMTPUsername and SMTPPassword.",
        (Stage::Sender, _) => "Check FeedbackEmail, and whether the mail server requires EnableSMTPAuth.",
        (Stage::Recipient, _) => {
            "Check the e-mail address of your account, and whether the mail server delivers mail to it."
        }
        (Stage::Data, _) => "Look into the log of the mail server.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_where_what_and_what_to_do_and_none_of_the_words_of_the_server() {
        for (text, shown) in [
            ("5.7.8 no hunter2 is wrong", "535 5.7.8"),
            ("hunter2 is wrong", "535"),
            ("5.7 no", "535"),
            ("5.7.8.9 no", "535"),
            ("9.7.8 no", "535"),
            ("5.99999.8 no", "535"),
            ("", "535"),
        ] {
            let failure = Failure { stage: Stage::Authenticate, problem: Problem::refused(535, text) };
            let expected = format!("authenticate: the server answered {shown}. Check SMTPUsername and SMTPPassword.");
            assert_eq!(failure.to_string(), expected);
        }
    }
}
