//! The description of each setting for people: label, help, example, and the page of the System Console it stands on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Serialize;
use utoipa::ToSchema;

/// The columns are the path, the page, the label, the help, the meaning of an empty value, an example, and the usual
/// mistake.
const TEXTS: &str = include_str!("texts.tsv");

/// The columns are the address of a page, its category and its label, in the order of the menu.
const PAGES: &str = include_str!("pages.tsv");

/// The columns are a setting, the setting that it depends on, and the value with which it has an effect. A star at the
/// end of a name stands for any rest.
const CONDITIONS: &str = include_str!("conditions.tsv");

static DESCRIPTIONS: LazyLock<BTreeMap<&'static str, Description>> =
    LazyLock::new(|| lines(TEXTS).filter_map(Description::read).map(|read| (read.path, read)).collect());

static MENU: LazyLock<Vec<Page>> = LazyLock::new(|| lines(PAGES).filter_map(Page::read).collect());

static RULES: LazyLock<Vec<(&'static str, Condition)>> =
    LazyLock::new(|| lines(CONDITIONS).filter_map(Condition::read).collect());

/// A setting, described for people.
#[derive(Debug)]
pub struct Description {
    /// The path, such as `ServiceSettings.SiteURL`.
    pub path: &'static str,
    /// The address of its page.
    pub page: &'static str,
    /// The name on the page.
    pub label: &'static str,
    /// One or two sentences about its effect.
    pub help: &'static str,
    /// The meaning of an empty value, if it is special.
    pub empty: Option<&'static str>,
    /// A valid value.
    pub example: Option<&'static str>,
    /// The usual mistake, its effect, and the way out.
    pub mistake: Option<&'static str>,
}

/// A page of the System Console with settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The address below `/admin_console/`.
    pub address: &'static str,
    /// The heading of its part of the menu.
    pub category: &'static str,
    /// The name in the menu.
    pub label: &'static str,
}

/// A condition under which a setting has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SettingCondition)]
pub struct Condition {
    /// The path of the other setting.
    path: &'static str,
    /// The value that the other setting must have, as text.
    value: &'static str,
}

/// Returns the description of the setting at `path`.
pub fn description(path: &str) -> Option<&'static Description> {
    DESCRIPTIONS.get(path)
}

/// Returns the pages in the order of the menu.
pub fn pages() -> &'static [Page] {
    &MENU
}

/// Returns the conditions under which the setting at `path` has an effect. All of them must hold.
pub fn conditions(path: &str) -> impl Iterator<Item = Condition> {
    let concerns = move |(name, condition): &&(&'static str, Condition)| {
        let is_named = name.strip_suffix('*').map_or(*name == path, |begin| path.starts_with(begin));
        is_named && condition.path != path
    };
    RULES.iter().filter(concerns).map(|(_, condition)| *condition)
}

fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

fn some(text: &'static str) -> Option<&'static str> {
    (!text.is_empty()).then_some(text)
}

impl Description {
    fn read(columns: Vec<&'static str>) -> Option<Self> {
        let [path, page, label, help, empty, example, mistake] = columns.try_into().ok()?;
        Some(Self { path, page, label, help, empty: some(empty), example: some(example), mistake: some(mistake) })
    }
}

impl Page {
    fn read(columns: Vec<&'static str>) -> Option<Self> {
        let [address, category, label] = columns.try_into().ok()?;
        Some(Self { address, category, label })
    }
}

impl Condition {
    fn read(columns: Vec<&'static str>) -> Option<(&'static str, Self)> {
        let [setting, path, value] = columns.try_into().ok()?;
        Some((setting, Self { path, value }))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::rules::bounds;
    use super::super::table::{Kind, settings};
    use super::*;

    #[test]
    fn each_setting_stands_on_one_page_with_a_label_and_help() {
        assert_eq!(DESCRIPTIONS.len(), lines(TEXTS).count(), "no line is given twice or cannot be read");
        let described: Vec<&str> = DESCRIPTIONS.keys().copied().collect();
        assert_eq!(described, settings().keys().map(String::as_str).collect::<Vec<_>>());
        let addresses: HashSet<&str> = pages().iter().map(|page| page.address).collect();
        assert_eq!(addresses.len(), lines(PAGES).count());
        let mut labels = HashSet::new();
        for text in DESCRIPTIONS.values() {
            assert!(addresses.contains(text.page), "{}: {}", text.path, text.page);
            assert!(labels.insert((text.page, text.label)), "{}: {} is there twice", text.path, text.label);
            assert!(!text.label.is_empty() && text.label.len() <= 70 && !text.label.ends_with('.'), "{}", text.path);
            assert!(text.help.ends_with('.') && text.help.len() <= 330, "{}: {}", text.path, text.help);
        }
        let used: HashSet<&str> = DESCRIPTIONS.values().map(|text| text.page).collect();
        assert_eq!(used, addresses);
    }

    #[test]
    fn a_setting_that_the_server_acts_on_says_more() {
        for setting in settings().values().filter(|setting| setting.acted_on) {
            let text = description(&setting.path).unwrap();
            assert!(text.mistake.is_some(), "{}", setting.path);
            let is_typed = matches!(setting.kind, Kind::Int | Kind::String | Kind::Strings);
            let has_choices = !bounds(&setting.path).choices.is_empty();
            assert!(!is_typed || has_choices || text.example.is_some(), "{}", setting.path);
        }
    }

    #[test]
    fn an_example_is_a_value_of_its_setting() {
        for setting in settings().values() {
            let Some(example) = description(&setting.path).and_then(|text| text.example) else { continue };
            let bounds = bounds(&setting.path);
            match setting.kind {
                Kind::Int => {
                    let number: i64 = example.parse().unwrap_or_else(|_| panic!("{}: {example}", setting.path));
                    let is_within =
                        bounds.least.is_none_or(|least| number >= least) && bounds.max.is_none_or(|max| number <= max);
                    assert!(is_within, "{}: {example}", setting.path);
                }
                Kind::Bool => assert!(["true", "false"].contains(&example), "{}: {example}", setting.path),
                Kind::String => {
                    let is_choice = bounds.choices.is_empty() || bounds.choices.contains(&example);
                    assert!(is_choice, "{}: {example}", setting.path);
                }
                Kind::Strings | Kind::Object | Kind::Objects | Kind::Map | Kind::RawJson => {}
            }
        }
    }

    #[test]
    fn conditions_name_settings_and_values_that_exist() {
        for (name, condition) in RULES.iter() {
            let known = settings()
                .keys()
                .filter(|path| name.strip_suffix('*').map_or(path.as_str() == *name, |begin| path.starts_with(begin)));
            assert!(known.count() > 0, "{name}");
            let other = &settings()[condition.path];
            let choices = if other.kind == Kind::Bool { &["true", "false"] } else { bounds(condition.path).choices };
            let is_value = choices.is_empty() || choices.contains(&condition.value);
            assert!(is_value, "{}: {}", condition.path, condition.value);
        }
        let of = |path: &str| conditions(path).map(|one| (one.path, one.value)).collect::<Vec<_>>();
        assert_eq!(
            of("FileSettings.AzureAccessKey"),
            [("FileSettings.DriverName", "azureblob"), ("FileSettings.AzureAuthMode", "shared_key")]
        );
        assert_eq!(of("FileSettings.DriverName"), []);
        assert_eq!(of("FileSettings.ExportDriverName"), [("FileSettings.DedicatedExportStore", "true")]);
    }
}
