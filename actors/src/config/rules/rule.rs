//! A rule, as data: a demand with the id of its failure, or rules that apply under a condition.

use super::demand::{Demand, Form};
use super::settings::{Settings, dotted};

/// A rule that a document breaks, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The JSON pointer of the setting that must change, such as `/ServiceSettings/SiteURL`.
    pub pointer: String,
    /// The id of the failure in the API's contract.
    pub id: &'static str,
    /// Values for the placeholders in the id's text.
    pub params: Vec<(&'static str, String)>,
    /// The treatment of a stored value that breaks the rule.
    pub at_load: AtLoad,
}

/// The treatment of a value that breaks a rule and is stored already. Requests with such a value are refused.
///
/// Every rule that becomes stricter is marked, because an installation that exists must start with a value that an
/// earlier version of the program took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtLoad {
    /// The start is refused, as it always was.
    Refused,
    /// The default is used instead.
    Default,
    /// The complete address is used instead, for a host of digits that only a resolver understands.
    FullAddress,
    /// The log targets are used without the levels that do not exist.
    KnownLevels,
    /// The value stays in use, because data may be stored under it.
    Stays,
}

pub(super) enum Rule {
    Plain { demand: Demand, id: &'static str, params: Params, at_load: AtLoad },
    When(Demand, &'static [Rule]),
}

/// The placeholders of the text, with the source of each value.
pub(super) type Params = &'static [(&'static str, Fill)];

#[derive(Clone, Copy)]
pub(super) enum Fill {
    /// The text that describes the wrong value.
    Found,
    /// The name of the setting.
    Setting,
    /// The value of another setting.
    ValueOf(&'static str),
    /// This text.
    Just(&'static str),
}

impl Failure {
    /// Returns the path of the setting.
    pub fn path(&self) -> String {
        dotted(&self.pointer)
    }
}

impl Demand {
    /// Makes the rule that the demand must be met.
    pub(super) const fn or(self, id: &'static str) -> Rule {
        self.or_with(id, &[])
    }

    /// Makes the rule that the demand must be met, with parameters for its failure.
    pub(super) const fn or_with(self, id: &'static str, params: Params) -> Rule {
        Rule::Plain { demand: self, id, params, at_load: AtLoad::Refused }
    }
}

/// Makes rules that apply only while `condition` is met.
pub(super) const fn when(condition: Demand, rules: &'static [Rule]) -> Rule {
    Rule::When(condition, rules)
}

impl Rule {
    /// Makes a rule with another treatment of stored values.
    pub(super) const fn at_load(self, at_load: AtLoad) -> Self {
        match self {
            Self::Plain { demand, id, params, .. } => Self::Plain { demand, id, params, at_load },
            Self::When(condition, rules) => Self::When(condition, rules),
        }
    }

    /// Returns true if the rule looks at one setting alone.
    pub(super) const fn is_single(&self) -> bool {
        match self {
            Self::Plain { demand, .. } => !matches!(demand.form, Form::Related(..)),
            Self::When(..) => false,
        }
    }

    /// Returns the failures of a document against this rule, in order.
    pub(super) fn failures(&self, settings: &Settings<'_>) -> Vec<Failure> {
        match self {
            Self::When(condition, rules) if condition.is_met(settings) => {
                rules.iter().flat_map(|rule| rule.failures(settings)).collect()
            }
            Self::When(..) => Vec::new(),
            Self::Plain { demand, id, params, at_load } => {
                let failure = |found: String| Failure {
                    pointer: demand.pointer.to_owned(),
                    id,
                    params: params.iter().map(|(name, fill)| (*name, fill.text(demand, &found, settings))).collect(),
                    at_load: *at_load,
                };
                demand.found_instead(settings).map(failure).into_iter().collect()
            }
        }
    }
}

impl Fill {
    fn text(self, demand: &Demand, found: &str, settings: &Settings<'_>) -> String {
        match self {
            Self::Found => found.to_owned(),
            Self::Setting => dotted(demand.pointer),
            Self::ValueOf(pointer) => settings.text(pointer),
            Self::Just(text) => text.to_owned(),
        }
    }
}
