//! Counts the steps of loops over input from callers, so that a test detects a loop that is not linear.
//!
//! Steps are counted in debug builds only, which is what tests run. Each thread counts its own steps. Unlike time, the
//! count does not depend on how busy the machine is.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// The number of steps that [`assert_linear`] tolerates, such as for a number with one more digit.
const TOLERATED_STEPS: u64 = 100;

/// Returns `items` and counts one step for each item that is taken.
pub fn counted<T>(items: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    items.inspect(|_| walked(1))
}

/// Counts `steps`, such as the bytes that a library reads.
pub fn walked(steps: usize) {
    if cfg!(debug_assertions) {
        STEPS.set(STEPS.get().saturating_add(u64::try_from(steps).unwrap_or(u64::MAX)));
    }
}

/// Returns the number of steps that this thread takes in `work`; 0 in a release build.
pub fn steps_of(work: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

/// Asserts that `work` is linear: twice the input takes at most 2.5 times the steps, beyond those of an empty input.
///
/// It runs with `size`, twice `size` and four times `size`. A release build runs nothing.
///
/// # Panics
/// If it takes more steps, or if no step is counted.
pub fn assert_linear(what: &str, size: usize, work: impl Fn(usize)) {
    if !cfg!(debug_assertions) {
        return;
    }
    let [empty, one, two, four] = [0, 1, 2, 4].map(|times| steps_of(|| work(size * times)));
    assert!(one > 0, "{what}: no step is counted");
    for (steps, more_steps) in [(one, two), (two, four)] {
        let [steps, more_steps] = [steps, more_steps].map(|steps| steps.saturating_sub(empty));
        let is_linear = more_steps * 2 <= steps * 5 + TOLERATED_STEPS;
        assert!(is_linear, "{what}: {steps} steps become {more_steps} for twice the input of {size}");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

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

    #[test]
    fn a_loop_in_a_loop_is_not_linear_whatever_is_done_besides() {
        assert_linear("one loop", 100, |size| walked(1_000_000 + size));
        assert!(catch_unwind(|| assert_linear("two loops", 100, |size| walked(1_000_000 + size * size))).is_err());
        assert!(catch_unwind(|| assert_linear("nothing", 100, |_| ())).is_err());
    }

    /// Counts escaped backslashes. At each position it counts the backslashes before it again, which is quadratic.
    fn count_escapes_anew(text: &[u8]) -> usize {
        let is_escaped = |at: &usize| {
            let before = text.get(..*at).unwrap_or_default();
            counted(before.iter().rev()).take_while(|byte| **byte == b'\\').count() % 2 == 1
        };
        (0..text.len()).filter(is_escaped).count()
    }

    /// Counts the same in one walk.
    fn count_escapes(text: &[u8]) -> usize {
        let mut bytes = counted(text.iter());
        let mut escapes = 0;
        while bytes.any(|byte| *byte == b'\\') {
            escapes += usize::from(bytes.next().is_some());
        }
        escapes
    }

    /// Searches the second list for each element of the first, which is quadratic.
    fn count_common(one: &[usize], other: &[usize]) -> usize {
        one.iter().filter(|item| counted(other.iter()).any(|known| known == *item)).count()
    }

    #[test]
    fn a_walk_that_begins_anew_at_each_position_is_not_linear_on_the_shape_that_makes_it_slow() {
        let backslashes = |size: usize| "\\".repeat(size).into_bytes();
        assert_eq!((count_escapes_anew(br"\\\"), count_escapes(br"\\\")), (1, 1));
        assert_linear("one walk", 100, |size| assert!(count_escapes(&backslashes(size)) <= size));
        assert_linear("harmless input", 100, |size| assert_eq!(count_escapes_anew("x".repeat(size).as_bytes()), 0));
        let anew =
            || assert_linear("each position", 100, |size| assert!(count_escapes_anew(&backslashes(size)) <= size));
        assert!(catch_unwind(anew).is_err());
        let lists = || {
            assert_linear("list in list", 100, |size| {
                let [one, other]: [Vec<usize>; 2] = [(0..size).collect(), (size..2 * size).collect()];
                assert_eq!(count_common(&one, &other), 0);
            });
        };
        assert!(catch_unwind(lists).is_err());
    }
}
