//! SMTP authentication with `PLAIN` or `LOGIN`, as the mail server offers.
//!
//! `CRAM-MD5` is not supported: it needs MD5, and over TLS it adds no protection.

use super::dialogue::{Dialogue, Extensions};
use super::failure::Problem;
use data_encoding::BASE64;
use quarterdeck_actors::secret::Secret;
use tokio::io::{AsyncRead, AsyncWrite};

/// Logs in. The caller has checked that the connection is safe for a password.
pub(super) async fn log_in<S: AsyncRead + AsyncWrite + Unpin>(
    dialogue: &mut Dialogue<S>,
    offers: &Extensions,
    username: &str,
    password: &Secret,
) -> Result<(), Problem> {
    let mechanisms: Vec<&str> = offers.of("AUTH").into_iter().flatten().collect();
    let answer = if mechanisms.contains(&"PLAIN") {
        let secret = encoded(&format!("\0{username}\0{}", password.expose()));
        dialogue.ask(&format!("AUTH PLAIN {secret}"), 2).await
    } else if mechanisms.contains(&"LOGIN") {
        dialogue.ask("AUTH LOGIN", 3).await?;
        dialogue.ask(&encoded(username), 3).await?;
        dialogue.ask(&encoded(password.expose()), 2).await
    } else {
        return Err(Problem::NoLogin { offers_others: !mechanisms.is_empty() });
    };
    answer.map(drop)
}

fn encoded(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}
