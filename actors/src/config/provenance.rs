//! The origin of the value of each setting.

use super::document::given;
use super::effective::Config;
use super::table::{Applies, Kind, Setting, placed};

/// The prefix of an override's place if it is an environment variable. The variable's name follows.
pub const VARIABLE: &str = "environment variable ";

/// The origin of a value. A later variant overrides the earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin<'a> {
    /// The default.
    Default,
    /// The stored version. Its value may equal the default.
    Stored,
    /// A file in which it is pinned, with the line.
    File(&'a str),
    /// The environment variable with this name.
    Environment(&'a str),
}

/// Returns every setting with a value of its own and the origin of the value, sorted by path.
pub fn provenance(config: &Config) -> impl Iterator<Item = (&'static Setting, Origin<'_>)> {
    let valued = placed().filter(|setting| setting.kind != Kind::Object);
    valued.map(|setting| (setting, origin(config, &setting.path)))
}

/// Returns the origin of the value at `path`.
pub fn origin<'a>(config: &'a Config, path: &str) -> Origin<'a> {
    if let Some(pinned) = config.overrides.get(path) {
        return match pinned.place.strip_prefix(VARIABLE) {
            Some(name) => Origin::Environment(name),
            None => Origin::File(&pinned.place),
        };
    }
    let stored = config.stored.as_ref().and_then(|stored| given(&stored.document, path));
    if stored.is_some() { Origin::Stored } else { Origin::Default }
}

/// Returns the settings that wait for a restart: those whose value in `current` differs from the one at the start.
pub fn pending_restart<'a>(
    started: &'a Config,
    current: &'a Config,
) -> impl Iterator<Item = (&'static Setting, Origin<'a>)> {
    provenance(current).filter(|(setting, _)| {
        let differs = given(&started.document, &setting.path) != given(&current.document, &setting.path);
        setting.acted_on && setting.applies == Applies::Restart && differs
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::document::{Document, insert};
    use super::super::effective::{Override, Stored};
    use super::super::overrides::Overrides;
    use super::*;

    fn stored(path: &str, value: Value) -> Stored {
        let mut document = Document::new();
        insert(&mut document, path, value);
        Stored::new("version".to_owned(), document)
    }

    fn config(path: &str, value: Value) -> Config {
        Config::compose(Some(stored(path, value)), Overrides::new()).unwrap()
    }

    #[test]
    fn a_value_comes_from_the_last_place_that_gives_it() {
        let pinned = |place: &str| Override { value: json!("x"), place: place.to_owned() };
        let overrides = [
            ("TeamSettings.SiteName", pinned("config.toml:7")),
            (
                "TeamSettings.CustomDescriptionText",
                pinned("environment variable MM_TEAMSETTINGS_CUSTOMDESCRIPTIONTEXT"),
            ),
        ];
        let overrides = overrides.map(|(path, pinned)| (path.to_owned(), pinned)).into();
        let config = Config::compose(Some(stored("TeamSettings.MaxUsersPerTeam", json!(7))), overrides).unwrap();
        assert_eq!(origin(&config, "TeamSettings.SiteName"), Origin::File("config.toml:7"));
        let variable = Origin::Environment("MM_TEAMSETTINGS_CUSTOMDESCRIPTIONTEXT");
        assert_eq!(origin(&config, "TeamSettings.CustomDescriptionText"), variable);
        assert_eq!(origin(&config, "TeamSettings.MaxUsersPerTeam"), Origin::Stored);
        assert_eq!(origin(&config, "TeamSettings.EnableOpenServer"), Origin::Default);
    }

    #[test]
    fn every_setting_with_a_value_of_its_own_is_told_of_once() {
        let config = Config::from_overrides([]).unwrap();
        let paths: Vec<&str> = provenance(&config).map(|(setting, _)| setting.path.as_str()).collect();
        assert!(paths.is_sorted() && paths.len() > 600, "{}", paths.len());
        assert!(paths.contains(&"FeatureFlags.AppsEnabled") && !paths.contains(&"FeatureFlags"));
        assert!(paths.iter().all(|path| !path.contains("[]")));
    }

    #[test]
    fn only_what_waits_for_a_restart_is_pending_and_only_while_it_differs() {
        let started = config("ServiceSettings.ReadTimeout", json!(300));
        let changed = config("ServiceSettings.ReadTimeout", json!(9));
        let pending = |current: &Config| -> Vec<&str> {
            pending_restart(&started, current).map(|(setting, _)| setting.path.as_str()).collect()
        };
        assert_eq!(pending(&changed), ["ServiceSettings.ReadTimeout"]);
        assert!(pending(&started).is_empty());
        for unaffected in [
            config("TeamSettings.SiteName", json!("Bridge")),
            // The server does not use this setting, so a restart would not change anything.
            config("ServiceSettings.Forward80To443", json!(true)),
        ] {
            assert!(pending(&unaffected).is_empty());
        }
    }
}
