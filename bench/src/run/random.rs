//! Random numbers that a seed repeats, and secrets that nothing repeats.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

/// A sequence of numbers that depends on its seed only (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`, or zero if `end` is zero.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        let scaled = (u128::from(self.next()) * u128::from(end)) >> 64;
        u64::try_from(scaled).unwrap_or_default()
    }
}

/// Returns bytes of the operating system's generator in hexadecimal digits.
pub(crate) fn secret(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    let mut digits = String::with_capacity(bytes * 2);
    for byte in buffer {
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_they_are_spread_evenly() {
        let numbers = |seed, stream| {
            let mut random = Random::new(seed, stream);
            (0..10_000).map(|_| random.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1, 0), numbers(1, 0));
        assert!(numbers(1, 0) != numbers(2, 0) && numbers(1, 0) != numbers(1, 1));
        for digit in 0..10 {
            let count = numbers(7, 3).iter().filter(|number| **number == digit).count();
            assert!((850..1150).contains(&count), "{digit}: {count}");
        }
        assert_eq!(Random::new(1, 1).below(0), 0);
    }

    #[test]
    fn two_secrets_differ() {
        let (one, two) = (secret(16).unwrap(), secret(16).unwrap());
        assert!(one != two && one.len() == 32);
    }
}
