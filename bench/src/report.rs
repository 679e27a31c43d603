//! Calculation and formatting of the printed results.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Returns the median of some figures; of two middle ones the larger.
pub(crate) fn median<F: Copy + Default + Ord>(figures: &[F]) -> F {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// Converts a figure to a float for division.
#[expect(clippy::cast_precision_loss, reason = "microseconds of an answer and kilobytes of a process are exact")]
pub(crate) fn to_float(figure: u64) -> f64 {
    figure as f64
}

/// Returns the microseconds for each of `count`.
#[expect(clippy::cast_precision_loss, reason = "a few million are exact in a float")]
pub(crate) fn micros_each(total: Duration, count: u64) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}

/// Returns the rate of `count` for each second.
#[expect(clippy::cast_precision_loss, reason = "a few million are exact in a float")]
pub(crate) fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-6)
}

/// Formats the percentiles of a latency in microseconds as milliseconds.
pub(crate) fn percentiles(latency: &Histogram<u64>) -> String {
    let at = |quantile| millis(latency.value_at_quantile(quantile));
    format!("p50 {} p95 {} p99 {} max {} ms", at(0.5), at(0.95), at(0.99), millis(latency.max()))
}

#[expect(clippy::cast_precision_loss, reason = "a minute is exact in a float")]
fn millis(micros: u64) -> String {
    format!("{:.1}", micros as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_one_of_the_figures() {
        assert_eq!((median(&[5, 1, 9]), median(&[1, 2]), median::<u64>(&[])), (5, 2, 0));
    }

    #[test]
    fn shares_and_rates_are_per_piece_and_per_second() {
        assert!((micros_each(Duration::from_millis(3), 1000) - 3.0).abs() < 1e-9);
        assert!((rate(1000, Duration::from_millis(500)) - 2000.0).abs() < 1e-9);
        assert!(micros_each(Duration::from_millis(3), 0).is_finite() && rate(1, Duration::ZERO).is_finite());
    }

    #[test]
    fn percentiles_are_those_of_all_that_arrived() {
        let mut latency = Histogram::new_with_max(60_000_000, 3).unwrap();
        for micros in 1..=1000 {
            latency.record(micros * 10).unwrap();
        }
        assert_eq!(percentiles(&latency), "p50 5.0 p95 9.5 p99 9.9 max 10.0 ms");
    }
}
