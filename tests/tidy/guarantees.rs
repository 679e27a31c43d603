//! Each row of the tables of promises in `docs/cluster.md` names tests that prove it.

use std::path::Path;

/// The path of a file with tests below `tests/`, and the name of a test in it.
type Test = (&'static str, &'static str);

const RIGHTS: &str = "faults/nodes/rights.rs";
const RUNS: &str = "faults/cluster_runs.rs";
const SEVERAL: &str = "contract/config/several_servers.rs";

/// The beginning of each row of "Guarantees" and its tests.
const GUARANTEES: [(&str, &[Test]); 11] = [
    (
        "sessions end",
        &[
            (RIGHTS, "a_session_that_ends_on_one_node_ends_on_the_other_with_its_sockets"),
            (RIGHTS, "an_access_token_that_is_revoked_on_one_node_is_refused_by_the_other"),
            ("faults/nodes/unheard.rs", "a_server_that_hears_nothing_refuses_an_ended_session_within_two_seconds"),
            ("faults/nodes/unheard.rs", "a_server_without_the_database_accepts_no_ended_session"),
        ],
    ),
    (
        "roles, memberships",
        &[
            (RIGHTS, "a_role_that_is_taken_on_one_node_gives_no_rights_on_the_other"),
            (RIGHTS, "memberships_and_their_roles_are_the_same_on_both"),
            ("faults/nodes/events.rs", "members_on_the_other_node_get_the_events_of_a_team_until_they_leave"),
        ],
    ),
    ("permissions of a role", &[(RIGHTS, "permissions_of_a_role_are_the_same_on_both")]),
    (
        "a version of the configuration",
        &[
            (RIGHTS, "a_change_of_the_configuration_is_in_force_on_both"),
            (SEVERAL, "a_change_on_condition_is_decided_on_the_version_of_another_server"),
        ],
    ),
    ("`POST caches/invalidate`", &[(RIGHTS, "caches_are_invalidated_on_both")]),
    ("a session is given a version", &[(SEVERAL, "a_document_that_one_server_gave_is_the_base_on_the_others")]),
    (
        "licence, busy flag",
        &[
            (RIGHTS, "a_licence_is_installed_and_removed_on_both"),
            (RIGHTS, "the_busy_flag_is_the_same_on_both"),
            ("faults/busy_servers.rs", "the_time_that_is_left_is_the_same_for_a_server_whose_clock_is_a_minute_off"),
        ],
    ),
    (
        "the last socket of a user",
        &[
            ("faults/presence_servers.rs", "a_stop_leaves_those_online_who_are_on_another_server"),
            (
                "faults/presence_servers.rs",
                "the_users_of_a_killed_server_become_offline_unless_they_are_on_another_one",
            ),
        ],
    ),
    (
        "a user has many sockets",
        &[("faults/nodes/limits.rs", "three_servers_admit_the_sockets_of_a_user_up_to_the_limit_and_an_eighth")],
    ),
    (
        "a request or a login",
        &[
            ("faults/nodes/limits.rs", "requests_at_one_node_count_in_the_rate_limit_of_the_other"),
            ("faults/nodes/limits.rs", "three_servers_admit_one_burst_each_and_then_the_rate_and_an_eighth"),
            (
                "faults/nodes/limits.rs",
                "three_servers_admit_one_burst_of_logins_each_and_then_their_rate_and_an_eighth",
            ),
        ],
    ),
    ("an event for WebSocket clients", &[("faults/nodes/events.rs", "events_of_both_nodes_come_in_one_order")]),
];

/// The beginning of each row of "Under faults" and its tests.
const FAULTS: [(&str, &[Test]); 11] = [
    ("a server is killed", &[(RUNS, "a_killed_server_loses_nothing")]),
    ("a server stands still for 4 s", &[(RUNS, "a_server_that_stands_still_loses_nothing")]),
    ("it stands still for 14 s", &[(RUNS, "a_server_that_stands_still_loses_nothing")]),
    ("a server gets a tenth", &[(RUNS, "a_slow_server_loses_nothing")]),
    (
        "PostgreSQL restarts, or its connections are cut",
        &[
            (RUNS, "a_restarted_database_loses_nothing"),
            (RUNS, "connections_to_the_database_that_are_cut_lose_nothing"),
        ],
    ),
    ("PostgreSQL stands still for 6 s", &[(RUNS, "a_database_that_stands_still_loses_nothing")]),
    ("it stands still for 14 s", &[(RUNS, "a_database_that_stands_still_for_long_loses_nothing")]),
    ("one server loses PostgreSQL", &[(RUNS, "a_server_without_its_database_loses_nothing")]),
    ("all servers lose PostgreSQL", &[(RUNS, "all_servers_at_once_without_a_database_lose_nothing")]),
    ("clocks are a minute apart", &[(RUNS, "servers_with_clocks_a_minute_apart_lose_nothing")]),
    ("all servers restart", &[(RUNS, "servers_that_restart_one_after_the_other_lose_nothing")]),
];

/// Returns the first cells of the rows of the table below a heading.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let section = document.split_once(&format!("\n{heading}\n")).unwrap().1;
    let table = section.lines().skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|row| row.trim_start_matches("| ").split(" | ").next().unwrap()).collect()
}

#[test]
fn each_row_of_a_table_of_promises_has_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/cluster.md")).unwrap();
    for (heading, known) in [("## Guarantees", &GUARANTEES), ("### Under faults", &FAULTS)] {
        let rows = rows(&document, heading);
        assert_eq!(rows.len(), known.len(), "{heading}: {rows:#?}");
        for (row, (beginning, tests)) in rows.iter().zip(known) {
            assert!(row.starts_with(beginning), "{heading}: \"{row}\" is not \"{beginning}\"");
            for (file, name) in *tests {
                let text = std::fs::read_to_string(root.join("tests").join(file)).unwrap();
                assert!(text.contains(&format!("\nasync fn {name}() {{")), "{row}: {file} has no test {name}");
            }
        }
    }
}
