//! The scenarios that the program brings along, and those of users.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::mix::{MAX_FILE_BYTES, Mix};

/// The mixes by name.
pub(crate) const MIXES: [(&str, &str); 18] = [
    ("ping", include_str!("../../mixes/ping.toml")),
    ("client-config", include_str!("../../mixes/client-config.toml")),
    ("me", include_str!("../../mixes/me.toml")),
    ("admin-read", include_str!("../../mixes/admin-read.toml")),
    ("login", include_str!("../../mixes/login.toml")),
    ("config-write", include_str!("../../mixes/config-write.toml")),
    ("audits", include_str!("../../mixes/audits.toml")),
    ("logs", include_str!("../../mixes/logs.toml")),
    ("analytics", include_str!("../../mixes/analytics.toml")),
    ("storage-probes", include_str!("../../mixes/storage-probes.toml")),
    ("ws-idle", include_str!("../../mixes/ws-idle.toml")),
    ("ws-fanout", include_str!("../../mixes/ws-fanout.toml")),
    ("ws-storm", include_str!("../../mixes/ws-storm.toml")),
    ("ws-churn", include_str!("../../mixes/ws-churn.toml")),
    ("attack", include_str!("../../mixes/attack.toml")),
    ("cluster", include_str!("../../mixes/cluster.toml")),
    ("soak", include_str!("../../mixes/soak.toml")),
    ("mixed", include_str!("../../mixes/mixed.toml")),
];

/// Returns the mix with a name, or the one in a file whose path ends in `.toml`.
pub(crate) fn find(scenario: &str) -> Result<Mix, String> {
    let is_file = Path::new(scenario).extension().is_some_and(|extension| extension == "toml");
    if is_file {
        return Mix::read(&read(scenario)?).map_err(|cause| format!("{scenario}: {cause}"));
    }
    if let Some((name, text)) = MIXES.iter().find(|(name, _)| *name == scenario) {
        return Mix::read(text).map_err(|cause| format!("{name}: {cause}"));
    }
    let names: Vec<&str> = MIXES.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    Err(format!("{scenario} is not a scenario; there are {names}, and files whose name ends in .toml"))
}

fn read(path: &str) -> Result<String, String> {
    let explain = |cause: std::io::Error| format!("{path} cannot be read: {cause}");
    let file = File::open(path).map_err(explain)?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(explain)?;
    let is_too_long = u64::try_from(text.len()).is_ok_and(|length| length > MAX_FILE_BYTES);
    if is_too_long { Err(format!("{path} has more than {MAX_FILE_BYTES} bytes")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_can_be_read() {
        for (name, _) in MIXES {
            find(name).unwrap();
        }
    }

    #[test]
    fn an_unknown_scenario_is_refused_with_the_known_ones() {
        let refused = find("pong").unwrap_err();
        assert!(refused.contains("ping, client-config"), "{refused}");
        assert!(find("no/such/file.toml").unwrap_err().contains("cannot be read"));
    }
}
