//! Versions and version ranges.

use std::cmp::Ordering;

use semver::Version;
use serde::Deserialize;

use super::constraint::Constraint;

/// Reads a version. Missing numbers at the end are 0.
pub fn read_version(text: &str) -> Option<Version> {
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let missing = 2_usize.checked_sub(numbers.matches('.').count())?;
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

/// A range of versions, such as `>=5.0.0 <6.0.0 || 7.x`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct VersionRange(Constraint<Bound>);

impl VersionRange {
    /// Returns true if the range contains `version`. Build metadata is ignored.
    pub(super) fn holds(&self, version: &Version) -> bool {
        self.0.holds(|bound| bound.compared(version))
    }
}

impl TryFrom<String> for VersionRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Constraint::read(&text, Bound::read).map(Self)
    }
}

/// A version, or all versions with the same beginning: `7.x` is every version from 7.0.0 up to but not including 8.0.0.
#[derive(Debug, Clone, PartialEq)]
struct Bound {
    first: Version,
    /// The end (exclusive), if this is more than one version.
    end: Option<Version>,
}

impl Bound {
    fn read(text: &str) -> Option<Self> {
        let Some((numbers, wild)) = text.split_once(".x") else {
            return Some(Self { first: read_version(text)?, end: None });
        };
        let is_wild_to_the_end = wild.is_empty() || wild == ".x";
        let first = read_version(numbers).filter(|first| is_wild_to_the_end && first.pre.is_empty())?;
        let end = match (numbers.matches('.').count(), wild) {
            (0, _) => Version::new(first.major.checked_add(1)?, 0, 0),
            (1, "") => Version::new(first.major, first.minor.checked_add(1)?, 0),
            _ => return None,
        };
        Some(Self { first, end: Some(end) })
    }

    /// Returns the position of `version`: before this bound, in it or after it.
    fn compared(&self, version: &Version) -> Ordering {
        match (version.cmp_precedence(&self.first), &self.end) {
            (Ordering::Equal | Ordering::Greater, Some(end)) if version.cmp_precedence(end).is_lt() => Ordering::Equal,
            (ordering, None) | (ordering @ Ordering::Less, Some(_)) => ordering,
            (Ordering::Equal | Ordering::Greater, Some(_)) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_are_0_and_everything_else_is_as_semver_says() {
        for (text, version) in [("5", "5.0.0"), ("5.7", "5.7.0"), ("5.7.1", "5.7.1"), ("5.7-rc.1+b", "5.7.0-rc.1+b")] {
            assert_eq!(read_version(text).unwrap().to_string(), version);
        }
        for text in
            ["", "x", "v5.0.0", "5.", "5.7.", ".5", "5.7.1.2", "-1", "05.1.0", "5.7.1 ", "99999999999999999999.0.0"]
        {
            assert_eq!(read_version(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_names_versions_one_by_one_by_their_order_or_by_their_beginning() {
        let versions = ["4.9.9", "5.0.0-rc.1", "5.0.0", "5.0.7", "5.1.0", "6.0.0", "7.2.3"];
        for (text, accepted) in [
            ("5.0.0", &["5.0.0"][..]),
            ("5.0", &["5.0.0"]),
            ("=5.0.0", &["5.0.0"]),
            (">=5.0.0 <6.0.0", &["5.0.0", "5.0.7", "5.1.0"]),
            (">=5.0.0 <6.0.0 || 7.x", &["5.0.0", "5.0.7", "5.1.0", "7.2.3"]),
            ("<5.0.0", &["4.9.9", "5.0.0-rc.1"]),
            ("5.0.x", &["5.0.0", "5.0.7"]),
            ("5.x", &["5.0.0", "5.0.7", "5.1.0"]),
            ("5.x.x", &["5.0.0", "5.0.7", "5.1.0"]),
            ("> 5.0.x", &["5.1.0", "6.0.0", "7.2.3"]),
            (">=5.x", &["5.0.0", "5.0.7", "5.1.0", "6.0.0", "7.2.3"]),
            ("<5.x", &["4.9.9", "5.0.0-rc.1"]),
            ("<=5.0.x", &["4.9.9", "5.0.0-rc.1", "5.0.0", "5.0.7"]),
            ("!=5.x", &["4.9.9", "5.0.0-rc.1", "6.0.0", "7.2.3"]),
            (">=5.0.0 !5.0.7 !6.x", &["5.0.0", "5.1.0", "7.2.3"]),
        ] {
            let range = VersionRange::try_from(text.to_owned()).unwrap();
            let found: Vec<&str> =
                versions.into_iter().filter(|version| range.holds(&read_version(version).unwrap())).collect();
            assert_eq!(found, accepted, "{text}");
        }
        let range = VersionRange::try_from("5.0.0".to_owned()).unwrap();
        assert!(range.holds(&read_version("5.0.0+build").unwrap()));
    }

    #[test]
    fn a_range_that_cannot_be_read_is_refused() {
        for text in ["", "x", "x.1", "5.x.1", "5.1.x.x", "5.1.2.x", "5.x-rc", "~5.0.0", "^5.0.0", "5.0.0 - 6.0.0"] {
            assert!(VersionRange::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
