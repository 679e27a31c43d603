//! An account in a response, with the fields that its reader may see.

use std::collections::BTreeMap;

use quarterdeck_actors::config::Config;
use serde::Serialize;
use utoipa::ToSchema;

use super::User;

/// The reader of an account. It decides which fields are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight {
    Owner,
    Administrator,
    Other,
}

/// An account, with the fields that the caller may see. Times are Unix milliseconds.
#[expect(clippy::struct_excessive_bools, reason = "the contract has these members")]
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView<'a> {
    #[serde(skip)]
    pub(crate) sight: Sight,
    /// The account's id.
    id: &'a str,
    /// The time of its creation.
    #[serde(skip_serializing_if = "is_zero")]
    create_at: i64,
    /// The time of its last change.
    #[serde(skip_serializing_if = "is_zero")]
    update_at: i64,
    /// The time at which it was deactivated; 0 while it is active.
    delete_at: i64,
    /// The name.
    username: &'a str,
    /// The id at the login service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_data: Option<&'a str>,
    /// The login service; empty for a password of this server.
    auth_service: &'a str,
    /// The e-mail address.
    email: &'a str,
    /// True if the e-mail address is verified.
    #[serde(skip_serializing_if = "is_false")]
    email_verified: bool,
    /// The nickname.
    nickname: &'a str,
    /// The first name.
    first_name: &'a str,
    /// The last name.
    last_name: &'a str,
    /// The position in the company.
    position: &'a str,
    /// The names of the system roles, separated by spaces.
    roles: &'a str,
    /// True if the user accepts marketing mail.
    #[serde(skip_serializing_if = "is_false")]
    allow_marketing: bool,
    /// Free properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    props: Option<&'a BTreeMap<String, String>>,
    /// The notification settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    notify_props: Option<&'a BTreeMap<String, String>>,
    /// The time at which the password was set.
    #[serde(skip_serializing_if = "is_zero")]
    last_password_update: i64,
    /// The time at which the picture was set.
    #[serde(skip_serializing_if = "is_zero")]
    last_picture_update: i64,
    /// The number of failed logins since the last successful one.
    #[serde(skip_serializing_if = "is_zero")]
    failed_attempts: i64,
    /// The language.
    locale: &'a str,
    /// The time zone settings.
    timezone: &'a BTreeMap<String, String>,
    /// True if the account has a second factor.
    #[serde(skip_serializing_if = "is_false")]
    mfa_active: bool,
    /// The id of the server that the account belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    remote_id: Option<&'a str>,
    /// True if the account is a bot.
    #[serde(skip_serializing_if = "is_false")]
    is_bot: bool,
    /// The description of the bot.
    #[serde(skip_serializing_if = "str::is_empty")]
    bot_description: &'a str,
    /// The time at which the bot's picture was set.
    #[serde(skip_serializing_if = "is_zero")]
    bot_last_icon_update: i64,
    /// True if no welcome mail is sent.
    disable_welcome_email: bool,
}

impl User {
    /// Returns the account as its owner sees it.
    pub(crate) fn for_owner(&self) -> UserView<'_> {
        UserView {
            sight: Sight::Owner,
            id: &self.id,
            create_at: self.create_at,
            update_at: self.update_at,
            delete_at: self.delete_at,
            username: &self.username,
            auth_data: self.auth_data.as_deref(),
            auth_service: &self.auth_service,
            email: &self.email,
            email_verified: self.email_verified,
            nickname: &self.nickname,
            first_name: &self.first_name,
            last_name: &self.last_name,
            position: &self.position,
            roles: &self.roles,
            allow_marketing: self.allow_marketing,
            props: Some(&self.props).filter(|props| !props.is_empty()),
            notify_props: Some(&self.notify_props).filter(|props| !props.is_empty()),
            last_password_update: self.last_password_update,
            last_picture_update: self.last_picture_update,
            failed_attempts: self.failed_attempts,
            locale: &self.locale,
            timezone: &self.timezone,
            mfa_active: self.mfa_active,
            remote_id: self.remote_id.as_deref(),
            is_bot: self.is_bot,
            bot_description: &self.bot_description,
            bot_last_icon_update: self.bot_last_icon_update,
            disable_welcome_email: false,
        }
    }

    /// Returns the account as an administrator sees it.
    pub(crate) fn for_admin(&self) -> UserView<'_> {
        let full = self.for_owner();
        UserView {
            sight: Sight::Administrator,
            email_verified: false,
            allow_marketing: false,
            last_password_update: 0,
            ..full
        }
    }

    /// Returns the account in a report for administrators, without what only its own settings show.
    pub(crate) fn for_report(&self) -> UserView<'_> {
        UserView { notify_props: None, failed_attempts: 0, auth_data: Some(""), ..self.for_admin() }
    }

    /// Returns the account as other users see it.
    pub(crate) fn for_others(&self, config: &Config) -> UserView<'_> {
        let privacy = &config.view.privacy;
        let full = self.for_admin();
        UserView {
            sight: Sight::Other,
            notify_props: None,
            failed_attempts: 0,
            auth_data: Some(""),
            auth_service: "",
            email: if privacy.show_email_address { full.email } else { "" },
            first_name: if privacy.show_full_name { full.first_name } else { "" },
            last_name: if privacy.show_full_name { full.last_name } else { "" },
            ..full
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(truth: &bool) -> bool {
    !truth
}
