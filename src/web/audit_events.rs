//! The catalogue of audit events as a Markdown document. A test compares the document with the code.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::web::routes::route::Route;
use crate::web::routes::table;

const HEAD: &str = "\
# Audit events

This file is made from the code: `quarterdeck audit events > docs/audit-events.md`; a test fails while it is out of date.

Each record has a number, the time, the event, its status, user, session, address, source (`api`, `local`, `cli` or `server`), request id, method, path, status of the response and error id.
The status is `success`, `fail` or `attempt`.
A record has the status `attempt` if the client disconnected before the response, or if the server ended before it recorded the result; the parameter `outcome` names the second case.
`parameters` holds the named parts of the path and the details in the last column; `before` and `after` hold the changed values.
Secrets are never recorded; secrets of the configuration appear as fingerprints.

A value of more than 1 KiB is cut: it appears as `{\"cut\": its first 256 characters, \"length\": its length in bytes}`.
A document of more than 64 KiB keeps the members that fit, and `members_left_out` is the number of the other members.

Rows are hashed with a key that is not in the database; `key_id` is the id of this key, and is empty in rows of earlier versions.
`docs/deployment.md` says in \"Audit trail\" which proof rows with and without a key give.

A change runs only after memory for its record was reserved.
If a caller has used up its memory, because the database stores no records, the change gets 503 (`app.audit.no_room.app_error`) and changes nothing.
Requests that end sessions are always served.

## Requests
An event that is recorded *always* has one record for each request; an event that is recorded *when refused* has one record for each response 401 or 403.
Refusals above a limit a minute are counted together: see `refuseStrangers` and `countRefusals` below.

| event | request | recorded | details besides the request |
|---|---|---|---|
";

const SERVER: &str = "
## Without a request
| event | when | details |
|---|---|---|
";

/// Details that the record of an event holds besides the request.
const DETAILS: [(&str, &str); 65] = [
    ("addTeamMember", "`user_id`"),
    ("addTeamMembers", "`user_ids` of the users who are members now"),
    ("assignBot", "`owner_id` before and after"),
    ("configReload", "each setting that changed"),
    ("confirmConfig", "`version_id` of the confirmed change"),
    ("convertBotToUser", "`set_system_admin`; each member that changed"),
    ("convertUserToBot", "`is_bot` before and after"),
    ("createBot", "the bot's id and name"),
    ("createTeam", "the team's id and name"),
    ("createUser", "id, name, address and roles of the account"),
    ("createUserAccessToken", "`token_id`, `description`"),
    ("demoteUserToGuest", "the roles before and after"),
    ("deleteTeam", "`permanent`; the deleted team, or the members that changed"),
    ("deleteUser", "`permanent`; the deleted account, or `active` before and after"),
    ("disableUserAccessToken", "`token_id`, `user_id`"),
    ("enableUserAccessToken", "`token_id`, `user_id`"),
    ("generateSupportPacket", "`include_logs`, `plugin_packets`, `filename`"),
    ("getLogs", "`page`, `logs_per_page`"),
    ("addUserToTeamFromInvite", "`team_id`, `by_mail`"),
    ("invalidateAllEmailInvites", "`count` of the invitations"),
    ("inviteGuestsToChannels", "`emails`, `channels`"),
    ("inviteUsersToTeam", "`emails`"),
    ("login", "`login_id`; the user and the session that was created"),
    ("manualTest", "the account that was created; without one there is no record"),
    ("migrateConfig", "`from`, `to`, `files`; each setting that changed there"),
    ("patchBot", "each member that changed"),
    ("patchConfig", "`dry_run`, `confirm_within`, `version`, `secrets_kept`; each setting that changed"),
    ("patchRole", "`role`; the permissions `added` and `removed`"),
    ("patchTeam", "each member that changed, without the invitation id"),
    ("patchUser", "each member that changed"),
    ("permanentDeleteAllUsers", "`count` of the deleted accounts"),
    ("promoteGuestToUser", "the roles before and after"),
    ("queryLogs", "`page`, `logs_per_page`"),
    ("removeTeamIcon", "`id`, `last_team_icon_update`"),
    ("removeTeamMember", "`user_id`"),
    ("removeUserCustomStatus", "`custom_status` before and after"),
    ("resetPasswordFailedAttempts", "the number of failed attempts before the reset"),
    (
        "restartServer",
        "`version` of the program that runs after the restart, or the names of the `servers` that restart one after the \
         other; no details if no server restarts",
    ),
    ("revokeSession", "`session_id`"),
    ("revokeUserAccessToken", "`token_id`, `user_id`"),
    ("rollbackConfig", "`confirm_within`, `version`, `secrets_kept`; each setting that changed"),
    ("sendPasswordReset", "`email`"),
    ("sendVerificationEmail", "`email`"),
    ("setProfileImage", "`filename`"),
    ("setTeamIcon", "`filename`; `id`, `last_team_icon_update`"),
    ("setServerBusy", "`seconds`"),
    ("takeBackConfig", "`version_id` of the change; each setting that changed back"),
    ("testEmail", "`server`, `port` and `security` of the tested settings, if the settings can be read"),
    ("testNotification", "`post_id`"),
    ("updateBotActive", "`active` before and after"),
    ("updateConfig", "`dry_run`, `confirm_within`, `version`, `secrets_kept`; each setting that changed"),
    ("updateTeam", "each member that changed, without the invitation id"),
    ("updateTeamMemberRoles", "`user_id`, `roles`; the roles before and after"),
    ("updateTeamMemberSchemeRoles", "`user_id`; the roles before and after"),
    ("updateTeamScheme", "`scheme_id`; the scheme before and after"),
    ("updateTeamPrivacy", "`privacy`; each member that changed, without the invitation id"),
    ("updateUser", "each member that changed"),
    ("updateUserAuth", "`auth_service`; the service before and after"),
    ("updateUserActive", "`active` before and after"),
    ("updateUserCustomStatus", "`custom_status` before and after"),
    ("updateUserMfa", "`mfa_active` before and after"),
    ("updateUserRoles", "`roles`; the roles before and after"),
    ("verifyUserEmail", "`email_verified` before and after"),
    ("verifyUserEmailWithoutToken", "each member that changed"),
    ("logout", "without a session there is no record"),
];

/// Events that are recorded without a request: the event, when it happens, and the details of its record.
const OWN: [(&str, &str, &str); 24] = [
    (
        "changeAuditKey",
        "the server starts with another key than that of the last row",
        "`before`, `after`: ids of the keys",
    ),
    ("configReload", "SIGHUP", "each setting that changed"),
    (
        "countRefusals",
        "each minute and at the stop, if refusals were counted",
        "`count`, `users` and `events`: refusals of users that have no record of their own, because there were more \
         than 60 in a minute (600 for an administrator or the local socket) or because the memory for records was full; \
         also ends of sessions for which that memory was full",
    ),
    ("confirmConfig", "`quarterdeck config confirm`, without a server", "`version` of the confirmed change"),
    ("createUser", "`quarterdeck user create`", "id, name, address and roles of the account"),
    (
        "deactivateGuests",
        "guest accounts are off at the start, or a change of the settings switches them off",
        "`user_ids` of the guests, 100 at most in one record",
    ),
    (
        "endUpgrade",
        "an upgrade of the program ended",
        "`version` of the installed program, or the `reason` of the failure",
    ),
    (
        "exportToMattermost",
        "`quarterdeck export`, if it changed something",
        "`to`, `schema` of the other database; `sessions_kept`; `new` and `changed`: numbers of rows by table",
    ),
    (
        "importDatabase",
        "`quarterdeck import`, if it changed something",
        "`from`, `schema` of the other database; `sessions_kept`; `new` and `changed`: numbers of rows by table",
    ),
    (
        "migrateConfig",
        "`quarterdeck config migrate`, without a server; `quarterdeck import --from config.json`",
        "`from`, `to`, `files`; each setting that changed there",
    ),
    ("patchConfig", "`quarterdeck config set`, `unset`, without a server", "`version`; each setting that changed"),
    (
        "pruneAudits",
        "the oldest rows of the trail were deleted",
        "`number` and `hash` of the last deleted row, `before`",
    ),
    (
        "refuseStrangers",
        "each minute and at the stop, if refusals were counted",
        "`count`, `addresses` and `events`: requests that were refused because they had no session, and other failed \
         requests of callers without a session above 60 a minute for each address or 300 a minute in total",
    ),
    (
        "repairAuditTrail",
        "the end mark of the trail was forged, missing, or behind the last row",
        "`number` of the last row that was found",
    ),
    ("resetPassword", "`quarterdeck user reset-password`", "`user_id`, `username`"),
    ("restoreBackup", "`quarterdeck restore`", "`backup`, `taken_at` and `program` of the backup; `sessions_kept`"),
    ("revokeAllSessionsAllUsers", "`quarterdeck sessions revoke --all`", ""),
    ("revokeAllSessionsForUser", "`quarterdeck sessions revoke`", "`user_id`, `username`"),
    ("rollbackConfig", "`quarterdeck config rollback`, without a server", "`version`; each setting that changed"),
    (
        "takeBackConfig",
        "a change of the configuration was not confirmed in time; `quarterdeck config confirm --take-back`, without a \
         server",
        "`version` of the change; each setting that changed back; `not_taken_back`: settings that stay; `nothing_left`",
    ),
    ("updateConfig", "`quarterdeck config import`, without a server", "`version`; each setting that changed"),
    (
        "updateUserActive",
        "`quarterdeck user activate`, `deactivate`; failed for the last administrator who can log in",
        "`user_id`, `username`; `active` before and after",
    ),
    ("updateUserMfa", "`quarterdeck user reset-mfa`", "`user_id`, `username`; `mfa_active` before and after"),
    ("updateUserRoles", "`quarterdeck user promote`", "`user_id`, `username`; the roles before and after"),
];

/// Returns the document.
pub(crate) fn text() -> String {
    let mut text = HEAD.to_owned();
    let mut rows: BTreeMap<(&str, bool), Vec<String>> = BTreeMap::new();
    for Route { audit, verb, path, .. } in table() {
        let (event, is_always) = (audit.name(), audit.is_always());
        rows.entry((event, is_always)).or_default().push(format!("`{verb} {path}`"));
    }
    for ((event, is_always), requests) in rows {
        let request = if event == "read" { "any other `GET`".to_owned() } else { requests.join(", ") };
        let when = if is_always { "always" } else { "when refused" };
        let details = DETAILS.iter().find(|(known, _)| *known == event).map_or("", |(_, details)| details);
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| `{event}` | {request} | {when} | {details} |");
    }
    text.push_str(SERVER);
    for (event, when, details) in OWN {
        let _ = writeln!(text, "| `{event}` | {when} | {details} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_the_generated_text() {
        let written = include_str!("../../docs/audit-events.md");
        assert_eq!(written, text(), "run: quarterdeck audit events > docs/audit-events.md");
    }

    #[test]
    fn details_belong_to_events_of_the_route_table() {
        let known: Vec<&str> = table().iter().map(|route| route.audit.name()).collect();
        for (event, _) in DETAILS {
            assert!(known.contains(&event), "{event}");
        }
    }
}
