//! Collects the secrets that the server knows, so that none of them gets into a packet.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::secrets::texts;
use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::secret::Secret;
use serde_json::Value;

use crate::base::percent::decoded;
use crate::settings::Sources;

/// The words that mark an environment variable as secret, for any program.
const WORDS: [&str; 7] = ["secret", "token", "password", "passwd", "key", "credential", "license"];

/// Variables that contain no secrets and do not correspond to a setting.
const HARMLESS: [&str; 5] =
    ["MM_CUSTOM_DEFAULTS_PATH", "MM_FEATUREFLAGS", "MM_INSTALL_TYPE", "MM_LOG_PATH", "MM_SERVICEENVIRONMENT"];

/// Returns the secrets of a configuration, in force and stored, and the passwords in its URLs.
pub(crate) fn of_config(config: &Config) -> Vec<Secret> {
    let stored = config.stored.as_ref().map(|stored| &stored.document);
    std::iter::once(&config.document).chain(stored).flat_map(of_document).collect()
}

/// Returns the secrets of a document, and the passwords in its URLs.
fn of_document(document: &Document) -> Vec<Secret> {
    let mut secrets = texts(document);
    document.values().for_each(|section| in_addresses(section, &mut secrets));
    secrets
}

/// Returns the secrets in the environment: of secret settings, of names that sound secret, and of unknown `MM_` names.
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
    // `MM_CONFIG` names a file, or a database URL whose password was found already.
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

/// Returns the passwords in a URL or in the words of a data source, both as written and decoded.
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
