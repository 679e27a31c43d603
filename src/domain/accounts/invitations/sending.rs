//! Sends invitations by mail: makes a token for each address, and hands the mails to the mail server.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE32_NOPAD;
use futures_util::stream::{self, StreamExt};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use tokio::time::timeout;
use tracing::warn;

use super::letter;
use crate::base::team::{Team, is_in_domains};
use crate::base::user::is_email;
use crate::domain::accounts::mail_token::{ID_CHARACTERS, PERIOD_MS, digest_with, new_secret, text};
use crate::domain::accounts::{Accounts, BUDGET_PERIOD};
use crate::outbound::mail::Mailer;
use crate::store::{InvitedTo, MailToken, MailTokenKind};

/// The number of addresses in a request. A user may send no more in an hour.
const MAX_ADDRESSES: usize = 20;

/// The number of mails of one request that are sent at once.
const MAX_MAILS_AT_ONCE: usize = 4;

/// The time in which the mails of a request are sent.
const SENDING_TIMEOUT: Duration = Duration::from_mins(1);

const UNSENT: &str = "api.team.invite_members.unable_to_send_email.app_error";

/// An order to invite addresses to a team.
pub(crate) struct Order {
    pub(crate) team: Team,
    pub(crate) kind: MailTokenKind,
    pub(crate) channel_ids: Vec<String>,
    /// The name of the sender, as the mail shows it.
    pub(crate) sender_name: String,
    /// A text of the sender for the mail; can be empty.
    pub(crate) message: String,
}

/// The parts that send invitations.
pub(crate) struct Sending<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) mailer: &'a Mailer,
    pub(crate) config: &'a Config,
    /// The user against whose limit the invitations count; `None` on the local socket.
    pub(crate) caller: Option<&'a str>,
}

/// An address, and the reason why it got no mail.
pub(crate) type Outcome = (String, Option<AppError>);

/// Invites addresses to a team, each once.
///
/// Unless `is_graceful`, an address that cannot be invited refuses the whole request before anything is sent.
pub(crate) async fn invite(
    sending: &Sending<'_>,
    order: &Order,
    emails: Vec<String>,
    is_graceful: bool,
) -> Result<Vec<Outcome>, AppError> {
    let now = Instant::now();
    let mut seen = HashSet::new();
    let emails: Vec<String> = emails.into_iter().filter(|email| seen.insert(email.clone())).collect();
    if emails.len() > MAX_ADDRESSES {
        return Err(too_many());
    }
    let (fitting, refused): (Vec<&String>, Vec<&String>) =
        emails.iter().partition(|email| order.admits(email, sending.config));
    if !is_graceful && !refused.is_empty() {
        let refused: Vec<&str> = refused.into_iter().map(String::as_str).collect();
        return Err(invalid(&refused.join(", ")));
    }
    if sending.config.view.service.site_url.is_empty() {
        return Err(AppError::new(UNSENT).because("it needs a link, and ServiceSettings.SiteURL is not set"));
    }
    let count = u32::try_from(fitting.len()).unwrap_or(u32::MAX);
    if !sending.accounts.attempts.take_invitations(sending.caller, &order.team.id, count, now) {
        return Err(too_many());
    }
    // The tokens are stored one after the other: the first of them stores the draft of the audit record.
    let mut prepared = Vec::new();
    for email in &emails {
        let ready = if !fitting.contains(&email) {
            Err(invalid(email))
        } else if sending.accounts.attempts.take_invitation_to(email, now) {
            issue(sending.accounts, order, email, wall_ms()).await?.ok_or_else(too_many)
        } else {
            Err(too_many())
        };
        prepared.push((email.clone(), ready));
    }
    let mails = stream::iter(prepared).map(|(email, ready)| async move {
        let outcome = match ready {
            Ok(token) => {
                let time = SENDING_TIMEOUT.saturating_sub(now.elapsed());
                let sent = timeout(time, send(sending, order, &email, &token)).await;
                sent.unwrap_or_else(|late| Err(AppError::new(UNSENT).because(late)))
            }
            Err(refusal) => Err(refusal),
        };
        (email, outcome.err())
    });
    Ok(mails.buffered(MAX_MAILS_AT_ONCE).collect().await)
}

/// Returns the owner of the tokens of an address in a team, in the form of an id.
fn owner_of(team_id: &str, email: &str) -> String {
    let hash = digest(&SHA256, format!("invitation\n{team_id}\n{email}").as_bytes());
    BASE32_NOPAD.encode(hash.as_ref()).to_lowercase().chars().take(ID_CHARACTERS).collect()
}

/// Stores a token. Returns `None` if the address got as many for this team as it may get in an hour.
async fn issue(accounts: &Accounts, order: &Order, email: &str, now: i64) -> Result<Option<Secret>, AppError> {
    let (owner, secret) = (owner_of(&order.team.id, email), new_secret());
    let invited_to = InvitedTo { team_id: order.team.id.clone(), channel_ids: order.channel_ids.clone() };
    let token = MailToken {
        create_at: now,
        email: email.to_owned(),
        digest: digest_with(&secret, email),
        invited_to: Some(invited_to),
    };
    let place = accounts.db.add_mail_token(order.kind, &owner, token, now.saturating_sub(PERIOD_MS)).await;
    Ok(place.or_fail(UNSENT)?.map(|place| text(&owner, place, &secret)))
}

async fn send(sending: &Sending<'_>, order: &Order, email: &str, token: &Secret) -> Result<(), AppError> {
    let Sending { mailer, config, .. } = sending;
    let full = || AppError::new("app.mail.queue_full.app_error").with("RetryAfter", "60");
    let _place = mailer.place().ok_or_else(full)?;
    let mail = letter::invitation(config, order, email, token);
    let mail = mail.ok_or_else(|| AppError::new(UNSENT).because("ServiceSettings.SiteURL is not an address"))?;
    let sent = mailer.send(&config.view.email, &config.view.service.site_url, &mail).await;
    sent.map_err(|failure| {
        warn!(team_id = order.team.id, cause = %failure, "an invitation could not be sent");
        // The response does not describe the mail server: the caller may be an ordinary user.
        AppError::new(UNSENT)
    })
}

impl Order {
    pub(super) fn is_for_guests(&self) -> bool {
        self.kind == MailTokenKind::GuestInvitation
    }

    /// Returns true for an address whose domain the server and the team admit.
    fn admits(&self, email: &str, config: &Config) -> bool {
        let view = &config.view;
        let domains = if self.is_for_guests() {
            vec![&view.guests.restrict_creation_to_domains]
        } else {
            vec![&self.team.allowed_domains, &view.team.restrict_creation_to_domains]
        };
        is_email(email) && domains.into_iter().all(|domains| is_in_domains(email, domains))
    }
}

fn invalid(emails: &str) -> AppError {
    AppError::new("api.team.invite_members.invalid_email.app_error").with("Addresses", emails)
}

fn too_many() -> AppError {
    AppError::new("app.email.rate_limit_exceeded.app_error").with("RetryAfter", BUDGET_PERIOD.as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::id::is_id;

    use super::*;

    #[test]
    fn an_owner_is_an_id_of_its_own_for_each_address_in_a_team() {
        let owner = owner_of("crew", "dora@chat.example");
        assert!(is_id(&owner), "{owner}");
        assert_eq!(owner, owner_of("crew", "dora@chat.example"));
        assert_ne!(owner, owner_of("crew", "emil@chat.example"));
        assert_ne!(owner, owner_of("rest", "dora@chat.example"));
    }
}
