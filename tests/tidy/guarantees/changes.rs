//! The tests of the rows about changes, resumption and versions.

use super::OnRedis::{NoPart, Tested};
use super::{RESUME, RIGHTS, RUNS, Row};

const PRESENCE: &str = "tests/faults/presence_servers.rs";
const LIMITS: &str = "tests/faults/nodes/limits.rs";
const UNHEARD: &str = "tests/faults/nodes/unheard.rs";
const REPLAY: &str = "actors/src/sockets/replay/tests.rs";
const SEVERAL: &str = "tests/contract/config/several_servers.rs";
const SOCKETS: &str = "actors/src/sockets/tests.rs";

const MEMBERSHIP: &str = "tests/faults/nodes/membership.rs";

/// The test with a node, a message and a question of a later version.
const LATER: (&str, &str) =
    (MEMBERSHIP, "a_server_of_another_version_is_listed_and_a_question_that_it_puts_in_vain_is_answered");

/// The test of most cases in which a client gets a new greeting.
const UNCERTAIN: (&str, &str) = (RESUME, "a_client_gets_a_new_greeting_where_its_events_are_uncertain");

pub(super) const GUARANTEES: [Row; 11] = [
    (
        "sessions end",
        &[
            (RIGHTS, "a_session_that_ends_on_one_node_ends_on_the_other_with_its_sockets"),
            (RIGHTS, "an_access_token_that_is_revoked_on_one_node_is_refused_by_the_other"),
            (UNHEARD, "a_server_that_hears_nothing_refuses_an_ended_session_within_two_seconds"),
            (UNHEARD, "a_server_without_the_database_accepts_no_ended_session"),
        ],
        Tested,
    ),
    (
        "roles, memberships",
        &[
            (RIGHTS, "a_role_that_is_taken_on_one_node_gives_no_rights_on_the_other"),
            (RIGHTS, "memberships_and_their_roles_are_the_same_on_both"),
            ("tests/faults/nodes/events.rs", "members_on_the_other_node_get_the_events_of_a_team_until_they_leave"),
        ],
        Tested,
    ),
    (
        "permissions of a role",
        &[
            (RIGHTS, "permissions_of_a_role_are_the_same_on_both"),
            (UNHEARD, "a_server_that_hears_nothing_grants_no_permission_that_a_role_lost"),
        ],
        Tested,
    ),
    (
        "a version of the configuration",
        &[
            (RIGHTS, "a_change_of_the_configuration_is_in_force_on_both"),
            (UNHEARD, "a_server_that_hears_nothing_shows_the_active_configuration"),
            (SEVERAL, "a_change_on_condition_is_decided_on_the_version_of_another_server"),
        ],
        Tested,
    ),
    ("`POST caches/invalidate`", &[(RIGHTS, "caches_are_invalidated_on_both")], Tested),
    (
        "a session is given a version",
        &[
            (SEVERAL, "a_document_that_one_server_gave_is_the_base_on_the_others"),
            ("tests/faults/redis.rs", "a_whole_document_is_refused_by_a_server_that_does_not_hear_of_the_others"),
        ],
        Tested,
    ),
    (
        "licence, busy flag",
        &[
            (RIGHTS, "a_licence_is_installed_and_removed_on_both"),
            (RIGHTS, "the_busy_flag_is_the_same_on_both"),
            (
                "tests/faults/busy_servers.rs",
                "the_time_that_is_left_is_the_same_for_a_server_whose_clock_is_a_minute_off",
            ),
        ],
        Tested,
    ),
    (
        "the last socket of a user",
        &[
            (PRESENCE, "a_stop_leaves_those_online_who_are_on_another_server"),
            (PRESENCE, "the_users_of_a_killed_server_become_offline_unless_they_are_on_another_one"),
            (RUNS, "killed_servers_on_redis_lose_nothing"),
        ],
        Tested,
    ),
    (
        "a user has many sockets",
        &[(LIMITS, "three_servers_admit_the_sockets_of_a_user_up_to_the_limit_and_an_eighth")],
        Tested,
    ),
    (
        "a request or a login",
        &[
            (LIMITS, "requests_at_one_node_count_in_the_rate_limit_of_the_other"),
            (LIMITS, "three_servers_admit_one_burst_each_and_then_the_rate_and_an_eighth"),
            (LIMITS, "three_servers_admit_one_burst_of_logins_each_and_then_their_rate_and_an_eighth"),
        ],
        Tested,
    ),
    (
        "an event for WebSocket clients",
        &[("tests/faults/nodes/events.rs", "events_of_both_nodes_come_in_one_order")],
        Tested,
    ),
];

/// The reason why Redis takes no part in the decision about a connection: it looks at messages whose places are known.
const PLACED: &str = "messages have their places and bodies, wherever they were";

pub(super) const RESUMING: [Row; 10] = [
    ("the session is another one", &[UNCERTAIN], Tested),
    ("the server that had it is gone", &[UNCERTAIN], Tested),
    (
        "since the checkpoint",
        &[
            UNCERTAIN,
            (RESUME, "a_client_whose_memberships_changed_after_its_server_was_killed_is_greeted_anew"),
            (REPLAY, "a_change_that_the_other_node_may_have_known_earlier_or_later_makes_it_uncertain"),
        ],
        Tested,
    ),
    (
        "more events than a connection keeps",
        &[(REPLAY, "a_client_that_missed_too_much_gets_nothing_again")],
        NoPart(PLACED),
    ),
    (
        "more than 50,000 messages",
        &[
            ("actors/src/sockets/backlog/tests.rs", "messages_and_their_bytes_have_a_largest_number"),
            ("tests/faults/nodes/busy.rs", "a_quiet_client_goes_on_after_more_messages_than_a_server_reads"),
            ("tests/faults/nodes/busy.rs", "a_quiet_client_goes_on_after_larger_messages_than_a_server_reads"),
        ],
        Tested,
    ),
    (
        "before the checkpoint",
        &[
            (RESUME, "connections_are_stored_again_once_a_change_is_announced"),
            (SOCKETS, "a_connection_is_stored_after_an_announcement_that_was_under_way"),
            ("actors/src/hub/tests/checkpoints.rs", "no_checkpoint_is_made_while_an_announcement_is_under_way"),
        ],
        Tested,
    ),
    (
        "the server has left events out",
        &[(SOCKETS, "a_connection_for_which_events_are_left_out_is_not_in_the_store")],
        NoPart("the server that has the connection decides it"),
    ),
    (
        "PostgreSQL failed over",
        &[
            UNCERTAIN,
            (
                "tests/faults/nodes/socket_rows.rs",
                "a_checkpoint_of_another_history_of_the_database_does_not_stay_as_the_earlier_one",
            ),
        ],
        Tested,
    ),
    (
        "the database does not answer in time",
        &[
            (SOCKETS, "a_client_is_greeted_anew_where_it_may_not_or_cannot_go_on"),
            (
                "actors/src/sockets/backlog/tests.rs",
                "a_bus_that_does_not_answer_is_an_error_and_its_messages_are_found_later",
            ),
        ],
        NoPart("a Redis that does not answer is a bus that does not"),
    ),
    (
        "the connection was on this server and ended",
        &[
            ("actors/src/hub/tests.rs", "a_crash_ends_the_connections_of_that_hub_and_their_clients_start_anew"),
            (SOCKETS, "rows_go_with_their_connections_unless_the_server_stops"),
        ],
        NoPart("the server that has the connection decides it"),
    ),
];

pub(super) const VERSIONS: [Row; 7] = [
    ("a message of a kind", &[LATER], Tested),
    (
        "an event or an answer",
        &[("actors/src/cluster/message.rs", "what_a_later_version_adds_to_a_message_is_left_out")],
        NoPart("an entry has the bodies of rows"),
    ),
    (
        "a question that it does not know",
        &[
            LATER,
            (
                "tests/faults/nodes/restarts.rs",
                "a_silent_server_is_named_and_ends_the_restart_and_an_older_one_is_named_and_skipped",
            ),
        ],
        Tested,
    ),
    (
        "a heartbeat of the other version",
        &[("tests/faults/nodes/versions.rs", "a_newer_server_and_an_older_one_tell_each_other_what_changes"), LATER],
        Tested,
    ),
    (
        "a migration that the newer one applied",
        &[
            ("tests/faults/older_program.rs", "an_older_program_is_refused_with_the_version_that_the_database_needs"),
            (
                "tests/faults/nodes/versions.rs",
                "an_older_server_goes_on_with_tables_that_a_newer_one_has_changed_and_does_not_start_again",
            ),
        ],
        NoPart("the schema is in PostgreSQL"),
    ),
    (
        "a client that comes",
        &[(
            "tests/faults/nodes/versions.rs",
            "a_client_moves_between_an_older_server_and_a_newer_one_with_its_connection",
        )],
        NoPart("both versions read entries of Redis alike"),
    ),
    ("tables and triggers", &[(MEMBERSHIP, "a_start_makes_the_tables_of_the_cluster_in_its_own_form")], Tested),
];
