//! Quantiles, where there are enough samples for them.

use hdrhistogram::Histogram;

use crate::report::to_float;

/// The error of a product of floats.
const ROUNDING: f64 = 1e-6;

/// Returns a quantile, or `None` if fewer than 1 / (1 - quantile) samples are there. The quantile of fewer samples would be
/// their maximum.
pub(crate) fn at(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    let samples_above = to_float(histogram.len()) * (1.0 - quantile);
    let is_known = samples_above >= 1.0 - ROUNDING;
    is_known.then(|| histogram.value_at_quantile(quantile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_needs_a_sample_above_it() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        let known =
            |histogram: &Histogram<u64>| [0.5, 0.9, 0.99, 0.999].map(|quantile| at(histogram, quantile).is_some());
        assert_eq!(known(&histogram), [false; 4]);
        histogram.record_n(1, 9).unwrap();
        assert_eq!(known(&histogram), [true, false, false, false]);
        histogram.record_n(1, 91).unwrap();
        assert_eq!(known(&histogram), [true, true, true, false]);
        histogram.record_n(1, 900).unwrap();
        assert_eq!(known(&histogram), [true; 4]);
    }
}
