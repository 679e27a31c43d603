//! The names of time zones: those that Mattermost lists, and the newer names beside the older ones.

/// The names, sorted by their bytes.
const NAMES: &str = include_str!("time_zone/names.txt");

/// Returns all names, sorted by their bytes.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.lines()
}

/// Returns true if there is a time zone of this name.
pub(crate) fn exists(name: &str) -> bool {
    names().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_its_newer_name_and_its_older_one() {
        assert!(names().is_sorted());
        for name in
            ["Europe/Kyiv", "Europe/Kiev", "Pacific/Kanton", "Pacific/Enderbury", "Asia/Qostanay", "America/Nuuk"]
        {
            assert!(exists(name), "{name}");
        }
        for name in ["", "Europe", "europe/kyiv", "Mars/Olympus_Mons", "Europe/Kyiv\n"] {
            assert!(!exists(name), "{name}");
        }
    }
}
