//! Opens invitations: for a caller who signs up, and for a user who joins another team.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::license::LicenseHandle;

use super::{Invited, check_guests};
use crate::base::team::{Member, Team};
use crate::base::user::User;
use crate::domain::accounts::mail_token::{digest_with, parts, refusals};
use crate::domain::announce;
use crate::store::{Db, Invitation, InvitationProof, JoinRules, MailToken, MailTokenKind, StoreError};

const UNREAD: &str = "app.team.get.finding.app_error";

/// An invitation from a mail, as it is stored.
pub(crate) struct Recognized {
    stored: MailToken,
    proof: InvitationProof,
    kind: MailTokenKind,
}

/// Returns the stored invitation for the text from a mail; `None` if there is none.
pub(crate) async fn recognized(db: &Db, text: &str) -> Result<Option<Recognized>, AppError> {
    let Some((owner, place, secret)) = parts(text) else { return Ok(None) };
    for kind in [MailTokenKind::Invitation, MailTokenKind::GuestInvitation] {
        let Some(stored) = db.mail_token(kind, owner, place).await.or_fail(UNREAD)? else { continue };
        let digest = digest_with(secret, &stored.email);
        if verify_slices_are_equal(stored.digest.as_bytes(), digest.as_bytes()).is_ok() {
            let proof = InvitationProof::Mail { kind, owner: owner.to_owned(), place, digest };
            return Ok(Some(Recognized { stored, proof, kind }));
        }
    }
    Ok(None)
}

/// Opens an invitation from a mail for the user with this address. Refuses one that is too old, or for another address.
pub(crate) async fn open_by_token(
    (db, license): (&Db, &LicenseHandle),
    config: &Config,
    recognized: Recognized,
    email: &str,
) -> Result<Invited, AppError> {
    let Recognized { stored, proof, kind } = recognized;
    let [unknown, expired] = refusals(kind);
    if !config.view.service.enable_email_invitations {
        return Err(AppError::new("api.team.invite_members.disabled.app_error"));
    }
    if kind == MailTokenKind::GuestInvitation {
        check_guests(config, license)?;
    }
    if !kind.is_current(stored.create_at, wall_ms()) {
        return Err(AppError::new(expired));
    }
    let invited_to = stored.invited_to.ok_or_else(|| AppError::new(unknown))?;
    let team = db.team(&invited_to.team_id).await.or_fail(UNREAD)?.filter(|team| team.delete_at == 0);
    let team = team.ok_or_else(|| AppError::new("app.team.get.find.app_error"))?;
    if email != stored.email {
        return Err(AppError::new("api.user.create_user.bad_token_email_data.app_error"));
    }
    refuse_groups(&team, "app.team.invite_token.group_constrained.error")?;
    let invitation = Invitation { team_id: team.id.clone(), channel_ids: invited_to.channel_ids, proof };
    Ok(Invited { team, invitation })
}

/// Opens the invitation that the invitation id of a team is.
pub(crate) async fn open_by_id(db: &Db, invite_id: &str) -> Result<Invited, AppError> {
    let team = db.team_with_invite_id(invite_id).await.or_fail(UNREAD)?;
    let team = team.ok_or_else(|| AppError::new("app.team.get_by_invite_id.finding.app_error"))?;
    refuse_groups(&team, "app.team.invite_id.group_constrained.error")?;
    let proof = InvitationProof::InviteId(invite_id.to_owned());
    Ok(Invited { invitation: Invitation { team_id: team.id.clone(), channel_ids: Vec::new(), proof }, team })
}

/// Makes an existing user a member of the team. A membership stays as it is.
pub(crate) async fn join_invited(
    (db, hub): (&Db, &HubHandle),
    config: &Config,
    invited: &Invited,
    user: &User,
) -> Result<Member, AppError> {
    const FAILED: &str = "app.team.save_member.save.app_error";
    let team_id = &invited.team.id;
    if invited.is_by_mail() && invited.is_guest() != user.has_role("system_guest") {
        return Err(AppError::new("api.user.create_user.invalid_invitation_type.app_error"));
    }
    if !invited.team.admits(user, config) {
        return Err(AppError::new("api.team.join_user_to_team.allowed_domains.app_error"));
    }
    let was_member = db.team_member(team_id, &user.id).await.or_fail(FAILED)?.is_some_and(|member| member.is_active());
    let joined = db.join_invited(&user.id, &invited.invitation, JoinRules::of(config), wall_ms()).await;
    joined.map_err(|failed| failed.refused_or(|cause: StoreError| AppError::new(FAILED).because(cause)))?;
    let joined = db.team_member(team_id, &user.id).await.or_fail(FAILED)?.filter(Member::is_active);
    let joined = joined.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    if was_member {
        announce::added_to_team(hub, team_id, &user.id).await;
    } else {
        announce::joined_team((hub, db), team_id, &user.id).await;
    }
    Ok(joined)
}

/// Refuses a team whose members are those of groups.
fn refuse_groups(team: &Team, id: &'static str) -> Result<(), AppError> {
    if team.group_constrained == Some(true) { Err(AppError::new(id)) } else { Ok(()) }
}
