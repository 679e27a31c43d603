//! The steady growth of a figure over a long run: the growth that goes on, without peaks, steps and caches that fill.

/// The number of parts of a third of a run. The least value of each part has its place in the slope, because a peak that
/// is given back is no growth.
const PARTS: usize = 6;

/// Returns the slope of a figure for each minute that the second and the last third of a run have in common: the one
/// nearest to zero of the slopes of both thirds and of their whole, and zero if their directions differ. The first third
/// does not count, because caches fill then.
///
/// `samples` are the minute and the figure, in the order of time. Returns `None` if there are too few of them.
pub(super) fn steady(samples: &[(f64, f64)]) -> Option<f64> {
    let settled = samples.get(samples.len() / 3..)?;
    let (second, last) = settled.split_at(settled.len() / 2);
    let slopes = [slope(&floor(second, PARTS)?)?, slope(&floor(last, PARTS)?)?, slope(&floor(settled, 2 * PARTS)?)?];
    let smallest = slopes.into_iter().fold(f64::INFINITY, f64::min);
    let greatest = slopes.into_iter().fold(f64::NEG_INFINITY, f64::max);
    Some(if smallest > 0.0 { smallest } else { greatest.min(0.0) })
}

/// Returns the sample with the least value in each part, each of which has at least one sample.
fn floor(samples: &[(f64, f64)], parts: usize) -> Option<Vec<(f64, f64)>> {
    let part = |number: usize| {
        let part = samples.get(number * samples.len() / parts..(number + 1) * samples.len() / parts)?;
        part.iter().copied().min_by(|(_, one), (_, other)| one.total_cmp(other))
    };
    (0..parts).map(part).collect()
}

/// Returns the slope of a line through the points (least squares).
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = f64::from(u32::try_from(points.len()).ok()?);
    let mean_minute = points.iter().map(|(minute, _)| minute).sum::<f64>() / count;
    let mean_value = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let products = points.iter().map(|(minute, value)| (minute - mean_minute) * (value - mean_value)).sum::<f64>();
    let squares = points.iter().map(|(minute, _)| (minute - mean_minute).powi(2)).sum::<f64>();
    (squares > 0.0).then(|| products / squares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::to_float;
    use crate::run::random::Random;

    /// The memory of ten minutes, in kB each second, with noise of up to 400 kB.
    fn run(of_second: impl Fn(f64) -> f64) -> f64 {
        let mut random = Random::new(7, 7);
        let samples: Vec<_> = (0..600)
            .map(|second| {
                (f64::from(second) / 60.0, 50_000.0 + of_second(f64::from(second)) + to_float(random.below(400)))
            })
            .collect();
        steady(&samples).unwrap()
    }

    #[test]
    fn a_leak_has_its_slope() {
        for kb_per_min in [50.0, 100.0, 500.0, -100.0] {
            let found = run(|second| second / 60.0 * kb_per_min);
            assert!((found - kb_per_min).abs() < 25.0, "{found} instead of {kb_per_min}");
        }
        // A leak of 10 kB every 20 s, as buffers grow.
        let found = run(|second| (second / 20.0).floor() * 40.0);
        assert!((90.0..130.0).contains(&found), "{found} instead of 120");
    }

    #[test]
    fn memory_that_does_not_go_on_growing_has_no_slope() {
        let bounded: [(&str, &dyn Fn(f64) -> f64); 6] = [
            ("noise", &|_| 0.0),
            ("a step", &|second| if second < 400.0 { 0.0 } else { 5_000.0 }),
            ("a late step", &|second| if second < 550.0 { 0.0 } else { 5_000.0 }),
            ("peaks", &|second| if second % 45.0 < 10.0 { 20_000.0 } else { 0.0 }),
            ("a cache", &|second| 20_000.0 * (1.0 - (-second / 60.0).exp())),
            ("garbage that is collected each minute", &|second| second % 60.0 * 100.0),
        ];
        for (name, of_second) in bounded {
            let found = run(of_second);
            assert!(found.abs() < 25.0, "{name}: {found}");
        }
    }

    #[test]
    fn a_short_run_has_no_slope() {
        let samples = |count: u32| (0..count).map(|second| (f64::from(second) / 60.0, 1.0)).collect::<Vec<_>>();
        assert_eq!((steady(&samples(16)), steady(&samples(17))), (None, Some(0.0)));
    }
}
