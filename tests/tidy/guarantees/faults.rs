//! The tests of the rows about faults.

use super::OnRedis::{InLongRuns, Tested};
use super::{RUNS, Row};

/// Runs in which several faults follow each other, on servers with events in Redis.
const KILLED: (&str, &str) = (RUNS, "killed_servers_on_redis_lose_nothing");
const FROZEN_OR_SLOW: (&str, &str) = (RUNS, "servers_on_redis_that_stand_still_or_are_slow_lose_nothing");
const DATABASE_FAILS: (&str, &str) = (RUNS, "servers_on_redis_whose_database_fails_lose_nothing");
const DATABASE_STILL: (&str, &str) = (RUNS, "servers_on_redis_whose_database_stands_still_lose_nothing");
const RESTARTED: (&str, &str) = (RUNS, "servers_on_redis_that_restart_one_after_the_other_lose_nothing");

/// A run in which PostgreSQL fails in several ways.
const AWAY: (&str, &str) = (RUNS, "a_database_that_restarts_or_cannot_be_reached_loses_nothing");
const STILL: (&str, &str) = (RUNS, "a_database_that_stands_still_loses_nothing");

const ENTRIES: &str = "tests/faults/buses/entries.rs";
const FAILURES: &str = "tests/faults/buses/failures.rs";
const IDS: &str = "tests/faults/buses/ids.rs";
const REDIS: &str = "tests/faults/redis.rs";

pub(super) const OF_PARTS: [Row; 11] = [
    ("a server is killed", &[(RUNS, "a_killed_server_loses_nothing"), KILLED], Tested),
    ("a server stands still for 4 s", &[(RUNS, "a_server_that_stands_still_loses_nothing"), FROZEN_OR_SLOW], Tested),
    ("a server stands still for 14 s", &[(RUNS, "a_server_that_stands_still_loses_nothing"), FROZEN_OR_SLOW], Tested),
    ("a server gets a tenth", &[(RUNS, "a_slow_server_loses_nothing"), FROZEN_OR_SLOW], Tested),
    ("PostgreSQL restarts, or its connections are cut", &[AWAY, DATABASE_FAILS], Tested),
    ("PostgreSQL stands still for 6 s", &[STILL, DATABASE_STILL], Tested),
    ("PostgreSQL stands still for 14 s", &[STILL, DATABASE_STILL], Tested),
    ("one server loses PostgreSQL", &[(RUNS, "a_server_without_its_database_loses_nothing"), DATABASE_FAILS], Tested),
    ("all servers lose PostgreSQL", &[AWAY, KILLED], Tested),
    (
        "clocks are a minute apart",
        &[(RUNS, "servers_with_clocks_a_minute_apart_lose_nothing"), KILLED, FROZEN_OR_SLOW, DATABASE_FAILS],
        Tested,
    ),
    ("all servers restart", &[(RUNS, "servers_that_restart_one_after_the_other_lose_nothing"), RESTARTED], InLongRuns),
];

/// The promises that are kept with events in Redis.
pub(super) const PROMISES_ON_REDIS: [Row; 6] = [
    (
        "a change and its message are stored together",
        &[(ENTRIES, "a_batch_that_is_published_in_rows_and_over_redis_at_once_is_published_once")],
        Tested,
    ),
    (
        "an entry that Redis lost",
        &[
            (ENTRIES, "lost_and_changed_entries_are_missed_messages"),
            (REDIS, "an_event_that_redis_lost_ends_the_sockets_of_the_server_that_missed_it"),
        ],
        Tested,
    ),
    (
        "no right from Redis",
        &[
            ("tests/faults/redis/hostile.rs", "a_writer_to_redis_forges_no_event_and_hides_no_change"),
            ("tests/faults/redis/hostile.rs", "entries_of_another_writer_stop_no_server"),
        ],
        Tested,
    ),
    (
        "changes do not wait for Redis",
        &[
            (FAILURES, "messages_that_redis_took_along_are_missed_and_those_behind_them_are_not"),
            (
                "actors/src/cluster/tests.rs",
                "rights_that_changed_behind_a_message_that_cannot_be_read_are_not_used_any_longer",
            ),
        ],
        Tested,
    ),
    (
        "bounded input",
        &[
            (
                "tests/faults/buses/hostile.rs",
                "a_command_that_is_answered_in_another_form_costs_some_time_and_some_bytes",
            ),
            ("src/store/cluster/redis/protocol.rs", "several_answers_have_one_bound"),
        ],
        Tested,
    ),
    ("bounded memory", &[("src/store/cluster/redis/recent.rs", "entries_are_bounded_and_the_oldest_go_first")], Tested),
];

pub(super) const OF_REDIS: [Row; 9] = [
    (
        "Redis ends, stands still",
        &[
            (REDIS, "servers_go_on_without_redis"),
            (FAILURES, "a_slow_redis_is_left_alone_and_delays_little"),
            (FAILURES, "a_redis_that_is_full_gets_nothing_until_it_has_room"),
            (FAILURES, "a_redis_that_evicts_keys_is_not_used"),
            (RUNS, "a_redis_that_stands_still_loses_nothing"),
            ("src/store/cluster/redis/usage.rs", "redis_is_left_alone_twice_as_long_after_each_failure"),
            ("src/store/cluster/redis/usage.rs", "servers_that_failed_together_try_again_at_different_times"),
        ],
        Tested,
    ),
    (
        "an entry has no position after 150 ms",
        &[
            (ENTRIES, "a_batch_waits_for_the_lock_of_the_bus_and_stays_in_redis"),
            (ENTRIES, "a_batch_that_is_published_in_rows_and_over_redis_at_once_is_published_once"),
            (FAILURES, "a_batch_that_the_database_does_not_accept_is_put_into_redis_once"),
        ],
        Tested,
    ),
    (
        "Redis starts again",
        &[
            (REDIS, "redis_that_starts_again_without_its_data_ends_no_socket_that_missed_nothing"),
            (REDIS, "an_event_that_redis_lost_ends_the_sockets_of_the_server_that_missed_it"),
            (RUNS, "a_redis_that_loses_its_data_loses_nothing"),
        ],
        Tested,
    ),
    (
        "one server cannot reach Redis",
        &[
            (REDIS, "a_server_that_is_cut_off_from_redis_misses_what_it_cannot_read_and_goes_on"),
            (RUNS, "a_server_that_is_cut_off_from_redis_loses_nothing"),
        ],
        Tested,
    ),
    (
        "Redis deletes entries",
        &[
            (ENTRIES, "lost_and_changed_entries_are_missed_messages"),
            ("src/store/cluster/redis/usage.rs", "a_loss_counts_more_than_a_failure"),
        ],
        Tested,
    ),
    (
        "the address leads to one Redis and to another",
        &[(FAILURES, "an_address_that_leads_to_one_redis_and_another_is_left_alone")],
        Tested,
    ),
    (
        "another program writes to the stream",
        &[
            (ENTRIES, "an_entry_of_another_program_gets_no_place_and_takes_no_number"),
            (FAILURES, "a_stream_that_another_program_made_unusable_begins_anew"),
            (IDS, "a_stream_with_an_id_far_in_the_future_begins_anew"),
        ],
        Tested,
    ),
    (
        "Redis starts with an earlier clock",
        &[
            (IDS, "a_redis_whose_ids_begin_below_the_known_ones_loses_no_batch"),
            (IDS, "an_id_that_redis_gives_again_loses_no_batch"),
        ],
        Tested,
    ),
    ("PostgreSQL fails", &[DATABASE_FAILS, KILLED], Tested),
];
