//! The limits and choices of a setting, as its rules state them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::ORDER;
use super::demand::Form;
use super::files::DRIVERS;
use super::logging::LEVELS;
use super::rule::Rule;
use super::settings::dotted;

/// The texts with an effect, for settings whose rules take other texts as well.
const OFFERED: [(&str, &[&str]); 5] = [
    ("EmailSettings.PushNotificationContents", &["full", "generic", "generic_no_channel", "id_loaded"]),
    ("FileSettings.ExportDriverName", DRIVERS),
    ("LogSettings.ConsoleLevel", LEVELS),
    ("LogSettings.FileLevel", LEVELS),
    ("ServiceSettings.WebserverMode", &["gzip", "uncompressed", "disabled"]),
];

static BOUNDS: LazyLock<BTreeMap<String, Bounds>> = LazyLock::new(|| {
    let mut found = BTreeMap::new();
    // A rule that always applies comes before one with a condition, which may be narrower.
    for is_conditional in [false, true] {
        ORDER.iter().copied().for_each(|rules| collect(rules, false, is_conditional, &mut found));
    }
    for (path, choices) in OFFERED {
        found.entry(path.to_owned()).or_default().add(Form::OneOf(choices));
    }
    found
});

/// The values that a setting may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest number.
    pub least: Option<i64>,
    /// The largest number.
    pub max: Option<i64>,
    /// The texts with an effect; empty if any text has one.
    pub choices: &'static [&'static str],
}

/// Returns the limits and choices of the setting at `path`.
pub fn bounds(path: &str) -> Bounds {
    BOUNDS.get(path).copied().unwrap_or_default()
}

fn collect(rules: &'static [Rule], is_below: bool, is_wanted: bool, found: &mut BTreeMap<String, Bounds>) {
    for rule in rules {
        match rule {
            Rule::When(_, rules) => collect(rules, true, is_wanted, found),
            Rule::Plain { demand, .. } if is_below == is_wanted => {
                found.entry(dotted(demand.pointer)).or_default().add(demand.form);
            }
            Rule::Plain { .. } => {}
        }
    }
}

impl Bounds {
    fn add(&mut self, form: Form) {
        match form {
            Form::Range(least, max) => {
                self.least = self.least.or((least > i64::MIN).then_some(least));
                self.max = self.max.or((max < i64::MAX).then_some(max));
            }
            Form::OneOf(choices) if self.choices.is_empty() => self.choices = choices,
            Form::OneOf(_)
            | Form::Flag(_)
            | Form::OtherThan(_)
            | Form::Past
            | Form::Is(_)
            | Form::Unlike(_)
            | Form::Text(_)
            | Form::BlankOr(_)
            | Form::Related(..)
            | Form::OnDisk
            | Form::InFolder
            | Form::Items(..)
            | Form::Each(_)
            | Form::Free(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::table::settings;
    use super::*;

    #[test]
    fn limits_and_choices_are_those_of_the_rules() {
        let length = Bounds { least: Some(5), max: Some(72), choices: &[] };
        assert_eq!(bounds("PasswordSettings.MinimumLength"), length);
        assert_eq!(bounds("FileSettings.DriverName").choices, ["local", "amazons3", "azureblob"]);
        assert_eq!(bounds("ServiceSettings.ReadTimeout"), Bounds { least: Some(1), ..Bounds::default() });
        assert_eq!(bounds("TeamSettings.SiteName"), Bounds::default());
        assert_eq!(bounds("FileSettings.ExportDriverName"), bounds("FileSettings.DriverName"));
    }

    #[test]
    fn each_rule_with_a_list_of_texts_gives_its_choices() {
        fn lists(rules: &'static [Rule]) -> Vec<(String, &'static [&'static str])> {
            let list = |rule: &'static Rule| match rule {
                Rule::When(_, rules) => lists(rules),
                Rule::Plain { demand, .. } => {
                    let Form::OneOf(texts) = demand.form else { return Vec::new() };
                    vec![(dotted(demand.pointer), texts)]
                }
            };
            rules.iter().flat_map(list).collect()
        }
        let all: Vec<_> = ORDER.iter().copied().flat_map(lists).collect();
        assert!(all.len() > 20, "{}", all.len());
        for (path, texts) in all {
            let found = bounds(&path).choices;
            assert!(!found.is_empty() && found.iter().all(|text| texts.contains(text)), "{path}: {found:?}");
        }
    }

    #[test]
    fn a_default_is_among_the_choices() {
        for setting in settings().values() {
            let choices = bounds(&setting.path).choices;
            let default = setting.default_value();
            let default = default.as_str().unwrap_or_default();
            assert!(
                choices.is_empty() || default.is_empty() || choices.contains(&default),
                "{}: {default}",
                setting.path
            );
        }
    }
}
