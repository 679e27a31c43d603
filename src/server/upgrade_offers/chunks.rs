//! Follows a chunked body to its end.

use quarterdeck_actors::steps::walked;

/// The place in a chunked body.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    step: Step,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The digits of a chunk's size, as far as they have come.
    Size(u64),
    /// The rest of the line with the size.
    Extension(u64),
    /// The missing bytes of a chunk.
    Data(u64),
    /// The line break after a chunk.
    #[default]
    BeforeSize,
    /// A line after the last chunk.
    Trailer {
        is_empty: bool,
    },
    Over,
}

impl Chunks {
    /// Returns true after the last byte of the body.
    pub(super) fn are_over(&self) -> bool {
        self.step == Step::Over
    }

    /// Walks over `bytes` and returns the number of those that belong to the body.
    pub(super) fn walk(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some(byte) = bytes.get(done).filter(|_| !self.are_over()) {
            walked(1);
            if let Step::Data(missing) = self.step {
                let length = (bytes.len() - done).min(usize::try_from(missing).unwrap_or(usize::MAX));
                let missing = missing.saturating_sub(length as u64);
                self.step = if missing == 0 { Step::BeforeSize } else { Step::Data(missing) };
                done += length;
            } else {
                self.step = self.step.after(*byte);
                done += 1;
            }
        }
        done
    }
}

impl Step {
    /// Returns the step after `byte`. The HTTP server checks the syntax; here only the lengths matter.
    fn after(self, byte: u8) -> Self {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        match (self, byte, digit) {
            (Self::Size(0) | Self::Extension(0), b'\n', _) => Self::Trailer { is_empty: true },
            (Self::Size(size) | Self::Extension(size), b'\n', _) => Self::Data(size),
            (Self::Size(size), _, Some(digit)) => Self::Size(size.saturating_mul(16).saturating_add(digit)),
            (Self::Size(size) | Self::Extension(size), ..) => Self::Extension(size),
            (Self::BeforeSize, _, Some(digit)) => Self::Size(digit),
            (Self::BeforeSize, ..) => Self::BeforeSize,
            (Self::Trailer { is_empty: true }, b'\n', _) => Self::Over,
            (Self::Trailer { .. }, b'\n', _) => Self::Trailer { is_empty: true },
            (Self::Trailer { is_empty }, b'\r', _) => Self::Trailer { is_empty },
            (Self::Trailer { .. }, ..) => Self::Trailer { is_empty: false },
            (Self::Data(_) | Self::Over, ..) => self,
        }
    }
}
