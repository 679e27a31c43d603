//! Counts the steps that loops take over what a caller sent, so that a test sees a loop that is not linear.
//!
//! Steps are counted in debug builds, which is what tests run; a release build has none of it. They are counted for each
//! thread, and unlike time they do not depend on how busy the machine is.

#[cfg(debug_assertions)]
use std::cell::Cell;

#[cfg(debug_assertions)]
thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// `items`, each of which counts as one step.
pub fn counted<T>(items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    items.inspect(|_| walked(1))
}

/// Counts `steps`, such as the bytes that a library reads.
pub fn walked(steps: usize) {
    #[cfg(debug_assertions)]
    STEPS.set(STEPS.get().saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)));
    #[cfg(not(debug_assertions))]
    let _ = steps;
}

/// The steps that this thread takes in `work`.
#[cfg(debug_assertions)]
pub fn steps_of(work: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn each_item_that_is_taken_is_a_step_and_each_thread_counts_its_own() {
        let steps = steps_of(|| {
            assert_eq!(counted([1, 2, 3, 4].iter()).position(|item| *item == 3), Some(2));
            walked(10);
            std::thread::spawn(|| walked(1000)).join().unwrap();
        });
        assert_eq!(steps, 13);
    }
}
