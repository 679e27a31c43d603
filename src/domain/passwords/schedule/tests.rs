//! Tests of turns, limits and evictions.

use super::*;

const HOSTILE: Key = 1;
const HONEST: Key = 2;
const LIMITS: Limits = Limits { at_once: 1, per_caller: 64, total: 256 };

/// Takes a place and queues a waiter in it.
fn join(schedule: &mut Schedule<&'static str>, caller: Key, name: Key, label: &'static str) -> u64 {
    assert_eq!(schedule.enter((caller, CallerKind::Unknown), name), Ok(None));
    schedule.wait(caller, name, label)
}

/// Returns the number of callers in the rotations.
fn callers_in(schedule: &Schedule<&'static str>) -> usize {
    schedule.rotations.iter().map(VecDeque::len).sum()
}

/// Grants the next turn and ends it.
fn served(schedule: &mut Schedule<&'static str>) -> Option<&'static str> {
    let granted = schedule.next()?;
    schedule.finish(granted.caller, granted.name);
    Some(granted.waiter)
}

#[test]
fn callers_take_turns_whoever_came_first() {
    let mut schedule = Schedule::new(LIMITS);
    for name in 0..50 {
        join(&mut schedule, HOSTILE, name, "hostile");
    }
    join(&mut schedule, HONEST, 100, "honest");
    assert_eq!([served(&mut schedule), served(&mut schedule)], [Some("hostile"), Some("honest")]);
}

#[test]
fn names_take_turns_within_a_caller() {
    let mut schedule = Schedule::new(LIMITS);
    for _ in 0..50 {
        join(&mut schedule, HOSTILE, 7, "hammered");
    }
    join(&mut schedule, HOSTILE, 8, "colleague");
    assert_eq!([served(&mut schedule), served(&mut schedule)], [Some("hammered"), Some("colleague")]);
}

#[test]
fn a_hammered_name_is_free_for_its_owner_elsewhere() {
    let mut schedule = Schedule::new(Limits { at_once: 4, ..LIMITS });
    for _ in 0..50 {
        join(&mut schedule, HOSTILE, 7, "hammered");
    }
    let running = schedule.next().unwrap();
    join(&mut schedule, HONEST, 7, "owner");
    // Attempts at one name run one after the other, so that they are counted in order.
    assert_eq!(schedule.next(), None);
    join(&mut schedule, HONEST, 8, "other");
    assert_eq!(schedule.next().unwrap().waiter, "other");
    schedule.finish(running.caller, running.name);
    let next = [served(&mut schedule), served(&mut schedule)];
    assert!(next.contains(&Some("owner")), "{next:?}");
}

#[test]
fn a_caller_has_a_bounded_number_of_places_and_all_have_too() {
    let mut schedule = Schedule::new(Limits { at_once: 1, per_caller: 2, total: 3 });
    join(&mut schedule, HOSTILE, 1, "one");
    join(&mut schedule, HOSTILE, 2, "two");
    assert_eq!(schedule.enter((HOSTILE, CallerKind::Unknown), 3), Err(QueueFull::Caller));
    join(&mut schedule, HONEST, 4, "three");
    // No caller has clearly more places than the new one.
    assert_eq!(schedule.enter((HONEST, CallerKind::Unknown), 5), Err(QueueFull::All));
    assert_eq!(served(&mut schedule), Some("one"));
    join(&mut schedule, HONEST, 5, "four");
}

#[test]
fn a_full_queue_makes_room_for_who_has_fewer_places() {
    let mut schedule = Schedule::new(Limits { at_once: 1, per_caller: 3, total: 4 });
    for caller in [10, 11] {
        join(&mut schedule, caller, 1, "first");
        join(&mut schedule, caller, 2, "last");
    }
    assert_eq!(schedule.enter((HONEST, CallerKind::Unknown), 3), Ok(Some("last")));
    schedule.wait(HONEST, 3, "honest");
    assert_eq!(schedule.places(), 4);
    let order: Vec<_> = std::iter::from_fn(|| served(&mut schedule)).collect();
    assert_eq!(order.len(), 4);
    assert!(order[..3].contains(&"honest"), "{order:?}");
    assert_eq!((schedule.places(), schedule.lanes.len(), callers_in(&schedule)), (0, 0, 0));
}

#[test]
fn behind_one_address_a_full_lane_makes_room_for_another_name() {
    let mut schedule = Schedule::new(Limits { at_once: 1, per_caller: 3, total: 9 });
    join(&mut schedule, HOSTILE, 7, "first");
    join(&mut schedule, HOSTILE, 7, "second");
    join(&mut schedule, HOSTILE, 7, "third");
    assert_eq!(schedule.enter((HOSTILE, CallerKind::Unknown), 7), Err(QueueFull::Caller));
    assert_eq!(schedule.enter((HOSTILE, CallerKind::Unknown), 8), Ok(Some("third")));
    schedule.wait(HOSTILE, 8, "colleague");
    assert_eq!([served(&mut schedule), served(&mut schedule)], [Some("first"), Some("colleague")]);
}

#[test]
fn who_hangs_up_leaves_nothing_behind() {
    let mut schedule = Schedule::new(LIMITS);
    let tickets: Vec<u64> = (0..20).map(|name| join(&mut schedule, HOSTILE, name, "gone")).collect();
    for (name, ticket) in (0..).zip(tickets) {
        assert_eq!(schedule.cancel(HOSTILE, name, ticket), Some("gone"));
        assert_eq!(schedule.cancel(HOSTILE, name, ticket), None);
    }
    assert_eq!((schedule.places(), served(&mut schedule)), (0, None));
    assert!(schedule.lanes.is_empty() && callers_in(&schedule) == 0 && schedule.busy.is_empty());
}

/// Checks that any order of calls keeps the counts consistent.
#[test]
fn places_add_up_through_any_order_of_calls() {
    let limits = Limits { at_once: 3, per_caller: 5, total: 16 };
    let mut schedule: Schedule<u64> = Schedule::new(limits);
    let (mut state, mut running, mut waiting) = (0x9e37_79b9_7f4a_7c15_u64, Vec::new(), Vec::new());
    for step in 0..20_000_u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (caller, name) = (Key::from(state >> 60), Key::from(state >> 40 & 3));
        match state >> 33 & 3 {
            0 | 1 => {
                if let Ok(evicted) = schedule.enter((caller, CallerKind::Unknown), name) {
                    waiting.retain(|(_, _, label, _)| Some(*label) != evicted);
                    waiting.push((caller, name, step, schedule.wait(caller, name, step)));
                }
            }
            2 => {
                if let Some(granted) = schedule.next() {
                    waiting.retain(|(_, _, label, _)| *label != granted.waiter);
                    running.push(granted);
                } else if let Some(granted) = running.pop() {
                    schedule.finish(granted.caller, granted.name);
                }
            }
            _ => {
                if let Some((caller, name, label, ticket)) = waiting.pop() {
                    assert_eq!(schedule.cancel(caller, name, ticket), Some(label));
                }
            }
        }
        assert_eq!(schedule.places(), running.len() + waiting.len(), "step {step}");
        assert!(schedule.places() <= limits.total && running.len() <= limits.at_once);
        assert!(schedule.lanes.values().all(|lane| lane.places <= limits.per_caller));
    }
}

#[test]
fn who_is_known_has_every_second_turn() {
    let mut schedule = Schedule::new(LIMITS);
    for caller in 10..60 {
        join(&mut schedule, caller, caller, "stranger");
    }
    for name in [1, 2] {
        assert_eq!(schedule.enter((HONEST, CallerKind::Known), name), Ok(None));
        schedule.wait(HONEST, name, "known");
    }
    let served: Vec<_> = (0..5).map(|_| served(&mut schedule).unwrap()).collect();
    assert_eq!(served, ["known", "stranger", "known", "stranger", "stranger"]);
}

#[test]
fn a_known_caller_that_hangs_up_leaves_no_turn_behind() {
    let mut schedule = Schedule::new(LIMITS);
    assert_eq!(schedule.enter((HONEST, CallerKind::Known), 1), Ok(None));
    let ticket = schedule.wait(HONEST, 1, "known");
    join(&mut schedule, HOSTILE, 2, "stranger");
    assert_eq!(schedule.cancel(HONEST, 1, ticket), Some("known"));
    assert_eq!(served(&mut schedule), Some("stranger"));
    assert_eq!((served(&mut schedule), schedule.places()), (None, 0));
}
