//! Size limits of the maps in an account, because clients choose their content.

use std::collections::BTreeMap;

use crate::base::time_zone;
use crate::base::user::User;
use quarterdeck_actors::error::AppError;

/// The largest number of members of a map.
const MAX_MEMBERS: usize = 100;

/// The longest name of a member, in characters.
const MAX_KEY_CHARACTERS: usize = 64;

/// The longest value of a member, in characters.
const MAX_VALUE_CHARACTERS: usize = 4096;

/// The largest size of a map, in characters.
const MAX_MAP_CHARACTERS: usize = 16 * 1024;

/// The longest time zone as JSON, in characters; the size of Mattermost's column.
const MAX_TIMEZONE_CHARACTERS: usize = 256;

/// The members of the time zone settings that name a zone.
const ZONES: [&str; 2] = ["automaticTimezone", "manualTimezone"];

/// Refuses a map that is too large, and a time zone that does not exist. An unchanged map is accepted, because it may be older than the limits.
pub(super) fn check(old: &User, new: &User) -> Result<(), AppError> {
    if new.props != old.props && !is_small(&new.props) {
        return Err(AppError::new("model.user.is_valid.props.app_error"));
    }
    if new.notify_props != old.notify_props && !is_small(&new.notify_props) {
        return Err(AppError::new("model.user.is_valid.notify_props.app_error"));
    }
    let timezone_characters = || serde_json::to_string(&new.timezone).map_or(usize::MAX, |json| json.chars().count());
    if new.timezone != old.timezone && timezone_characters() > MAX_TIMEZONE_CHARACTERS {
        return Err(AppError::new("model.user.is_valid.timezone_limit.app_error"));
    }
    let is_unknown = |name: &&str| {
        let zone = new.timezone.get(*name).filter(|zone| !zone.is_empty());
        zone.is_some_and(|zone| old.timezone.get(*name) != Some(zone) && !time_zone::exists(zone))
    };
    if ZONES.iter().any(is_unknown) {
        return Err(AppError::invalid_body("timezone"));
    }
    Ok(())
}

fn is_small(map: &BTreeMap<String, String>) -> bool {
    let lengths = map.iter().map(|(key, value)| (key.chars().count(), value.chars().count()));
    let are_small = lengths.clone().all(|(key, value)| key <= MAX_KEY_CHARACTERS && value <= MAX_VALUE_CHARACTERS);
    let total: usize = lengths.map(|(key, value)| key + value).sum();
    map.len() <= MAX_MEMBERS && are_small && total <= MAX_MAP_CHARACTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(members: usize, key: usize, value: usize) -> BTreeMap<String, String> {
        (0..members).map(|number| (format!("{number:0>key$}"), "é".repeat(value))).collect()
    }

    #[test]
    fn each_limit_of_a_map_is_the_last_value_that_is_taken() {
        for (members, key, value) in [(100, 3, 100), (1, 64, 4096), (4, 1, 4095), (0, 0, 0)] {
            assert!(is_small(&map(members, key, value)), "{members} {key} {value}");
        }
        for (members, key, value) in [(101, 3, 1), (1, 65, 1), (1, 1, 4097), (4, 1, 4096), (100, 3, 161)] {
            assert!(!is_small(&map(members, key, value)), "{members} {key} {value}");
        }
    }

    #[test]
    fn a_map_that_is_older_than_its_limit_stays_until_it_is_changed() {
        let old = User { props: map(1, 1, 5000), notify_props: map(200, 3, 1), ..User::default() };
        check(&old, &User { nickname: "x".to_owned(), ..old.clone() }).unwrap();
        let refused = check(&old, &User { props: map(1, 1, 5001), ..old.clone() }).unwrap_err();
        assert_eq!(refused.id, "model.user.is_valid.props.app_error");
        let refused = check(&old, &User { timezone: map(1, 1, 300), ..old.clone() }).unwrap_err();
        assert_eq!(refused.id, "model.user.is_valid.timezone_limit.app_error");
    }

    #[test]
    fn a_time_zone_exists_or_was_there_before() {
        let zone = |name: &str, zone: &str| User {
            timezone: BTreeMap::from([(name.to_owned(), zone.to_owned())]),
            ..User::default()
        };
        for known in ["", "Europe/Kyiv", "Europe/Kiev", "UTC"] {
            check(&User::default(), &zone("manualTimezone", known)).unwrap();
        }
        let unknown = zone("automaticTimezone", "Mars/Olympus");
        let refused = check(&User::default(), &unknown).unwrap_err();
        assert_eq!(refused.params, [("Name", "timezone".to_owned())]);
        check(&unknown, &User { nickname: "x".to_owned(), ..unknown.clone() }).unwrap();
    }
}
