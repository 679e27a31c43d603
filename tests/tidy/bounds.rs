//! Each store that callers can grow has a limit, and the limit is listed here.

use std::path::Path;

use super::sources;

/// Every file with a cache or with state behind a lock, and its limit in bytes. A key that a caller chooses is a hash
/// or has a limited length, and the state counts bytes, or entries of a known size.
const STATE: &[(&str, &str)] = &[
    ("actors/src/analytics.rs", "256 answers, each with a team id of a request line and at most 31 figures"),
    ("actors/src/audit.rs", "the bytes of audit/rooms"),
    ("actors/src/audit/rooms.rs", "bytes for each room; a caller without a reservation has no entry"),
    ("actors/src/background.rs", "one time"),
    ("actors/src/cluster/outgoing.rs", "32 MiB of messages, each with 1 KiB more than its content"),
    ("actors/src/cluster/typing.rs", "65,536 hashes of places and users in a window of a second"),
    ("actors/src/cluster/shared.rs", "one message of an error"),
    ("actors/src/roles/handle.rs", "the names of the roles in the database"),
    ("actors/src/single_read.rs", "one number and one result"),
    ("actors/src/config/active.rs", "65 ids of versions, each of at most 64 bytes"),
    ("actors/src/config/bases.rs", "1,024 sessions, each with two ids of at most 64 bytes"),
    ("actors/src/config/pinned.rs", "the settings of the file and the environment"),
    ("actors/src/hub/connection.rs", "bytes and places for each connection, of which the hub has a maximum"),
    ("actors/src/hub/guard.rs", "connections whose sockets were closed since the last turn of their hub"),
    ("actors/src/hub/moving.rs", "connections that were given up in the last turns of their hub"),
    ("actors/src/hub/pending_joins.rs", "an entry for each user whose socket is joining"),
    ("actors/src/hub/crowds.rs", "2,000 ids and numbers for each node"),
    ("actors/src/hub/limits.rs", "close codes and events that we know"),
    (
        "actors/src/presence/announcer.rs",
        "4,096 changes of fixed size, and a status for each of 65,536 users; a time for each user with a change in the last seconds",
    ),
    (
        "actors/src/presence/people.rs",
        "bytes, keyed by ids of accounts; beside them one entry for each user who is connected or left since the last save",
    ),
    ("actors/src/presence/shared.rs", "what people holds, and the numbers of a turn"),
    ("actors/src/sessions.rs", "one number; the cache is in sessions/cache"),
    ("actors/src/sessions/cache.rs", "bytes, the texts of the session included"),
    ("actors/src/sockets/finding.rs", "an entry for each client that connects, of which there is a maximum"),
    ("actors/src/sockets/backlog.rs", "64 MiB of messages, each with 256 bytes more than its content"),
    ("actors/src/shared_pool.rs", "an entry for each user with a request under way"),
    ("actors/src/sockets/permits.rs", "an entry for each of 10,000 users whose moves failed"),
    ("actors/src/supervisor/faults.rs", "tests only"),
    ("actors/src/supervisor/thread.rs", "one number"),
    ("actors/src/task.rs", "one number for each name in the code"),
    ("src/base/budget.rs", "bytes for each caller and for all"),
    ("src/cli/config/offline.rs", "the record of one command"),
    ("src/domain/accounts/attempts.rs", "bytes, keyed by hashes of 16 bytes"),
    ("src/domain/accounts/first.rs", "the wrong codes that a window allows"),
    ("src/domain/ai_bridge.rs", "one request body of an administrator"),
    ("src/domain/audit/refusals.rs", "256 addresses or ids of users, each of fixed length"),
    ("src/domain/passwords/queue.rs", "entries of a hash of 16 bytes, and the places of the queue"),
    ("src/domain/trial_license.rs", "no data"),
    ("src/domain/upgrade/looks.rs", "the state of one look"),
    ("src/files/local.rs", "an entry for each folder in use"),
    ("src/outbound/links.rs", "bytes, addresses and locations included"),
    ("src/outbound/releases.rs", "one answer of at most 1 MiB"),
    ("src/server/cluster/applying.rs", "no data"),
    ("src/server/certificate.rs", "one certificate; its files have at most 1 MiB each"),
    ("src/store/cluster/bus.rs", "one connection"),
    ("src/store/cluster/redis.rs", "an id and a number"),
    ("src/store/cluster/redis/connection.rs", "eight connections"),
    ("src/store/cluster/redis/last_put.rs", "one id of an entry, and one id of a bus"),
    ("src/store/cluster/redis/recent.rs", "8 MiB of entries, 512 of them, and 512 ids of nodes"),
    ("src/store/cluster/redis/server_clock.rs", "two times"),
    ("src/store/cluster/redis/stream.rs", "one time, and one id of an entry"),
    ("src/store/cluster/redis/usage.rs", "64 positions, and one error with a line of Redis of at most 1 KiB"),
    ("src/store/postgres/limit.rs", "numbers"),
    ("src/store/postgres/room.rs", "one number"),
    ("src/store/postgres/shares.rs", "an entry for each of our tables"),
    ("src/store/recycling.rs", "one time"),
    ("src/store/sqlite.rs", "one mark"),
    ("src/store/sqlite/closing.rs", "the paths that this program opened"),
    ("src/store/texts.rs", "5,000 texts of the code, in debug builds"),
    ("src/store/user_names/frequency.rs", "a fixed number of counts, and one username"),
    ("src/telemetry/logging.rs", "the outputs of the settings"),
    ("src/telemetry/logging/output.rs", "tests only"),
    ("src/telemetry/samples.rs", "360 samples of 112 bytes"),
    ("src/web/connections.rs", "an entry for each network with a connection, of which there is a maximum"),
    ("src/web/connections/entry.rs", "an entry for each connection, of which there is a maximum"),
    ("src/web/pipeline/limit.rs", "two stores"),
    ("src/web/pipeline/limit/debts.rs", "65,536 numbers, keyed by hashes of 8 bytes"),
    ("src/web/pipeline/limit/store.rs", "bytes, keyed by hashes of 8 bytes"),
    ("src/web/pipeline/limit/untold.rs", "65,536 numbers, keyed by hashes of 8 bytes"),
    ("src/web/prepared.rs", "the texts of one configuration"),
    ("src/web/request/budget.rs", "bytes for each caller and for all"),
    ("src/web/web_application/file.rs", "one task for each file of the folder, whose size the start bounds"),
];

/// The types that hold state outside of actors.
const HOLDERS: [&str; 5] = ["Cache<", "KeyedStateStore<", "DashMap<", "Mutex<", "RwLock<"];

fn holds_state(text: &str) -> bool {
    let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("use "));
    code.filter(|line| !line.contains("MutexGuard<")).any(|line| HOLDERS.iter().any(|holder| line.contains(holder)))
}

#[test]
fn all_state_outside_of_actors_has_a_bound_that_is_written_down() {
    for (path, text) in shipped() {
        let bound = STATE.iter().find(|(known, _)| *known == path);
        let holds = holds_state(&text);
        assert!(!holds || bound.is_some(), "{path} holds state: say in this table what bounds it, in bytes");
        assert!(holds || bound.is_none(), "{path} holds no state any more: correct the table");
    }
    for (path, _) in STATE {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists(), "{path} is gone: correct the table");
    }
}

#[test]
fn state_that_was_planted_is_found() {
    assert!(holds_state("struct Known {\n    all: std::sync::Mutex<HashMap<String, String>>,\n}"));
    assert!(holds_state("    all: Arc<Mutex<Vec<u8>>>,"));
    assert!(!holds_state("fn lock(&self) -> MutexGuard<'_, Window> {\n// Mutex<Vec<u8>>"));
}

/// Every hash of a request waits for its turn: the functions that hash are private to the queue. The commands that
/// create and read backups run in a separate process.
#[test]
fn passwords_are_hashed_behind_the_queue_only() {
    for (path, text) in shipped() {
        let hashes = text.contains("pbkdf2::") || text.contains("bcrypt::");
        assert!(
            !hashes || ["src/domain/passwords/hash.rs", "src/server/backup/seal.rs"].contains(&path.as_str()),
            "{path} hashes passwords past the queue"
        );
    }
}

/// A count that is read and written back loses parallel counts of others.
#[test]
fn failed_attempts_are_counted_by_the_database() {
    for (path, text) in shipped() {
        assert!(!text.contains("failedattempts = $"), "{path} writes back a count of failed attempts");
    }
}

/// Returns the code of the server without that of its tests, by path.
pub fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut shipped = Vec::new();
    for path in ["src", "actors/src"].iter().flat_map(|folder| sources(folder)) {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        // A module of tests is the last item in a file; other items for tests stay.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
        if !name.ends_with("tests.rs") && !name.ends_with("/testing.rs") && !name.contains("/tests/") {
            shipped.push((name, text));
        }
    }
    shipped
}
