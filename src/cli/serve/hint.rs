//! The command that creates the first account, as it is printed at the start: it works when it is copied.

use std::path::Path;

use quarterdeck_actors::data_source::is_address;

use crate::settings::{Sources, quoted};

/// The variables that say which database and which files `user create` uses.
const VARIABLES: [&str; 5] = [
    "MM_CONFIG",
    "MM_CUSTOM_DEFAULTS_PATH",
    "MM_SQLSETTINGS_DRIVERNAME",
    "MM_SQLSETTINGS_DATASOURCE",
    "MM_QUARTERDECK_AUDITKEYFILE",
];

const ARGUMENTS: &str = "--email you@example.org --username you --system-admin";

/// The command, and the variables that it needs and that are not printed because they may hold a password.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) command: String,
    pub(super) unprinted: Vec<&'static str>,
}

impl Hint {
    /// Returns the command for a running server. Over its local socket the command needs no settings.
    pub(super) fn of(program: &str, sources: &Sources, socket: Option<&Path>) -> Self {
        if let Some(socket) = socket {
            let socket = std::path::absolute(socket).unwrap_or_else(|_| socket.to_owned());
            let command = format!("{program} user create --socket {} {ARGUMENTS}", quoted(&socket));
            return Self { command, unprinted: Vec::new() };
        }
        let variables = sources.variables();
        let value = |name: &str| variables.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let given = VARIABLES.into_iter().filter_map(|name| Some((name, value(name)?.1.as_str())));
        let (unprinted, shown): (Vec<_>, Vec<_>) = given.partition(|(_, value)| may_contain_password(value));
        let mut words: Vec<String> =
            shown.iter().map(|(name, value)| format!("{name}={}", quoted(Path::new(value)))).collect();
        words.push(format!("{program} user create {ARGUMENTS}"));
        words.extend(sources.named_file().map(|file| format!("--config {}", quoted(file))));
        // Without this option the command is refused wherever the start would be.
        words.extend(sources.is_new().then(|| "--new".to_owned()));
        let command = words.join(" ");
        Self { command, unprinted: unprinted.into_iter().map(|(name, _)| name).collect() }
    }
}

/// Returns true for data sources of PostgreSQL in either form.
fn may_contain_password(value: &str) -> bool {
    is_address(value) || value.to_lowercase().contains("password") || value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(file: Option<&str>, variables: &[(&str, &str)], socket: Option<&str>) -> Hint {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Hint::of("quarterdeck", &Sources::isolated(file.map(Into::into), variables), socket.map(Path::new))
    }

    #[test]
    fn the_command_carries_what_it_needs_and_no_secret() {
        let plain = format!("quarterdeck user create {ARGUMENTS}");
        assert_eq!(hint(None, &[("MM_TEAMSETTINGS_SITENAME", "x")], None).command, plain);
        let named = hint(Some("/etc/q d.toml"), &[("MM_CONFIG", "own.json")], None);
        assert_eq!(named.command, format!("MM_CONFIG=own.json {plain} --config '/etc/q d.toml'"));
        let variables = [("MM_SQLSETTINGS_DATASOURCE", "postgres://me:canary@db/chat"), ("MM_CONFIG", "own.json")];
        let secret = hint(None, &variables, None);
        let command = format!("MM_CONFIG=own.json {plain}");
        assert_eq!(secret, Hint { command, unprinted: vec!["MM_SQLSETTINGS_DATASOURCE"] });
        for source in ["host=db password=canary", "host=db PASSWORD=canary", "me:canary@db"] {
            let hidden = hint(None, &[("MM_SQLSETTINGS_DATASOURCE", source)], None);
            assert_eq!(hidden, Hint { command: plain.clone(), unprinted: vec!["MM_SQLSETTINGS_DATASOURCE"] });
        }
        let begun_anew = Hint::of("quarterdeck", &Sources::isolated(None, Vec::new()).with_new_database(true), None);
        assert_eq!(begun_anew.command, format!("{plain} --new"));
    }

    #[test]
    fn over_the_socket_nothing_else_is_needed() {
        let variables = [("MM_SQLSETTINGS_DATASOURCE", "postgres://me:canary@db/chat")];
        let over = hint(Some("own.toml"), &variables, Some("/run/q/local.socket"));
        let command = format!("quarterdeck user create --socket /run/q/local.socket {ARGUMENTS}");
        assert_eq!(over, Hint { command, unprinted: Vec::new() });
    }
}
