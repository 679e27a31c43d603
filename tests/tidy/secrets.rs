//! The places that read secrets as plain text, and the types that must not print them.

use std::collections::BTreeMap;
use std::path::Path;

use super::sources;

/// The number of places in a file that read a secret as plain text. Check a new call before you count it here: it must
/// not print, log, store or return the secret.
const EXPOSED: [(&str, usize); 42] = [
    ("actors/src/sessions.rs", 1),
    ("src/domain/accounts/first.rs", 1),
    ("src/domain/accounts/login.rs", 1),
    ("src/domain/accounts/invitations/letter.rs", 1),
    ("src/domain/accounts/letters.rs", 2),
    ("src/domain/accounts/mail_token.rs", 1),
    ("src/domain/accounts/mfa.rs", 5),
    ("src/domain/accounts/operator.rs", 1),
    ("src/domain/accounts/seed.rs", 1),
    ("src/domain/accounts/signup.rs", 2),
    ("src/domain/audit/key_file.rs", 2),
    ("src/server/backup/seal.rs", 1),
    ("src/cli/backup.rs", 1),
    ("src/cli/serve.rs", 1),
    ("src/cli/serve/ephemeral/greeting.rs", 2),
    ("src/cli/user/socket.rs", 1),
    ("src/domain/config_access.rs", 1),
    ("src/web/cookies.rs", 1),
    ("src/files/azure/credential/shared_key.rs", 1),
    ("src/files/s3/credentials.rs", 1),
    ("src/outbound/images.rs", 1),
    ("src/outbound/mail/login.rs", 2),
    ("src/domain/passwords/hash.rs", 5),
    ("src/domain/passwords/queue.rs", 1),
    ("src/web/routes/login.rs", 1),
    ("src/web/routes/users/conversion.rs", 1),
    ("src/web/routes/users/mfa.rs", 4),
    ("src/web/routes/metrics.rs", 1),
    ("src/web/routes/tokens.rs", 1),
    ("src/web/socket/actions.rs", 3),
    ("src/store/cluster/redis/connection.rs", 1),
    ("src/store/cluster/redis/contents.rs", 1),
    ("src/store/sessions.rs", 4),
    ("src/store/tokens.rs", 1),
    ("src/store/unknown_names.rs", 1),
    ("src/web/pipeline/limit.rs", 1),
    ("src/store/users.rs", 4),
    ("src/store/users/attempts.rs", 3),
    ("src/store/users/operator.rs", 1),
    ("src/store/users/conversion.rs", 1),
    ("src/store/users/recovery.rs", 4),
    ("src/domain/support_packet/scrub.rs", 1),
];

/// The names of fields that hold secrets as plain text.
const WORDS: [&str; 6] = ["password", "secret", "token", "data_source", "private_key", "passphrase"];

/// The types that a field of such a name may have: one that hides itself, a number, a Boolean, or the rules for
/// passwords.
const SAFE: [&str; 9] =
    ["PasswordSettings", "Secret", "Option<Secret>", "Vec<Secret>", "bool", "i64", "u64", "usize", "Duration"];

/// Returns the files of the program with their path, without their tests.
fn files() -> impl Iterator<Item = (String, String)> {
    let files = ["src", "actors/src"].iter().flat_map(|folder| sources(folder));
    files.filter_map(|path| {
        let name = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().display().to_string();
        let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        (!is_test).then_some((name, text))
    })
}

#[test]
fn every_place_that_takes_a_secret_out_is_counted() {
    let calls = |text: &str| text.matches(".expose()").count() + text.matches("Secret::expose)").count();
    let found = files().map(|(name, text)| (name, calls(&text))).filter(|(_, count)| *count > 0);
    let found: BTreeMap<String, usize> = found.collect();
    let known: BTreeMap<String, usize> = EXPOSED.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, known, "look at each new call, then count it in EXPOSED");
}

/// A configuration, and a structure with a password in plain text, implement `Debug` themselves.
#[test]
fn no_type_with_a_secret_in_plain_text_derives_debug() {
    for (name, text) in files() {
        for derived in text.split("#[derive(").skip(1) {
            let Some((traits, rest)) = derived.split_once(")]") else { continue };
            let Some((head, body)) = rest.split_once('{') else { continue };
            let is_struct = head.contains("struct ") && !head.contains(';');
            if !traits.contains("Debug") || !is_struct {
                continue;
            }
            let body = body.split("\n}").next().unwrap();
            for (field, kind) in body.lines().filter_map(field) {
                let is_named_so = WORDS.iter().any(|word| field.contains(word));
                let prints = is_named_so && !SAFE.contains(&kind);
                assert!(!prints && kind != "Document", "{name}: {field}: {kind} of a type that derives Debug");
            }
        }
    }
}

fn field(line: &str) -> Option<(&str, &str)> {
    let line = line.trim().trim_end_matches(',');
    let is_comment = line.starts_with("//") || line.starts_with('#');
    let (name, kind) = line.split_once(": ").filter(|_| !is_comment)?;
    Some((name.rsplit(' ').next()?, kind))
}
