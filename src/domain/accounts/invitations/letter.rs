//! The mail with an invitation. Its link begins with `SiteURL`, never with an address that a caller named.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::secret::Secret;
use reqwest::Url;
use serde_json::json;

use super::sending::Order;
use crate::outbound::mail::Mail;

/// The page on which an invited user signs up. Mattermost's web application has it at the same path.
const PAGE: &str = "/signup_user_complete";

/// Writes the mail. Returns `None` if `SiteURL` is no address.
pub(super) fn invitation(config: &Config, order: &Order, email: &str, token: &Secret) -> Option<Mail> {
    let view = &config.view;
    let team = &order.team;
    let mut link = Url::parse(&format!("{}{PAGE}", view.service.site_url.trim_end_matches('/'))).ok()?;
    // The page shows these; only the token counts.
    let data = json!({ "display_name": team.display_name, "name": team.name, "email": email });
    link.query_pairs_mut().append_pair("d", &data.to_string()).append_pair("t", token.expose());
    let kind = if order.is_for_guests() { " as a guest" } else { "" };
    let note = if order.message.is_empty() { String::new() } else { format!("{}\n\n", order.message) };
    let text = format!(
        "Hello,\n\n{} invites you to the team {} on {}{kind}.\n\n{note}Make an account with this address here within 48 \
         hours:\n\n{link}\n\nIf you do not know the sender, you do not need to do anything.\n",
        order.sender_name, team.display_name, view.team.site_name
    );
    let subject = format!("{}: invitation to the team {}", view.team.site_name, team.display_name);
    Some(Mail { to: email.to_owned(), subject, text })
}
