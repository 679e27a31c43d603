//! Routes that invite people to a team by mail, and the one that ends all invitations.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::known;
use crate::base::any_case::AnyCase;
use crate::base::user::is_email;
use crate::domain::accounts::{self, InvitationOutcome, Order, Sending, check_guests};
use crate::domain::audit::Audit;
use crate::domain::channels;
use crate::domain::session::Session;
use crate::domain::teams::team_access;
use crate::store::MailTokenKind;
use crate::web::answer::{Done, Json, Reply, StatusOk};
use crate::web::error::{Envelope, envelope};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The largest number of channels in an invitation.
const MAX_CHANNELS: usize = 20;

/// The longest text of the sender in a mail, in characters.
const MAX_MESSAGE_CHARACTERS: usize = 1_000;

const GRACEFUL: Query = Query::optional(
    "graceful",
    Type::String,
    "With any value, the response has a result for each address, and one refused address does not stop the others.",
);

/// Addresses to invite.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MemberInvitations)]
pub(crate) struct Members {
    /// The addresses; at most 20.
    #[schema(required = true)]
    emails: Option<Vec<String>>,
    /// The ids of channels that the new members join; at most 20. Those to which the caller may add no members are left
    /// out.
    #[serde(rename = "channelIds")]
    channel_ids: Option<Vec<String>>,
    /// A text for the mail, at most 1,000 characters.
    message: Option<String>,
}

/// Addresses to invite as guests.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = GuestInvitations)]
pub(crate) struct Guests {
    /// The addresses; at most 20.
    #[schema(required = true)]
    emails: Option<Vec<String>>,
    /// The ids of the channels that the guests join; at least one, at most 20.
    #[schema(required = true)]
    channels: Option<Vec<String>>,
    /// A text for the mail, at most 1,000 characters.
    message: Option<String>,
}

/// The result for one address.
#[derive(Serialize, ToSchema)]
#[schema(as = EmailInviteWithError)]
pub(crate) struct Outcome<'a> {
    /// The address.
    email: &'a str,
    /// The reason why no mail was sent, or null.
    error: Option<Envelope<'a>>,
}

/// The response: one result for each address if the request is graceful.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = InvitationResults)]
pub(crate) enum Sent<'a> {
    Each(Vec<Outcome<'a>>),
    #[expect(dead_code, reason = "it describes the response")]
    All(StatusOk),
}

pub(crate) const INVITE: Operation =
    Description::new(Tag::Accounts, "InviteUsersToTeam", "Invites people to a team by mail.")
        .details(
            "Needs the permissions `invite_user` and `add_user_to_team`. A mail has a link that works once, within 48 \
             hours and for its address; it begins with `ServiceSettings.SiteURL`. A user sends at most 20 in an hour, a \
             team gets 100, an address 3 for a team and 5 in total. An address that is listed twice gets one mail.",
        )
        .queries(&[GRACEFUL])
        .body(Type::of::<Members>(), "The addresses. Also a list of them, without an object.")
        .responses(&[Response::json(200, Type::of::<Sent<'_>>(), "Sent; with `graceful` a list of results.")])
        .refusals(&[400, 403, 404, 413, 500, 501, 503])
        .handled_by(handler!(invite));

/// `POST /teams/{team_id}/invite/email`: invites people by mail.
pub(crate) async fn invite(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let team_id = request.id("team_id")?;
    let access = team_access(&app.accounts, &session, team_id).await?;
    access.require("invite_user")?;
    if !access.may("add_user_to_team") {
        return Err(session.refusal("invite_user"));
    }
    let wanted = body.anything().await?.and_then(members);
    let wanted =
        wanted.ok_or_else(|| AppError::new("api.team.invite_members_to_team_and_channels.invalid_body.app_error"))?;
    let emails = lowered(wanted.emails);
    if emails.is_empty() {
        return Err(AppError::invalid_body("user_email"));
    }
    audit.parameter("emails", json!(emails));
    if !request.config().view.service.enable_email_invitations {
        return Err(AppError::new("api.team.invite_members.disabled.app_error"));
    }
    let ids = listed(wanted.channel_ids, "channelIds")?;
    let channel_ids = admitting(&app, &session, team_id, &ids).await?;
    let order =
        order((&app, request.config()), &session, team_id, MailTokenKind::Invitation, channel_ids, wanted.message)
            .await?;
    send(&request, &session, &app, &order, emails).await
}

pub(crate) const INVITE_GUESTS: Operation = Description::new(
    Tag::Accounts,
    "InviteGuestsToTeam",
    "Invites guests to channels of a team by mail.",
)
.details(
    "Needs a licence for guest accounts, `GuestAccountsSettings.Enable`, the permission `invite_guest`, and the \
             right to add members to each of the channels. The limits are those of `invite/email`.",
)
.queries(&[GRACEFUL])
.body(Type::of::<Guests>(), "The addresses and the channels.")
.responses(&[Response::json(200, Type::of::<Sent<'_>>(), "Sent; with `graceful` a list of results.")])
.refusals(&[400, 403, 404, 413, 500, 501, 503])
.handled_by(handler!(invite_guests));

/// `POST /teams/{team_id}/invite-guests/email`: invites guests by mail.
pub(crate) async fn invite_guests(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    check_guests(request.config(), &app.actors.license)?;
    let team_id = request.id("team_id")?;
    team_access(&app.accounts, &session, team_id).await?.require("invite_guest")?;
    let wanted = body.anything().await?.and_then(|sent| serde_json::from_value::<AnyCase<Guests>>(sent).ok());
    let AnyCase(wanted) =
        wanted.ok_or_else(|| AppError::new("api.team.invite_guests_to_channels.invalid_body.app_error"))?;
    let emails = lowered(wanted.emails);
    if emails.is_empty() {
        return Err(AppError::new("model.guest.is_valid.emails.app_error"));
    }
    if let Some(invalid) = emails.iter().find(|email| !is_email(email)) {
        return Err(AppError::new("model.guest.is_valid.email.app_error").with("Email", invalid));
    }
    let ids = listed(wanted.channels, "channels")?;
    if ids.is_empty() {
        return Err(AppError::new("model.guest.is_valid.channels.app_error"));
    }
    if !ids.iter().all(|id| is_id(id)) {
        return Err(AppError::new("model.guest.is_valid.channel.app_error"));
    }
    audit.parameter("emails", json!(emails));
    audit.parameter("channels", json!(ids));
    if !request.config().view.service.enable_email_invitations {
        return Err(AppError::new("api.team.invite_members.disabled.app_error"));
    }
    let admitting = admitting(&app, &session, team_id, &ids).await?;
    if admitting.len() < ids.len() {
        return Err(AppError::new("api.team.invite_guests.channel_in_invalid_team.app_error"));
    }
    let order =
        order((&app, request.config()), &session, team_id, MailTokenKind::GuestInvitation, admitting, wanted.message)
            .await?;
    send(&request, &session, &app, &order, emails).await
}

pub(crate) const REMOVE_ALL: Operation =
    Description::new(Tag::Accounts, "InvalidateEmailInvites", "Ends all invitations that were sent by mail.")
        .details("Needs the permission `invalidate_email_invite`.")
        .responses(&[Response::json(200, STATUS_OK, "Ended.")])
        .refusals(&[403, 500])
        .handled_by(handler!(remove_all));

/// `DELETE /teams/invites/email`: ends all invitations that were sent by mail.
pub(crate) async fn remove_all(session: Session, app: Data<AppState>, audit: Audit) -> Result<Done, AppError> {
    session.require("invalidate_email_invite")?;
    let removed = app.db.remove_invitations().await.or_fail("api.team.invalidate_all_email_invites.app_error")?;
    audit.made(json!({ "count": removed }));
    Ok(Done)
}

/// Returns the addresses in a body, which is an object or a list.
fn members(sent: Value) -> Option<Members> {
    if sent.is_array() {
        return serde_json::from_value(sent).ok().map(|emails| Members { emails, ..Members::default() });
    }
    serde_json::from_value(sent).ok().map(|AnyCase(members)| members)
}

fn lowered(emails: Option<Vec<String>>) -> Vec<String> {
    emails.unwrap_or_default().iter().map(|email| email.to_lowercase()).collect()
}

/// Returns the ids in a list, each once.
fn listed(ids: Option<Vec<String>>, name: &'static str) -> Result<Vec<String>, AppError> {
    let mut ids = ids.unwrap_or_default();
    if ids.len() > MAX_CHANNELS {
        return Err(AppError::invalid_body(name));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// Returns the channels of the team among `ids` to which the caller may add members.
async fn admitting(app: &AppState, session: &Session, team_id: &str, ids: &[String]) -> Result<Vec<String>, AppError> {
    let mut admitting = Vec::new();
    if ids.is_empty() {
        return Ok(admitting);
    }
    let found = app.db.channels_among(team_id, ids).await.or_fail("app.channel.get_channels_by_ids.app_error")?;
    for (id, is_private) in found {
        let permission = if is_private { "manage_private_channel_members" } else { "manage_public_channel_members" };
        if channels::may(&app.accounts, session, &id, permission).await? {
            admitting.push(id);
        }
    }
    Ok(admitting)
}

async fn order(
    (app, config): (&AppState, &Config),
    session: &Session,
    team_id: &str,
    kind: MailTokenKind,
    channel_ids: Vec<String>,
    message: Option<String>,
) -> Result<Order, AppError> {
    let message = message.unwrap_or_default();
    if message.chars().count() > MAX_MESSAGE_CHARACTERS {
        return Err(AppError::invalid_body("message"));
    }
    let team = known(app, team_id).await?;
    if team.delete_at > 0 {
        return Err(AppError::new("app.team.get.find.app_error"));
    }
    let sender_name = if session.is_local() {
        "The administrator".to_owned()
    } else {
        let sender = accounts::known(&app.db, session.user_id()).await?;
        sender.display_name(&config.view.team.teammate_name_display)
    };
    Ok(Order { team, kind, channel_ids, sender_name, message })
}

async fn send(
    request: &Request,
    session: &Session,
    app: &AppState,
    order: &Order,
    emails: Vec<String>,
) -> Result<HttpResponse, AppError> {
    let is_graceful = request.query("graceful").is_some();
    let caller = Some(session.user_id()).filter(|_| !session.is_local());
    let (accounts, mailer, config) = (&app.accounts, &app.outside.mailer, request.config());
    let sending = Sending { accounts, mailer, config, caller };
    let outcomes = request.while_awaited(accounts::invite(&sending, order, emails, is_graceful)).await??;
    if is_graceful {
        return Json(Sent::Each(outcomes.iter().map(Outcome::of).collect())).reply();
    }
    match outcomes.into_iter().find_map(|(_, error)| error) {
        Some(failure) => Err(failure),
        None => Done.reply(),
    }
}

impl<'a> Outcome<'a> {
    fn of((email, error): &'a InvitationOutcome) -> Self {
        Self { email, error: error.as_ref().map(envelope) }
    }
}
