//! Durations are measured on the monotonic clock. Each place that reads the wall clock is listed, with its reason.

use super::bounds::shipped;

/// Texts of the lengths of minutes, hours and days.
const LENGTHS: [&str; 5] = ["86_400", "3_600_000", "* 60_000", "= 60_000", "60 * 60"];

/// The files that may write such a length, and the reason.
const WRITERS: [(&str, &str); 3] = [
    ("actors/src/clock.rs", "the one home of these lengths"),
    ("src/settings/options.rs", "the maximum of an option is a number of the table"),
    ("src/store/data_source/limits.rs", "the units that PostgreSQL writes"),
];

#[test]
fn lengths_of_time_have_one_home() {
    for (path, text) in shipped() {
        let is_writer = WRITERS.iter().any(|(known, _)| *known == path);
        let found: Vec<&&str> = LENGTHS.iter().filter(|length| text.contains(**length)).collect();
        assert!(is_writer || found.is_empty(), "{path}: {found:?}: use MINUTE_MS, HOUR_MS and DAY_MS of clock");
    }
}

/// The functions that read the wall clock. A function that is passed on counts as a call.
const READERS: [&str; 9] = [
    "now_ms()",
    "(now_ms,",
    "wall_ms()",
    ".wall()",
    "SystemTime",
    "now_utc()",
    "now_local()",
    "Utc::now",
    "UtcDateTime::now",
];

const STORED: &str = "the time is stored with a row and shown";
const EXPIRY: &str = "an end that is stored or signed as wall time is compared with it";
const PROTOCOL: &str = "another party reads it as wall time";
const NAME: &str = "it is part of a name or a text that people read";

/// Every file that reads the wall clock, and the reason.
const PLACES: &[(&str, &str)] = &[
    ("actors/src/busy.rs", "the end of the flag is stored; the time until then is measured on the monotonic clock"),
    ("actors/src/clock.rs", "the source of both clocks"),
    ("actors/src/hub/upkeep.rs", EXPIRY),
    ("actors/src/presence.rs", "activity is stored as wall time, and other servers compare it"),
    (
        "actors/src/presence/shared.rs",
        "activity and the end of DND are stored as wall time, and other servers compare them",
    ),
    (
        "src/domain/accounts/activity.rs",
        "the end of a session and its last activity are stored; other servers compare them",
    ),
    ("src/domain/accounts/bot.rs", STORED),
    ("src/domain/accounts/conversion.rs", STORED),
    ("src/domain/accounts/guests.rs", STORED),
    ("src/domain/accounts/login_service.rs", STORED),
    ("src/domain/bots.rs", STORED),
    ("src/domain/accounts/compare.rs", STORED),
    ("src/domain/accounts/device.rs", STORED),
    ("src/domain/accounts/edit.rs", STORED),
    ("src/domain/accounts/mfa.rs", "the change is stored, and the steps of one-time codes are wall time"),
    ("src/domain/accounts/invitations/opening.rs", EXPIRY),
    ("src/domain/accounts/invitations/sending.rs", STORED),
    ("src/domain/accounts/reauthentication.rs", "the time of an authentication is stored; other servers compare it"),
    ("src/domain/accounts/recovery.rs", EXPIRY),
    ("src/domain/accounts/login.rs", "times are stored, and the steps of one-time codes are wall time"),
    ("src/domain/accounts/operator.rs", STORED),
    ("src/domain/accounts/signup.rs", STORED),
    ("src/domain/analytics.rs", "the figures count the days of rows that store wall time"),
    ("src/server/backup/making.rs", STORED),
    ("src/cli/audit.rs", "the age of rows that store wall time"),
    ("src/cli/license.rs", EXPIRY),
    ("src/cli/support_packet.rs", NAME),
    ("src/domain/config_access.rs", STORED),
    ("src/web/cookies.rs", PROTOCOL),
    ("src/files/azure/credential/shared_key.rs", PROTOCOL),
    ("src/telemetry/logging/record.rs", STORED),
    ("src/domain/notices.rs", STORED),
    ("src/web/pipeline/trail.rs", STORED),
    ("src/web/routes/busy.rs", STORED),
    ("src/web/routes/license.rs", "the end of a licence, and the age of rows that store wall time"),
    ("src/web/routes/logs/nodes.rs", "a client compares it with the times of lines"),
    ("src/web/routes/notices.rs", "notices begin and end at wall times"),
    ("src/web/routes/notifications.rs", STORED),
    ("src/web/routes/reports.rs", "a range of the calendar ends now"),
    ("src/web/routes/roles/patch.rs", STORED),
    ("src/web/routes/support_packet.rs", NAME),
    ("src/web/routes/users.rs", STORED),
    ("src/web/routes/users/active.rs", STORED),
    ("src/domain/picture/change.rs", STORED),
    ("src/web/routes/users/mfa.rs", STORED),
    ("src/web/routes/custom_status.rs", "the end of a status is stored and compared with wall time"),
    ("src/web/routes/users/recovery.rs", STORED),
    ("src/web/routes/users/password.rs", STORED),
    ("src/web/routes/users/roles.rs", STORED),
    ("src/server/building.rs", STORED),
    ("src/server/checks.rs", STORED),
    ("src/server/tasks.rs", "the age of rows that store wall time"),
    ("src/server/user_names.rs", "the time of the last change of rows that store wall time"),
    ("src/domain/session.rs", "the end of a session and its last activity are stored; other servers compare them"),
    ("src/web/socket/actions.rs", PROTOCOL),
    ("src/store/audits.rs", STORED),
    ("src/domain/audit/verification.rs", "the time of a verification is shown"),
    ("src/store/licenses.rs", STORED),
    ("src/store/roles.rs", STORED),
    ("src/domain/support_packet.rs", STORED),
    ("src/domain/teams.rs", STORED),
    ("src/domain/teams/edit.rs", "the times of a change and of an archived team, stored"),
    ("src/domain/version_store/certificates.rs", STORED),
    ("src/domain/version_store/confirmation.rs", "the end of the time for a confirmation, which is stored"),
    ("src/domain/upgrade.rs", EXPIRY),
];

/// The operations that compute a duration from a time that may be wall time.
const DIFFERENCES: [&str; 8] = [
    "now - ",
    "now_ms - ",
    "now_s - ",
    "now_ms() - ",
    "wall_ms() - ",
    "wall() - ",
    "now.saturating_sub(",
    "wall.saturating_sub(",
];

const OLD_ROWS: &str = "rows that are older, as their stored times say";
const SESSION: &str = "the times of a session are stored, and every server compares them";

/// Every such line, by file and a part of the line, and the reason why wall time is right.
const DURATIONS: &[(&str, &str, &str)] = &[
    ("actors/src/busy.rs", "wall.saturating_sub(clock.wall())", "converts a stored end to the monotonic clock, once"),
    ("src/store/cluster/nodes.rs", "now - heartbeat_at", "both are times of the database's clock"),
    ("actors/src/notices/dates.rs", "now_s - now_s.rem_euclid(DAY_S)", "the beginning of a calendar day"),
    (
        "actors/src/presence/status.rs",
        "now - last_activity_at >= away_after_ms",
        "activity is stored, and every server compares it",
    ),
    ("src/domain/accounts/activity.rs", "now.saturating_sub(stored.expires_at", SESSION),
    ("src/domain/accounts/activity.rs", "now - stored.last_activity_at", SESSION),
    ("src/domain/accounts/reauthentication.rs", "now.saturating_sub(at)", SESSION),
    ("src/domain/accounts/invitations/sending.rs", "now.saturating_sub(PERIOD_MS)", OLD_ROWS),
    ("src/domain/accounts/mail_token.rs", "now.saturating_sub(PERIOD_MS)", OLD_ROWS),
    ("src/store/mail_tokens.rs", "now.saturating_sub(create_at)", OLD_ROWS),
    ("src/cli/audit.rs", "wall_ms() - i64::from(*days) * DAY_MS", OLD_ROWS),
    ("src/web/routes/license.rs", "wall_ms() - MONTH_MS", OLD_ROWS),
    ("src/web/routes/notifications.rs", "now - HOUR_MS", "the messages of the last hour, as their stored times say"),
    ("src/server/tasks.rs", "wall_ms() - MIN_DRAFT_AGE_MS", OLD_ROWS),
    ("src/server/tasks.rs", "wall_ms() - days * DAY_MS", OLD_ROWS),
    ("src/server/user_names.rs", "wall_ms() - overlap_ms", "rows that changed lately, as their stored times say"),
    ("src/domain/session.rs", "now - stored.last_activity_at > limit_ms", SESSION),
    ("src/store/analytics.rs", "now_ms - DAY_MS", OLD_ROWS),
    ("src/store/analytics.rs", "now_ms - 31 * DAY_MS", OLD_ROWS),
    ("src/store/unknown_names.rs", "now - LIFETIME_MS", OLD_ROWS),
    ("src/store/support_packet.rs", "now_ms - days * DAY_MS", OLD_ROWS),
];

#[test]
fn the_wall_clock_is_read_in_reviewed_places_only() {
    let readers: Vec<String> = shipped()
        .into_iter()
        .filter(|(_, text)| code(text).any(|line| has(line, &READERS)))
        .map(|(path, _)| path)
        .collect();
    let listed: Vec<&str> = PLACES.iter().map(|(path, _)| *path).collect();
    let unlisted: Vec<&String> = readers.iter().filter(|path| !listed.contains(&path.as_str())).collect();
    assert!(
        unlisted.is_empty(),
        "{unlisted:?} read the wall clock. A duration is measured with Uptime or Instant; where wall time is right, say \
         why in this table"
    );
    let unused: Vec<&&str> = listed.iter().filter(|path| !readers.iter().any(|reader| reader == *path)).collect();
    assert!(unused.is_empty(), "{unused:?} are listed, and do not read the wall clock");
}

#[test]
fn no_duration_is_the_difference_of_wall_times_but_reviewed_ones() {
    let mut unused: Vec<&(&str, &str, &str)> = DURATIONS.iter().collect();
    for (path, text) in shipped() {
        for line in code(&text).filter(|line| has(line, &DIFFERENCES)) {
            let is_known = |(known, part, _): &&(&str, &str, &str)| *known == path && line.contains(part);
            assert!(DURATIONS.iter().any(|row| is_known(&row)), "{path} takes a duration from wall time: {line}");
            unused.retain(|row| !is_known(row));
        }
    }
    assert!(unused.is_empty(), "listed, and not there: {unused:?}");
}

/// Returns the lines that are neither comments nor imports.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("use "))
}

fn has(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.contains(word))
}

const INTERVAL: &str = "the limit is the interval of a loop";
const REMOTE: &str = "another machine answers, whose time goes on during a pause";
const PROBE: &str = "a check says how fast something is now, or is repeated";
const PROTECTIVE: &str = "it bounds what a client or a file may cost; the client may ask again";
const BUS: &str = "the step is repeated, or the bus goes on without it";

/// The files that use a time limit which counts pauses of the process, and the reason.
const PLAIN_LIMITS: &[(&str, &str)] = &[
    ("actors/src/analytics.rs", "the count goes on, and the client may ask again"),
    ("actors/src/audit.rs", INTERVAL),
    ("actors/src/background.rs", PROBE),
    ("actors/src/cluster.rs", "the limit of a stop, which an operator waits for"),
    ("actors/src/cluster/answering.rs", BUS),
    ("actors/src/health.rs", PROBE),
    ("actors/src/pause.rs", "the limit that does not count pauses is made of it"),
    ("actors/src/presence/announcer.rs", INTERVAL),
    ("actors/src/probe.rs", PROBE),
    ("actors/src/sockets.rs", INTERVAL),
    ("src/domain/accounts/invitations/sending.rs", REMOTE),
    ("src/domain/audit/verification.rs", INTERVAL),
    ("src/domain/picture/stored.rs", PROTECTIVE),
    ("src/domain/support_packet.rs", "a part that is late is left out, and the packet says so"),
    ("src/domain/trial_license.rs", REMOTE),
    ("src/domain/upgrade.rs", REMOTE),
    ("src/domain/upgrade/trial_run.rs", PROBE),
    ("src/files/probe.rs", PROBE),
    ("src/files/room.rs", PROTECTIVE),
    ("src/outbound/client.rs", REMOTE),
    ("src/outbound/client/incoming.rs", REMOTE),
    ("src/outbound/images.rs", REMOTE),
    ("src/outbound/mail.rs", REMOTE),
    ("src/outbound/push.rs", REMOTE),
    ("src/server/diagnosis.rs", PROBE),
    ("src/server/guests.rs", INTERVAL),
    ("src/server/http.rs", PROTECTIVE),
    ("src/server/installation.rs", PROBE),
    ("src/store/cluster/bus.rs", INTERVAL),
    ("src/store/cluster/questions.rs", INTERVAL),
    ("src/store/cluster/redis.rs", INTERVAL),
    ("src/store/cluster/redis/connection.rs", REMOTE),
    ("src/store/cluster/redis/stream.rs", REMOTE),
    ("src/web/pipeline/incoming.rs", PROTECTIVE),
    ("src/web/request/reading.rs", "it asks `extension` at its end"),
    ("src/web/routes/console.rs", PROTECTIVE),
    ("src/web/routes/files/nodes.rs", "a server that is late is named"),
    ("src/web/socket/actions.rs", "later is no harm"),
];

/// Returns true if the text uses a time limit of tokio, by its path or by an import.
fn has_plain_limit(text: &str) -> bool {
    let uses = text.split("tokio::time::").skip(1).map(|rest| rest.split([';', '(', ' ']).next().unwrap_or_default());
    let imported = text.split("tokio::time::{").skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    uses.chain(imported).any(|names| names.contains("timeout")) || text.contains(" time::timeout")
}

#[test]
fn time_limits_bear_a_pause_of_the_process() {
    let found: Vec<String> =
        shipped().into_iter().filter(|(_, text)| has_plain_limit(text)).map(|(path, _)| path).collect();
    for path in &found {
        let is_known = PLAIN_LIMITS.iter().any(|(known, _)| known == path);
        assert!(is_known, "{path}: the limit counts pauses of the process: use `pause::timeout`, or say here why");
    }
    for (path, _) in PLAIN_LIMITS {
        assert!(found.iter().any(|found| found == path), "{path} has no such limit any more");
    }
}

#[test]
fn a_planted_time_limit_is_found() {
    for planted in [
        "use tokio::time::timeout;",
        "use tokio::time::{\n    Instant,\n    timeout_at,\n};",
        "tokio::time::timeout(limit, work)",
        "use tokio::time;\nlet done = time::timeout(limit, work);",
    ] {
        assert!(has_plain_limit(planted), "{planted}");
    }
    assert!(!has_plain_limit("use crate::pause::timeout;\nuse tokio::time::sleep;\ntimeout(limit, work)"));
}
