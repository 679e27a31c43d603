//! Conditions under which a run fails: `p99>200ms`, `failures>0.1%`, `p99>1.1x`.

use serde::{Deserialize, Serialize};

use super::compared::Ratio;
use super::outcome::Outcome;
use crate::report::to_float;

/// The decision about a condition.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) condition: String,
    /// True if the run fails by it.
    pub(crate) is_met: bool,
    /// The figure in the unit of the condition, or the reason why it is unknown.
    pub(crate) figure: String,
}

/// A condition, as the command line or a mix has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Condition {
    text: String,
    figure: Figure,
    is_above: bool,
    limit: Limit,
    unit: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure {
    Mean,
    P50,
    P95,
    P99,
    Max,
    Failures,
    Throughput,
    Cpu,
    MemorySlope,
    DescriptorSlope,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// The number of the condition, and the factor to the unit of the figure: microseconds, a part of all requests, requests
    /// a second, or kB or descriptors a minute.
    Absolute(f64, f64),
    /// Times the figure of the other server.
    Ratio(f64),
}

const FIGURES: [(&str, Figure); 10] = [
    ("mean", Figure::Mean),
    ("p50", Figure::P50),
    ("p95", Figure::P95),
    ("p99", Figure::P99),
    ("max", Figure::Max),
    ("failures", Figure::Failures),
    ("throughput", Figure::Throughput),
    ("cpu", Figure::Cpu),
    ("memory-slope", Figure::MemorySlope),
    ("descriptor-slope", Figure::DescriptorSlope),
];

impl Condition {
    /// Reads a condition: a figure, `>` or `<`, and a number with its unit.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let explain = || {
            format!(
                "`{text}` is not a condition: write a figure ({}), > or <, and a number with us, ms, s, %, /s, MB/min or /min, or x \
                 for a ratio, such as p99>1.1x",
                FIGURES.map(|(name, _)| name).join(", ")
            )
        };
        let at = text.find(['>', '<']).ok_or_else(explain)?;
        let (name, rest) = text.split_at(at);
        let (figure, is_above) = (find(name.trim()).ok_or_else(explain)?, rest.starts_with('>'));
        let value = rest.get(1..).unwrap_or_default().trim();
        let end = value.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(value.len());
        let (number, unit) = value.split_at(end);
        let number: f64 = number.parse().map_err(|_| explain())?;
        let unit = unit.trim().to_owned();
        let limit = limit(figure, number, &unit).ok_or_else(explain)?;
        Ok(Self { text: text.to_owned(), figure, is_above, limit, unit })
    }

    pub(crate) fn is_ratio(&self) -> bool {
        matches!(self.limit, Limit::Ratio(_))
    }

    /// Decides if the run fails by the condition. An unknown figure fails it. A ratio counts only if its confidence interval
    /// does not contain 1, so that noise fails no run.
    pub(crate) fn verdict(&self, outcome: &Outcome, ratios: &[Ratio]) -> Verdict {
        let (is_met, figure) = self.decide(outcome, ratios);
        Verdict { condition: self.text.clone(), is_met, figure }
    }

    fn decide(&self, outcome: &Outcome, ratios: &[Ratio]) -> (bool, String) {
        let name = FIGURES.iter().find(|(_, figure)| *figure == self.figure).map_or("", |(name, _)| name);
        let is_beyond = |value: f64, limit: f64| if self.is_above { value > limit } else { value < limit };
        match self.limit {
            Limit::Absolute(limit, factor) => {
                let Some(value) = self.figure.of(outcome) else { return (true, self.figure.unknown().to_owned()) };
                (is_beyond(value, limit * factor), format!("it is {:.4} {}", value / factor, self.unit))
            }
            Limit::Ratio(limit) => {
                let Some(Ratio { ratio, low, high, .. }) = ratios.iter().find(|ratio| ratio.figure == name) else {
                    return (true, "the ratio is unknown".to_owned());
                };
                let is_certain = if self.is_above { *low > 1.0 } else { *high < 1.0 };
                let is_met = is_beyond(*ratio, limit) && is_certain;
                (is_met, format!("the ratio is {ratio:.3} ({low:.3} to {high:.3})"))
            }
        }
    }
}

fn find(name: &str) -> Option<Figure> {
    FIGURES.iter().find(|(known, _)| *known == name).map(|(_, figure)| *figure)
}

fn limit(figure: Figure, number: f64, unit: &str) -> Option<Limit> {
    let is_latency =
        matches!(figure, Figure::Mean | Figure::P50 | Figure::P95 | Figure::P99 | Figure::Max | Figure::Cpu);
    let factor = match unit {
        "x" if matches!(figure, Figure::Throughput) || (is_latency && figure != Figure::Max) => {
            return Some(Limit::Ratio(number));
        }
        "us" if is_latency => 1.0,
        "ms" if is_latency => 1e3,
        "s" if is_latency => 1e6,
        "%" if figure == Figure::Failures => 0.01,
        "/s" if figure == Figure::Throughput => 1.0,
        "MB/min" if figure == Figure::MemorySlope => 1024.0,
        "/min" if figure == Figure::DescriptorSlope => 1.0,
        _ => return None,
    };
    Some(Limit::Absolute(number, factor))
}

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text)
    }
}

impl Figure {
    /// Returns the reason why a figure is unknown.
    fn unknown(self) -> &'static str {
        match self {
            Self::MemorySlope | Self::DescriptorSlope => {
                "the figure is unknown: it needs the process of the server, and a run of 20 s or more"
            }
            Self::Cpu => "the figure is unknown: it needs the process of the server",
            Self::Mean | Self::P50 | Self::P95 | Self::P99 | Self::Max | Self::Failures | Self::Throughput => {
                "the figure is unknown: the run has too few requests"
            }
        }
    }

    fn of(self, outcome: &Outcome) -> Option<f64> {
        let latency = &outcome.total.latency;
        Some(match self {
            Self::Mean => latency.mean_us,
            Self::P50 => to_float(latency.p50_us?),
            Self::P95 => to_float(latency.p95_us?),
            Self::P99 => to_float(latency.p99_us?),
            Self::Max => to_float(latency.max_us),
            Self::Failures => outcome.total.failed_part,
            Self::Throughput => outcome.throughput_per_s,
            Self::Cpu => outcome.usage.as_ref()?.cpu_us_per_request?,
            Self::MemorySlope => outcome.usage.as_ref()?.resident_kb_per_min?,
            Self::DescriptorSlope => outcome.usage.as_ref()?.descriptors_per_min?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::report::tests::outcome;

    fn met(text: &str, ratios: &[Ratio]) -> bool {
        Condition::read(text).unwrap().verdict(&outcome(50), ratios).is_met
    }

    #[test]
    fn a_condition_compares_a_figure_in_its_unit() {
        // The latencies are 50 to 56 ms, one request of a hundred fails, and 100 requests start in a second.
        assert!(met("p99>55ms", &[]) && !met("p99>57ms", &[]) && !met("p99 > 1s", &[]) && met("p50<0.06s", &[]));
        assert!(met("failures>0.9%", &[]) && !met("failures>1.1%", &[]));
        assert!(met("throughput<101/s", &[]) && !met("throughput<90/s", &[]) && met("cpu>0.5ms", &[]));
    }

    #[test]
    fn a_slope_has_a_unit_for_each_minute() {
        // The memory grows by 2 kB a second, and the number of descriptors does not change.
        let verdict = Condition::read("memory-slope>1MB/min").unwrap().verdict(&outcome(50), &[]);
        assert_eq!((verdict.is_met, verdict.figure.as_str()), (false, "it is 0.1172 MB/min"));
        assert!(met("memory-slope>0.1MB/min", &[]) && !met("memory-slope>0.13MB/min", &[]));
        assert!(!met("descriptor-slope>0.1/min", &[]));
        assert!(Condition::read("memory-slope>1ms").is_err() && Condition::read("memory-slope>2x").is_err());
    }

    #[test]
    fn a_ratio_counts_only_if_it_is_no_noise() {
        let ratio = |ratio, low, high| [Ratio { figure: "p99", ratio, low, high }];
        assert!(met("p99>1.1x", &ratio(1.2, 1.05, 1.4)));
        assert!(!met("p99>1.1x", &ratio(1.2, 0.9, 1.6)) && !met("p99>1.1x", &ratio(1.05, 1.01, 1.1)));
        assert!(met("p99>1.1x", &[]), "an unknown ratio fails a run");
    }

    #[test]
    fn a_condition_that_cannot_be_read_is_refused_with_the_form() {
        for broken in ["p99", "p98>1ms", "p99>ms", "p99>1", "p99>1%", "failures>1ms", "failures>2x", "p99=1ms", ""] {
            assert!(Condition::read(broken).unwrap_err().contains("such as p99>1.1x"), "{broken}");
        }
    }
}
