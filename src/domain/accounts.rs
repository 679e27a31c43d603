//! Accounts: sign-up, login, access tokens, and changes of an account.

mod access;
mod access_token;
mod activity;
mod agent;
mod attempts;
mod bot;
mod compare;
mod conversion;
mod custom_status;
mod device;
mod edit;
mod ended;
mod first;
mod guests;
mod invitations;
mod letters;
mod login;
mod login_service;
mod mail_token;
mod maps;
mod mfa;
mod mfa_required;
mod operator;
mod reauthentication;
mod recovery;
mod seed;
mod seen;
mod signup;

use quarterdeck_actors::roles::handle::RolesHandle;
use quarterdeck_actors::sessions::SessionsHandle;

use crate::domain::passwords::Passwords;
use crate::store::Db;
pub(crate) use access::{
    check_may_change, known, protect_admin, require_access, require_access_or_bot, require_editor,
};
pub(crate) use access_token::{
    add_access_token, disable_access_token, enable_access_token, open_access_token, remove_access_token,
};
pub(crate) use activity::{extend, touch};
pub(crate) use attempts::{Attempts, BUDGET_PERIOD};
pub(crate) use bot::{bot_account, system_bot};
pub(crate) use conversion::{convert_to_bot, convert_to_user};
pub(crate) use custom_status::set_custom_status;
pub(crate) use device::{Device, attach, check_device_id, enable_notifications, note_removal, takes_push};
pub(crate) use edit::{confirm_password, update};
pub(crate) use ended::{drop_deleted, renew_roles, renew_sessions};
pub(crate) use first::{Claim, FirstAccount, SETUP_CODE, WhyOffline};
pub(crate) use guests::{deactivate_guests, demote, promote};
pub(crate) use invitations::{
    Invited, Order, Outcome as InvitationOutcome, Sending, check_guests, invite, join_invited, open_by_id,
    open_by_token, recognized,
};
pub(crate) use login::{Credentials, login};
pub(crate) use login_service::set_login_service;
pub(crate) use mail_token::TOKEN_CHARACTERS;
pub(crate) use mfa::{Enrolment, activate_mfa, enrol};
pub(crate) use mfa_required::check_mfa;
pub(crate) use operator::{OperatorAccounts, Refusal as OperatorRefusal};
pub(crate) use reauthentication::{admitted_settings, check_recent, check_uses_reauthentication, reauthenticate};
pub(crate) use recovery::{recovering, send_reset, send_verification, tell_of_mfa, tell_of_password, verify_address};
pub(crate) use seed::{Seed, Seeded, seed, suitable_password};
pub(crate) use signup::{
    MAX_ACTIVE_ACCOUNTS, RECOMMENDED_ACCOUNTS, Signup, account_limit, check_room, create, create_offline, entry,
    refusal as save_refusal, site_rules,
};

/// The parts that decide about accounts and their sessions.
pub(crate) struct Accounts {
    pub(crate) db: Db,
    pub(crate) sessions: SessionsHandle,
    pub(crate) roles: RolesHandle,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    /// Decides which caller may create the first account over the network.
    pub(crate) first: FirstAccount,
}
