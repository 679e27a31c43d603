//! Constraints in a feed, such as `>=5.0.0 <6.0.0 || 7.x`. `||` separates alternatives. All comparisons of an
//! alternative must hold.

use std::cmp::Ordering;

/// A comparison with a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Other,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Comparison {
    fn named(operator: &str) -> Option<Self> {
        Some(match operator {
            "" | "=" | "==" => Self::Equal,
            "!" | "!=" => Self::Other,
            "<" => Self::Less,
            "<=" | "=<" => Self::AtMost,
            ">" => Self::Greater,
            ">=" | "=>" => Self::AtLeast,
            _ => return None,
        })
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Other => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// Alternatives, each a list of comparisons with bounds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constraint<B> {
    alternatives: Vec<Vec<(Comparison, B)>>,
}

impl<B> Constraint<B> {
    /// Reads a constraint; `bound` reads its bounds. Refuses a constraint without a comparison.
    pub(super) fn read(text: &str, bound: impl Fn(&str) -> Option<B>) -> Result<Self, String> {
        let alternatives = text.split("||").map(|alternative| comparisons(alternative, &bound));
        let alternatives = alternatives.collect::<Option<Vec<_>>>();
        alternatives.map(|alternatives| Self { alternatives }).ok_or_else(|| format!("{text:?} is not a range"))
    }

    /// Returns true if the constraint holds for a value, given the value's order relative to a bound.
    pub(super) fn holds(&self, compared: impl Fn(&B) -> Ordering) -> bool {
        let is_met = |(comparison, bound): &(Comparison, B)| comparison.accepts(compared(bound));
        self.alternatives.iter().any(|alternative| alternative.iter().all(is_met))
    }
}

/// Reads the comparisons of one alternative. Returns `None` if there are none or if one cannot be read.
fn comparisons<B>(text: &str, bound: &impl Fn(&str) -> Option<B>) -> Option<Vec<(Comparison, B)>> {
    let is_separator = |letter: char| letter.is_whitespace() || letter == ',';
    let is_operator = |letter: char| matches!(letter, '<' | '>' | '=' | '!');
    let mut found = Vec::new();
    let mut rest = text.trim_matches(is_separator);
    while !rest.is_empty() {
        let (operator, behind) = rest.split_at(rest.find(|letter| !is_operator(letter))?);
        let behind = behind.trim_start();
        let end = behind.find(|letter| is_separator(letter) || is_operator(letter)).unwrap_or(behind.len());
        let (word, behind) = behind.split_at(end);
        found.push((Comparison::named(operator)?, bound(word)?));
        rest = behind.trim_start_matches(is_separator);
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, number: i64) -> bool {
        let constraint = Constraint::read(text, |word| word.parse::<i64>().ok()).unwrap();
        constraint.holds(|bound| number.cmp(bound))
    }

    #[test]
    fn alternatives_are_enough_one_by_one_and_comparisons_only_together() {
        for (text, accepted) in [
            ("3", &[3][..]),
            ("= 3", &[3]),
            ("==3", &[3]),
            ("!3", &[1, 2, 4, 5]),
            ("!= 3", &[1, 2, 4, 5]),
            ("<3", &[1, 2]),
            ("<= 3", &[1, 2, 3]),
            ("=<3", &[1, 2, 3]),
            (">3", &[4, 5]),
            (">=3", &[3, 4, 5]),
            ("=> 3", &[3, 4, 5]),
            (">1 <4", &[2, 3]),
            ("> 1 < 4", &[2, 3]),
            (" >1, <4 ", &[2, 3]),
            (">1<4", &[2, 3]),
            (">1 <5 !3", &[2, 4]),
            ("<2 || >4", &[1, 5]),
            ("1||3 || 5", &[1, 3, 5]),
            (">4 <2", &[]),
        ] {
            let found: Vec<i64> = (1..=5).filter(|number| holds(text, *number)).collect();
            assert_eq!(found, accepted, "{text}");
        }
    }

    #[test]
    fn what_is_no_comparison_is_refused() {
        for text in ["", " ", "||", "1 ||", "|| 1", "1 || || 2", ">", "> || 1", ">> 1", "~1", "1 | 2", "x"] {
            let refused = Constraint::read(text, |word| word.parse::<i64>().ok());
            assert_eq!(refused.unwrap_err(), format!("{text:?} is not a range"));
        }
    }
}
