//! Reauthentication, and the table of the changes that need it.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::route::Route;
use crate::base::lenient::or_default;
use crate::domain::accounts::{check_uses_reauthentication, reauthenticate as authenticate_again};
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The events of changes that hand out access, take it away, delete for ever or replace the program: roles, passwords,
/// one-time codes, access tokens, accounts, bots, the licence. The e-mail address of an account is one of them, because
/// links for new passwords go there.
const CRITICAL: [&str; 25] = [
    "updateUserRoles",
    "patchRole",
    "promoteGuestToUser",
    "demoteUserToGuest",
    "updateTeamMemberRoles",
    "updateTeamMemberSchemeRoles",
    "updateUser",
    "patchUser",
    "updatePassword",
    "updateUserAuth",
    "updateUserMfa",
    "updateUserActive",
    "deleteUser",
    "convertUserToBot",
    "convertBotToUser",
    "assignBot",
    "updateBotActive",
    "deleteTeam",
    "createUserAccessToken",
    "enableUserAccessToken",
    "addLicense",
    "removeLicense",
    "requestTrialLicense",
    "upgradeToEnterprise",
    "restartServer",
];

/// The events of changes that need it for some settings only. Their handlers pass the check to the decision.
const CRITICAL_BY_SETTING: [&str; 4] = ["updateConfig", "patchConfig", "rollbackConfig", "takeBackConfig"];

/// The requests of a route that need a recent authentication, in sessions that use reauthentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reauthentication {
    Never,
    Always,
    /// Those that change certain settings.
    BySetting,
}

/// Returns the requests of `route` that need a recent authentication.
pub(crate) fn needed_by(route: &Route) -> Reauthentication {
    let event = route.audit.name();
    if CRITICAL.contains(&event) {
        Reauthentication::Always
    } else if CRITICAL_BY_SETTING.contains(&event) {
        Reauthentication::BySetting
    } else {
        Reauthentication::Never
    }
}

/// The proof of a caller's identity.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Reauthentication)]
pub(super) struct Proof {
    /// The password.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = String, required = true, min_length = 1)]
    password: Secret,
    /// The code of the second factor, if the account has one.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = String)]
    token: Secret,
}

pub(super) const REAUTHENTICATE: Operation = Description::new(
    Tag::Accounts,
    "Reauthenticate",
    "Proves the identity of the caller again, so that critical actions are allowed for 15 minutes.",
)
.details(
    "An extension of the API, for sessions whose login had `require_reauthentication`. A wrong password or code counts \
     as a failed login.",
)
.body(Type::of::<Proof>(), "The password.")
.responses(&[Response::json(200, STATUS_OK, "The time is stored in the session.")])
.refusals(&[400, 401, 403, 500])
.handled_by(handler!(reauthenticate));

/// `POST /users/sessions/reauthenticate`: proves the caller's identity again.
pub(super) async fn reauthenticate(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    check_uses_reauthentication(&session)?;
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let Proof { password, token } = body.lenient().await;
    if password.is_empty() {
        return Err(AppError::new("api.user.login.blank_pwd.app_error"));
    }
    let proof = (&password, &token);
    let done = authenticate_again(&app.accounts, request.config(), &session, proof, &request.caller()).await;
    app.metrics.login(done.is_ok());
    done.map(|()| Done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::routes::route::{Class, Listeners};
    use crate::web::routes::table;

    /// The events of changes that hand out no access, and lock a person out for no longer than a login takes.
    const HARMLESS: [&str; 53] = [
        "generateSupportPacket",
        "setServerBusy",
        "clearServerBusy",
        "testEmail",
        "testNotification",
        "updateViewedProductNotices",
        "completeOnboarding",
        "setAIBridgeTestHelper",
        "deleteAIBridgeTestHelper",
        "databaseRecycle",
        "invalidateCaches",
        "getLogs",
        "downloadLogs",
        "queryLogs",
        "confirmConfig",
        "configReload",
        "setProfileImage",
        "setDefaultProfileImage",
        "verifyUserEmailWithoutToken",
        "generateMfaSecret",
        "resetPasswordFailedAttempts",
        "revokeSession",
        "revokeAllSessionsForUser",
        "revokeAllSessionsAllUsers",
        "reauthenticate",
        "attachDeviceId",
        "revokeUserAccessToken",
        "disableUserAccessToken",
        "updateUserStatus",
        "updateUserCustomStatus",
        "verifyAudits",
        "removeUserCustomStatus",
        "removeUserRecentCustomStatus",
        "updatePreferences",
        "deletePreferences",
        "createTeam",
        "updateTeam",
        "patchTeam",
        "updateTeamPrivacy",
        "regenerateTeamInviteId",
        "updateTeamScheme",
        "setTeamIcon",
        "removeTeamIcon",
        "restoreTeam",
        "addUserToTeamFromInvite",
        "invalidateAllEmailInvites",
        "inviteGuestsToChannels",
        "inviteUsersToTeam",
        "addTeamMember",
        "removeTeamMember",
        "addTeamMembers",
        "createBot",
        "patchBot",
    ];

    #[test]
    fn each_change_is_critical_or_known_to_be_harmless() {
        let changes = table().iter().filter(|route| route.audit.is_always() && route.class == Class::Session);
        let served = changes.filter(|route| route.listeners != Listeners::SocketOnly);
        let events: BTreeSet<&str> = served.map(|route| route.audit.name()).collect();
        let decided = [&CRITICAL[..], &CRITICAL_BY_SETTING[..], &HARMLESS[..]].concat();
        assert_eq!(decided.iter().collect::<BTreeSet<_>>().len(), decided.len(), "an event stands twice");
        let decided: BTreeSet<&str> = decided.into_iter().collect();
        let open: Vec<_> = events.difference(&decided).collect();
        assert!(open.is_empty(), "decide if these need a recent authentication: {open:?}");
        let gone: Vec<_> = decided.difference(&events).collect();
        assert!(gone.is_empty(), "no route has these events: {gone:?}");
    }
}
