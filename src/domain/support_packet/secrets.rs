//! The secrets that are known now, so that none of them leaves.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::secrets::texts;
use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::secret::Secret;
use serde_json::Value;

use crate::base::percent::decoded;
use crate::settings::Sources;

/// What marks a variable as secret, whatever program it is for.
const WORDS: [&str; 7] = ["secret", "token", "password", "passwd", "key", "credential", "license"];

/// Variables that hold no secrets and are no settings.
const HARMLESS: [&str; 5] =
    ["MM_CUSTOM_DEFAULTS_PATH", "MM_FEATUREFLAGS", "MM_INSTALL_TYPE", "MM_LOG_PATH", "MM_SERVICEENVIRONMENT"];

/// The secrets of a configuration: in force and stored, with the passwords in its addresses.
pub(super) fn of_config(config: &Config) -> Vec<Secret> {
    let stored = config.stored.as_ref().map(|stored| &stored.document);
    let mut secrets = Vec::new();
    for document in std::iter::once(&config.document).chain(stored) {
        secrets.extend(texts(document));
        document.values().for_each(|section| in_addresses(section, &mut secrets));
    }
    secrets
}

/// The secrets in the environment: what the settings mark, what is called secret, and what nobody knows.
pub(super) fn of_environment(sources: &Sources) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for (name, value) in sources.variables() {
        secrets.extend(passwords_in(&value));
        if is_secret(&name, &value) {
            secrets.push(Secret::new(value));
        }
    }
    secrets
}

fn is_secret(name: &str, value: &str) -> bool {
    let upper = name.to_uppercase();
    let setting = settings().values().find(|setting| setting.env.as_deref() == Some(upper.as_str()));
    if let Some(setting) = setting {
        return setting.mask.is_some();
    }
    let is_called_secret = WORDS.iter().any(|word| upper.to_lowercase().contains(word)) && !value.starts_with('/');
    let is_unknown = upper.starts_with("MM_") && !upper.starts_with("MM_QUARTERDECK_");
    // Where the configuration is: a file, or a database whose password was found already.
    let is_place = HARMLESS.contains(&upper.as_str()) || (upper == "MM_CONFIG" && !value.contains("://"));
    is_called_secret || (is_unknown && !is_place)
}

fn in_addresses(value: &Value, secrets: &mut Vec<Secret>) {
    match value {
        Value::String(text) => secrets.extend(passwords_in(text)),
        Value::Array(items) => items.iter().for_each(|item| in_addresses(item, secrets)),
        Value::Object(members) => members.values().for_each(|member| in_addresses(member, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The passwords in an address, or in the words of a data source; as they stand there, and decoded.
fn passwords_in(text: &str) -> Vec<Secret> {
    let mut found: Vec<&str> = Vec::new();
    if let Some((_, rest)) = text.split_once("://")
        && let Some((user, _)) = rest.rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        found.push(password);
    }
    for (at, word) in text.match_indices("password=") {
        let rest = text.get(at + word.len()..).unwrap_or_default();
        found.extend(rest.split(['&', ' ', '\'']).find(|part| !part.is_empty()));
    }
    let both = found.into_iter().flat_map(|password| [password.to_owned(), decoded(password)]);
    both.filter(|password| !password.is_empty()).map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_an_address_is_found_as_it_stands_and_decoded() {
        let cases = [
            ("postgres://user:a%20b@host/x", vec!["a%20b", "a b"]),
            ("postgres://host/x?sslmode=disable&password=word&x=y", vec!["word", "word"]),
            ("host=db password='word' user=u", vec!["word", "word"]),
            ("https://host/path", vec![]),
        ];
        for (text, expected) in cases {
            let found = passwords_in(text);
            assert_eq!(found.iter().map(Secret::expose).collect::<Vec<_>>(), expected, "{text}");
        }
    }

    #[test]
    fn a_variable_is_secret_when_a_setting_or_its_name_says_so_or_when_nobody_knows_it() {
        for name in ["MM_EMAILSETTINGS_SMTPPASSWORD", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "MM_LICENSE", "MM_UNHEARD"]
        {
            assert!(is_secret(name, "canary"), "{name}");
        }
        for name in ["MM_SERVICESETTINGS_SITEURL", "PATH", "MM_QUARTERDECK_SOCKETPINGSECONDS", "MM_CONFIG"] {
            assert!(!is_secret(name, "canary"), "{name}");
        }
        assert!(is_secret("MM_CONFIG", "postgres://u:canary@host/x"));
    }
}
