//! Two servers in one run: ratios of their figures, with confidence intervals from the rounds.

use serde::Serialize;

use super::random::Random;

/// The number of samples of the bootstrap.
const SAMPLES: usize = 2000;

/// The part of the samples outside of the interval, at each end.
const TAIL: f64 = 0.025;

/// The figures of one round of one server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoundFigures {
    pub(crate) mean_us: f64,
    /// A quantile is absent without enough requests.
    pub(crate) p50_us: Option<f64>,
    pub(crate) p95_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) throughput_per_s: f64,
    /// The processor time of the server for each request, if it is known.
    pub(crate) cpu_us: Option<f64>,
}

/// The ratio of a figure of the target to that of the other server.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "the ratio itself stands beside its interval")]
pub(crate) struct Ratio {
    pub(crate) figure: &'static str,
    pub(crate) ratio: f64,
    /// The interval that has the ratio with a confidence of 95 %.
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A figure: its name, and its value in a round.
type Figure = (&'static str, fn(&RoundFigures) -> Option<f64>);

const FIGURES: [Figure; 6] = [
    ("mean", |round| Some(round.mean_us)),
    ("p50", |round| round.p50_us),
    ("p95", |round| round.p95_us),
    ("p99", |round| round.p99_us),
    ("throughput", |round| Some(round.throughput_per_s)),
    ("cpu", |round| round.cpu_us),
];

/// Returns the ratios of all figures that both servers have in each round.
pub(crate) fn ratios(target: &[RoundFigures], other: &[RoundFigures], seed: u64) -> Vec<Ratio> {
    let ratio = |(name, of): &Figure| {
        let of_target = target.iter().map(of).collect::<Option<Vec<f64>>>()?;
        let of_other = other.iter().map(of).collect::<Option<Vec<f64>>>()?;
        bootstrap(name, &of_target, &of_other, seed)
    };
    FIGURES.iter().filter_map(ratio).collect()
}

/// Draws rounds of both servers again and again, and takes the ratio of their means each time.
fn bootstrap(figure: &'static str, target: &[f64], other: &[f64], seed: u64) -> Option<Ratio> {
    let ratio = mean(target)? / mean(other).filter(|mean| *mean > 0.0)?;
    let mut random = Random::new(seed, 0);
    let mut drawn = |values: &[f64]| {
        let count = u64::try_from(values.len()).unwrap_or_default();
        let draw = |_| usize::try_from(random.below(count)).ok().and_then(|index| values.get(index).copied());
        (0..values.len()).filter_map(draw).collect::<Vec<f64>>()
    };
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let (of_target, of_other) = (drawn(target), drawn(other));
        samples.extend(mean(&of_target).zip(mean(&of_other)).map(|(one, two)| one / two));
    }
    samples.sort_by(f64::total_cmp);
    let (low, high) = (at(&samples, TAIL)?, at(&samples, 1.0 - TAIL)?);
    Some(Ratio { figure, ratio, low, high })
}

fn mean(values: &[f64]) -> Option<f64> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count > 0)?;
    Some(values.iter().sum::<f64>() / f64::from(count))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a small index"
)]
fn at(sorted: &[f64], quantile: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * quantile).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(p99_us: &[f64]) -> Vec<RoundFigures> {
        let round = |p99_us: &f64| RoundFigures {
            mean_us: 100.0,
            p50_us: Some(90.0),
            p95_us: Some(150.0),
            p99_us: Some(*p99_us),
            throughput_per_s: 10.0,
            cpu_us: None,
        };
        p99_us.iter().map(round).collect()
    }

    #[test]
    fn a_ratio_lies_in_its_interval_and_steady_rounds_have_a_narrow_one() {
        let ratios = ratios(&rounds(&[210.0, 190.0, 200.0, 205.0]), &rounds(&[100.0, 104.0, 96.0, 100.0]), 1);
        let names: Vec<_> = ratios.iter().map(|ratio| ratio.figure).collect();
        assert_eq!(names, ["mean", "p50", "p95", "p99", "throughput"]);
        let p99 = &ratios[3];
        assert!((p99.ratio - 2.0125).abs() < 1e-9);
        assert!(p99.low < p99.ratio && p99.ratio < p99.high && p99.low > 1.85 && p99.high < 2.2, "{p99:?}");
        assert!((ratios[0].low - 1.0).abs() < 1e-9 && (ratios[0].high - 1.0).abs() < 1e-9);
    }

    #[test]
    fn rounds_that_differ_much_have_a_wide_interval() {
        let ratios = ratios(&rounds(&[50.0, 400.0, 60.0, 300.0]), &rounds(&[200.0, 210.0, 190.0, 200.0]), 1);
        let p99 = &ratios[3];
        assert!(p99.low < 0.5 && p99.high > 1.4, "{p99:?}");
    }

    #[test]
    fn servers_without_rounds_have_no_ratios() {
        assert!(ratios(&[], &[], 1).is_empty());
    }
}
