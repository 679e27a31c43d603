//! The catalogue of audit events as a Markdown document. A test compares the document with the code.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::web::routes::route::Route;
use crate::web::routes::table;

const HEAD: &str = "\
# Audit events

This file is made from the code: `quarterdeck audit events > docs/audit-events.md`; a test fails while it is out of date.

Each record has a number, the time, the event, its status (`success`, `fail`, or `attempt` when the client did not wait for the end, or the server ended before it; then the parameter `outcome` says so), user, session, address, source (`api`, `local`, `cli` or `server`), request id, method, path, status of the answer and error id.
`parameters` holds the named parts of the path and what the last column says; `before` and `after` hold what changed.
Secrets are never recorded; those of the configuration appear as fingerprints.

A value of more than 1 KiB is cut: it appears as `{\"cut\": its first 256 characters, \"length\": its length in bytes}`.
A document of more than 64 KiB keeps the members that fit, and `members_left_out` says how many do not.

Rows are hashed with a key that is not in the database; `key_id` names it, and is empty in rows of earlier versions. The section about the trail in `docs/deployment.md` says what each of the two proves.

A change runs only after room for its record was reserved. Where a caller has no room left, because the database takes no records, the change is answered 503 (`app.audit.no_room.app_error`) and nothing is changed.
Requests that end sessions are always served.

## Requests
An event that is recorded *always* has one record for each request; one that is recorded *when refused* has a record for each answer 401 or 403.
Refusals beyond a number a minute are counted together, see `refuseStrangers` and `countRefusals` below.

| event | request | recorded | what it tells beside the request |
|---|---|---|---|
";

const SERVER: &str = "
## Without a request
| event | when | what it tells |
|---|---|---|
";

/// The details that a record of an event holds besides the request itself.
const DETAILS: [(&str, &str); 30] = [
    ("addTeamMember", "`user_id`"),
    ("configReload", "each setting that changed"),
    ("createTeam", "the team's id and name"),
    ("createUser", "id, name, address and roles of the account"),
    ("createUserAccessToken", "`token_id`, `description`"),
    ("deleteUser", "`permanent`; the account, or that it is active no more"),
    ("disableUserAccessToken", "`token_id`, `user_id`"),
    ("enableUserAccessToken", "`token_id`, `user_id`"),
    ("generateSupportPacket", "`include_logs`, `plugin_packets`, `filename`"),
    ("getLogs", "`page`, `logs_per_page`"),
    ("login", "`login_id`; the user and the session that came of it"),
    ("manualTest", "the account that was made; nothing is recorded where none was"),
    ("migrateConfig", "`from`, `to`; each setting that changed there"),
    ("patchConfig", "`dry_run`, `version`, `secrets_kept`; each setting that changed"),
    ("patchUser", "each member that changed"),
    ("queryLogs", "`page`, `logs_per_page`"),
    ("resetPasswordFailedAttempts", "the number before"),
    ("restartServer", "`version`: of the program that runs afterwards; nothing when there is no restart"),
    ("revokeSession", "`session_id`"),
    ("revokeUserAccessToken", "`token_id`, `user_id`"),
    ("rollbackConfig", "`version`, `secrets_kept`; each setting that changed"),
    ("setServerBusy", "`seconds`"),
    ("testEmail", "`server`, `port` and `security` of the settings that were tried, when they could be"),
    ("testNotification", "`post_id`"),
    ("updateConfig", "`dry_run`, `version`, `secrets_kept`; each setting that changed"),
    ("updateUser", "each member that changed"),
    ("updateUserActive", "whether it was active, and is"),
    ("updateUserRoles", "`roles`; the roles before and after"),
    ("verifyUserEmailWithoutToken", "each member that changed"),
    ("logout", "nothing is recorded where there is no session"),
];

/// Events that are recorded without a request: the event, when it happens, and the details of its record.
const OWN: [(&str, &str, &str); 13] = [
    (
        "changeAuditKey",
        "a start with another key for the trail than its last row has",
        "`before`, `after`: ids of the keys",
    ),
    ("configReload", "SIGHUP", "each setting that changed"),
    (
        "countRefusals",
        "each minute, and at the stop, if there is something to tell",
        "`count`, `users` and `events`: how many refusals of users were not recorded one by one, because there were more \
         than 60 in a minute (600 of an administrator or the local socket), or because there was no room; with them the \
         ends of sessions that there was no room for",
    ),
    ("createUser", "`quarterdeck user create`", "id, name, address and roles of the account"),
    (
        "endUpgrade",
        "an upgrade of the program ended",
        "`version` of the program now in place, or the `reason` why none is",
    ),
    ("migrateConfig", "`quarterdeck config migrate`", "`from`, `to`; each setting that changed there"),
    ("patchConfig", "`quarterdeck config set`, `unset`, without a server", "`version`; each setting that changed"),
    (
        "pruneAudits",
        "rows at the beginning of the trail were deleted",
        "`number` and `hash` of the last of them, `before`",
    ),
    (
        "refuseStrangers",
        "each minute, and at the stop, if there is something to tell",
        "`count`, `addresses` and `events`: how many requests of callers without a session were refused for want of one, \
         or failed beyond the 60 a minute of each address and the 300 a minute of all that are recorded one by one",
    ),
    (
        "repairAuditTrail",
        "the end of the trail was unknown, or was tampered with",
        "`number` of the last row there was",
    ),
    ("restoreBackup", "`quarterdeck restore`", "`backup`, `taken_at` and `program` of the backup; `sessions_kept`"),
    ("rollbackConfig", "`quarterdeck config rollback`, without a server", "`version`; each setting that changed"),
    ("updateConfig", "`quarterdeck config import`, without a server", "`version`; each setting that changed"),
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
    fn the_document_says_what_the_code_does() {
        let written = include_str!("../../docs/audit-events.md");
        assert_eq!(written, text(), "run: quarterdeck audit events > docs/audit-events.md");
    }

    #[test]
    fn what_is_told_is_told_of_events_that_are_there() {
        let known: Vec<&str> = table().iter().map(|route| route.audit.name()).collect();
        for (event, _) in DETAILS {
            assert!(known.contains(&event), "{event}");
        }
    }
}
