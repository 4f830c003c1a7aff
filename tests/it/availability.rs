//! Each row of the page on outages is told by tests that exist. Those that have no better place are here.

mod names;

use tests::repository;

/// What is broken, as the page says it, and the tests that tell it.
const ROWS: [(&str, &[&str]); 21] = [
    (
        "the API server",
        &[
            "a_cluster_from_helm_install_to_an_outage_and_back",
            "replicas_start_and_serve_without_the_api_server_and_catch_up",
        ],
    ),
    (
        "the operator",
        &[
            "a_cluster_from_helm_install_to_an_outage_and_back",
            "f01_f02_an_operator_that_dies_at_any_write_leaves_what_it_would_have_left",
        ],
    ),
    (
        "no resources are seen, as their definitions are gone",
        &[
            "f21_kinds_that_are_removed_and_installed_again_empty_nothing",
            "an_empty_folder_changes_nothing",
        ],
    ),
    (
        "a resource",
        &[
            "a_broken_policy_changes_nothing_but_itself",
            "f42_what_an_older_definition_let_in_is_marked_and_its_hosts_stay_closed",
        ],
    ),
    (
        "the database is away",
        &[
            "whatever_is_taken_away_every_answer_is_one_that_was_promised",
            "while_the_database_is_down_who_is_known_is_let_in_and_nobody_signs_in_or_out",
            "a_database_that_says_nothing_holds_nobody_up_for_long",
            "a_database_without_a_connection_left_is_one_that_is_away",
            "another_server_takes_over_with_all_that_was_acknowledged",
            "of_a_server_that_does_not_answer_one_asks_each_second",
            "people_do_not_count_while_it_is_not_known_what_was_revoked_where_the_policy_says_so",
        ],
    ),
    (
        "the database takes no writes, or its disk is full",
        &[
            "a_database_that_takes_no_writes_is_told_from_one_that_does",
            "while_the_databases_disk_is_full_nothing_is_said_to_be_written_that_is_not",
        ],
    ),
    (
        "Redis is away",
        &[
            "while_redis_is_down_each_replica_counts_by_itself_and_revocations_hold",
            "a_redis_that_takes_nothing_is_one_that_is_away",
        ],
    ),
    ("Redis is slow", &["a_redis_that_is_silent_or_slow_holds_nobody_up"]),
    (
        "Redis was emptied, another took over, or it lies",
        &[
            "a_redis_that_was_emptied_forgets_no_revocation_and_no_replica_its_limits",
            "another_master_is_used_once_sentinels_have_made_one",
            "a_server_that_lies_is_not_used_and_lets_nobody_in",
        ],
    ),
    (
        "a provider of sign-ins",
        &[
            "a_provider_that_is_away_stops_its_own_sign_ins_alone",
            "b22_only_a_provider_that_says_no_ends_a_session",
        ],
    ),
    (
        "a provider's keys cannot be had",
        &["the_last_good_one_counts_for_a_day_and_no_longer"],
    ),
    (
        "a directory",
        &[
            "a_directory_that_hangs_costs_only_its_own_sign_ins",
            "a_directory_that_is_away_ends_no_session",
        ],
    ),
    (
        "a clock, by up to a minute",
        &["a27_a29_a30_a32_a39_acceptance_48_49_claims_are_all_checked"],
    ),
    (
        "a clock, by more",
        &[
            "a_clock_that_is_an_hour_off_revokes_nothing_and_lets_nothing_back_in",
            "e20_expired_stays_expired_wherever_the_clock_goes",
        ],
    ),
    (
        "the disk of a replica is full",
        &[
            "l04_a_disk_that_cannot_be_written_stops_writes_alone",
            "l04_where_audit_lines_are_required_nobody_is_let_in_without_and_none_is_lost",
        ],
    ),
    (
        "a TLS certificate that ends",
        &[
            "d27_l10_a_proxy_shows_its_certificate_and_all_of_them_are_replaced_while_it_runs",
            "a_replaced_certificate_is_used_at_once_and_the_old_one_no_more",
        ],
    ),
    (
        "a signing key that leaked",
        &[
            "a40_a_key_that_leaked_is_refused_at_once_and_for_good",
            "keys_are_published_ahead_and_outlive_their_tokens",
        ],
    ),
    (
        "a replica",
        &[
            "whatever_is_taken_away_every_answer_is_one_that_was_promised",
            "replicas_come_go_and_are_replaced_without_an_unexpected_answer",
            "no_crash_of_database_or_replica_loses_what_was_acknowledged",
        ],
    ),
    (
        "too many sign-ins at once",
        &["f17_a_thousand_sign_ins_at_once_are_queued_or_told_to_come_back"],
    ),
    (
        "names cannot be resolved",
        &["where_names_cannot_be_resolved_who_is_known_is_let_in"],
    ),
    (
        "a node",
        &[
            "a_budget_is_for_more_than_one_replica",
            "every_replica_is_up_before_one_goes",
        ],
    ),
];

/// The first column of the page's table.
fn broken(page: &str) -> Vec<&str> {
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.skip(1).collect()
}

#[test]
fn each_row_of_the_page_is_told_by_tests_that_exist() {
    let page = std::fs::read_to_string(repository().join("docs/availability.md")).expect("there is the page");
    let named: Vec<&str> = ROWS.iter().map(|(broken, _)| *broken).collect();
    assert_eq!(broken(&page), named);
    let sources = crate::architecture::sources();
    for (broken, tests) in ROWS {
        for test in tests {
            let function = format!("fn {test}(");
            let exists = sources.iter().any(|(_, text)| text.contains(&function));
            assert!(exists, "{broken}: there is no test `{test}`");
        }
    }
}
