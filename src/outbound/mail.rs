//! Sends mail over SMTP: one connection for each mail, with the settings that the caller gives.
//!
//! lettre formats the message, but the SMTP client is our own. lettre's client accepts responses of any length, and
//! treats text that was sent before the TLS handshake as sent after it.

mod dialogue;
mod failure;
mod html;
mod login;
mod message;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::config::view::EmailSettings;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::base::trust::client_config;
use dialogue::{Dialogue, Extensions};
pub(crate) use failure::Failure;
use failure::{Problem, Stage};
use message::Letter;
pub(crate) use message::Mail;

/// The maximum number of mails that are sent at once; others wait.
const MAX_MAILS_AT_ONCE: usize = 4;

/// The timeout when `SMTPServerTimeout` is 0 or less, in seconds.
const DEFAULT_TIMEOUT_S: u64 = 10;

/// The maximum of `SMTPServerTimeout`, in seconds.
const MAX_TIMEOUT_S: u64 = 120;

/// The maximum number of mails that wait in the background, because no response waits for them.
const MAX_MAILS_IN_BACKGROUND: usize = 64;

/// Sends mail, with a limit on simultaneous mails.
pub(crate) struct Mailer {
    turns: Semaphore,
    background: Arc<Semaphore>,
}

impl Mailer {
    pub(crate) fn new() -> Self {
        let background = Arc::new(Semaphore::new(MAX_MAILS_IN_BACKGROUND));
        Self { turns: Semaphore::new(MAX_MAILS_AT_ONCE), background }
    }

    /// Returns a place for a mail that is sent in the background, or `None` when as many wait already. The place is
    /// free again when it is dropped.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.background.clone().try_acquire_owned().ok()
    }

    /// Sends `mail` with `settings` for the site at `site_url`. Succeeds when the mail server has accepted the mail.
    ///
    /// The whole takes at most `SMTPServerTimeout`, including the wait for a permit.
    pub(crate) async fn send(&self, settings: &EmailSettings, site_url: &str, mail: &Mail) -> Result<(), Failure> {
        let mail_timeout = mail_timeout(settings);
        let deadline = Instant::now() + mail_timeout;
        let mut stage = Stage::Waiting;
        let Ok(Ok(_turn)) = timeout_at(deadline, self.turns.acquire()).await else {
            return Err(Failure { stage, problem: Problem::Busy(MAX_MAILS_AT_ONCE) });
        };
        let sent = timeout_at(deadline, deliver(settings, &hello_name(site_url), mail, &mut stage)).await;
        sent.unwrap_or(Err(Problem::Late(mail_timeout))).map_err(|problem| Failure { stage, problem })
    }
}

fn mail_timeout(settings: &EmailSettings) -> Duration {
    let wanted = u64::try_from(settings.smtp_server_timeout).ok().filter(|seconds| *seconds > 0);
    Duration::from_secs(wanted.unwrap_or(DEFAULT_TIMEOUT_S).min(MAX_TIMEOUT_S))
}

async fn deliver(settings: &EmailSettings, name: &str, mail: &Mail, stage: &mut Stage) -> Result<(), Problem> {
    *stage = Stage::Settings;
    let letter = Letter::new(settings, name, mail)?;
    let port = settings.smtp_port.trim().parse().map_err(|_| Problem::setting("SMTPPort is not a port number"))?;
    let server = settings.smtp_server.trim();
    let security = settings.connection_security.as_str();
    if !matches!(security, "" | "PLAIN" | "TLS" | "STARTTLS") {
        return Err(Problem::setting("ConnectionSecurity is neither empty nor TLS nor STARTTLS"));
    }
    let stream = connect(server, port, stage).await?;
    match security {
        "TLS" => {
            *stage = Stage::Tls;
            let stream = encrypt(stream, settings).await?;
            *stage = Stage::Greeting;
            let (mut dialogue, offers) = Dialogue::open(stream, name).await?;
            hand_over(&mut dialogue, settings, &offers, true, &letter, stage).await
        }
        "STARTTLS" => {
            *stage = Stage::Greeting;
            let (dialogue, offers) = Dialogue::open(stream, name).await?;
            *stage = Stage::Tls;
            let stream = encrypt(dialogue.leave_for_tls(&offers).await?, settings).await?;
            *stage = Stage::Greeting;
            let (mut dialogue, offers) = Dialogue::resume(stream, name).await?;
            hand_over(&mut dialogue, settings, &offers, true, &letter, stage).await
        }
        _ => {
            *stage = Stage::Greeting;
            let (mut dialogue, offers) = Dialogue::open(stream, name).await?;
            hand_over(&mut dialogue, settings, &offers, false, &letter, stage).await
        }
    }
}

/// Connects to the first of the server's addresses that accepts.
async fn connect(server: &str, port: u16, stage: &mut Stage) -> Result<TcpStream, Problem> {
    *stage = Stage::Resolve;
    let addresses: Vec<_> = lookup_host((server, port)).await.map_err(Problem::Unknown)?.collect();
    *stage = Stage::Connect;
    TcpStream::connect(addresses.as_slice()).await.map_err(Problem::Unreachable)
}

async fn encrypt(stream: TcpStream, settings: &EmailSettings) -> Result<TlsStream<TcpStream>, Problem> {
    let server = settings.smtp_server.trim().to_owned();
    let name = ServerName::try_from(server).map_err(|_| Problem::setting("SMTPServer is not a host name"))?;
    let verifies = !settings.skip_server_certificate_verification;
    // The root certificates are read from the disk each time, so that changes apply.
    let config = tokio::task::spawn_blocking(move || client_config(verifies)).await;
    let config = config.map_err(|_| Problem::Closed)?.map_err(|cause| Problem::Encryption(cause.to_string()))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|cause| Problem::of_handshake(&cause))
}

/// Runs all steps after the greeting: login, sender, recipient and data.
async fn hand_over<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<S>,
    settings: &EmailSettings,
    offers: &Extensions,
    is_encrypted: bool,
    letter: &Letter,
    stage: &mut Stage,
) -> Result<(), Problem> {
    if settings.enable_smtp_auth {
        *stage = Stage::Authenticate;
        let is_safe = is_encrypted || is_this_machine(settings.smtp_server.trim());
        if !is_safe {
            return Err(Problem::InClear);
        }
        login::log_in(dialogue, offers, &settings.smtp_username, &settings.smtp_password).await?;
    }
    *stage = Stage::Sender;
    dialogue.name_sender(letter, offers).await?;
    *stage = Stage::Recipient;
    dialogue.name_recipient(letter).await?;
    *stage = Stage::Data;
    dialogue.transmit(letter).await?;
    // The server has accepted the mail, so errors of `QUIT` are ignored.
    dialogue.take_leave().await;
    Ok(())
}

/// Returns true when the server is on this machine, so that data sent to it never leaves the machine.
fn is_this_machine(server: &str) -> bool {
    server.eq_ignore_ascii_case("localhost") || server.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the name for `EHLO`: the host of the site URL, or `localhost` without one.
fn hello_name(site_url: &str) -> String {
    let url = Url::parse(site_url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or("localhost");
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => format!("[{address}]"),
        Ok(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Err(_) => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_calls_itself_as_its_site_is_called() {
        for (site, name) in [
            ("https://chat.example:8443/chat", "chat.example"),
            ("http://10.1.2.3", "[10.1.2.3]"),
            ("http://[::1]:8065", "[IPv6:::1]"),
            ("https://bücher.example", "xn--bcher-kva.example"),
            ("", "localhost"),
        ] {
            assert_eq!(hello_name(site), name);
        }
    }

    #[test]
    fn only_the_names_of_this_machine_are_this_machine() {
        for server in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "::1"] {
            assert!(is_this_machine(server), "{server}");
        }
        for server in ["", "localhost.example", "10.0.0.1", "mail.example", "128.0.0.1"] {
            assert!(!is_this_machine(server), "{server}");
        }
    }
}
