//! Invitations to a team: by mail, with a token for one address, and by the invitation id of the team.

mod letter;
mod opening;
mod sending;

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::license::LicenseHandle;

use crate::base::team::Team;
use crate::base::user::User;
use crate::store::{Invitation, InvitationProof, MailTokenKind};
pub(crate) use opening::{join_invited, open_by_id, open_by_token, recognized};
pub(crate) use sending::{Order, Outcome, Sending, invite};

/// An open invitation, and its team.
pub(crate) struct Invited {
    pub(crate) team: Team,
    pub(crate) invitation: Invitation,
}

impl Invited {
    /// Returns true if the invitation came by mail, so that the user can read the mail of that address.
    pub(crate) fn is_by_mail(&self) -> bool {
        match self.invitation.proof {
            InvitationProof::Mail { .. } => true,
            InvitationProof::InviteId(_) => false,
        }
    }

    /// Returns true if the user becomes a guest.
    pub(crate) fn is_guest(&self) -> bool {
        matches!(self.invitation.proof, InvitationProof::Mail { kind: MailTokenKind::GuestInvitation, .. })
    }

    /// Refuses an address whose domain the server or the team does not admit.
    pub(super) fn check(&self, user: &User, config: &Config) -> Result<(), AppError> {
        if !self.is_guest() && !super::signup::is_domain_allowed(&user.email, config) {
            return Err(AppError::new("api.user.create_user.accepted_domain.app_error"));
        }
        if self.team.admits(user, config) {
            return Ok(());
        }
        let (by_mail, by_id) = (
            "api.team.join_user_to_team.allowed_domains.app_error",
            "api.team.invite_members.invalid_email.app_error#id",
        );
        let id = if self.is_by_mail() { by_mail } else { by_id };
        Err(AppError::new(id).with("Addresses", self.team.allowed_domains.clone()))
    }
}

/// Refuses invitations of guests while the settings or the licence do not allow guests.
pub(crate) fn check_guests(config: &Config, license: &LicenseHandle) -> Result<(), AppError> {
    let Some(license) = license.current() else {
        return Err(AppError::new("api.team.invite_guests_to_channels.license.error"));
    };
    if !config.view.guests.enable {
        return Err(AppError::new("api.team.invite_guests_to_channels.disabled.error"));
    }
    let is_licensed = license.features.has("guest_accounts");
    if is_licensed { Ok(()) } else { Err(AppError::new("api.team.invite_guests_to_channels.disabled.error#license")) }
}
