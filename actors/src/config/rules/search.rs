//! Rules on the search engine (88 to 100 of the contract).

use super::demand::{at_least, given, off, on, one_of, related, text};
use super::rule::Fill::{Just, ValueOf};
use super::rule::{Rule, when};
use super::texts::{has_no_entry_with_dash, is_hour_and_minute};

pub(super) const RULES: &[Rule] = &[
    when(
        on("/ElasticsearchSettings/EnableIndexing"),
        &[given("/ElasticsearchSettings/ConnectionURL")
            .or("model.config.is_valid.elastic_search.connection_url.app_error")],
    ),
    when(
        off("/ElasticsearchSettings/EnableIndexing"),
        &[off("/ElasticsearchSettings/EnableSearching").or_with(
            "model.config.is_valid.elastic_search.enable_searching.app_error",
            &[
                ("Searching", Just("ElasticsearchSettings.EnableSearching")),
                ("EnableIndexing", Just("ElasticsearchSettings.EnableIndexing")),
            ],
        )],
    ),
    when(
        off("/ElasticsearchSettings/EnableSearching"),
        &[off("/ElasticsearchSettings/EnableCJKAnalyzers").or_with(
            "model.config.is_valid.elastic_search.enable_cjk_analyzers.app_error",
            &[
                ("EnableCJKAnalyzers", Just("ElasticsearchSettings.EnableCJKAnalyzers")),
                ("Searching", Just("ElasticsearchSettings.EnableSearching")),
            ],
        )],
    ),
    when(
        off("/ElasticsearchSettings/EnableIndexing"),
        &[off("/ElasticsearchSettings/EnableAutocomplete").or_with(
            "model.config.is_valid.elastic_search.enable_autocomplete.app_error",
            &[
                ("Autocomplete", Just("ElasticsearchSettings.EnableAutocomplete")),
                ("EnableIndexing", Just("ElasticsearchSettings.EnableIndexing")),
            ],
        )],
    ),
    at_least("/ElasticsearchSettings/AggregatePostsAfterDays", 1)
        .or("model.config.is_valid.elastic_search.aggregate_posts_after_days.app_error"),
    text("/ElasticsearchSettings/PostsAggregatorJobStartTime", is_hour_and_minute)
        .or("model.config.is_valid.elastic_search.posts_aggregator_job_start_time.app_error"),
    at_least("/ElasticsearchSettings/LiveIndexingBatchSize", 1)
        .or("model.config.is_valid.elastic_search.live_indexing_batch_size.app_error"),
    at_least("/ElasticsearchSettings/BatchSize", 1).or_with(
        "model.config.is_valid.elastic_search.bulk_indexing_batch_size.app_error",
        &[("BatchSize", Just("1"))],
    ),
    at_least("/ElasticsearchSettings/RequestTimeoutSeconds", 1)
        .or("model.config.is_valid.elastic_search.request_timeout_seconds.app_error"),
    text("/ElasticsearchSettings/IgnoredPurgeIndexes", has_no_entry_with_dash)
        .or("model.config.is_valid.elastic_search.ignored_indexes_dash_prefix.app_error"),
    one_of("/ElasticsearchSettings/Backend", &["elasticsearch", "opensearch"])
        .or("model.config.is_valid.elastic_search.invalid_backend.app_error"),
    when(
        given("/ElasticsearchSettings/GlobalSearchPrefix"),
        &[given("/ElasticsearchSettings/IndexPrefix")
            .or("model.config.is_valid.elastic_search.empty_index_prefix.app_error")],
    ),
    when(
        given("/ElasticsearchSettings/IndexPrefix"),
        &[related(
            "/ElasticsearchSettings/IndexPrefix",
            |index, global| index.starts_with(global),
            "/ElasticsearchSettings/GlobalSearchPrefix",
        )
        .or_with(
            "model.config.is_valid.elastic_search.incorrect_search_prefix.app_error",
            &[
                ("IndexPrefix", ValueOf("/ElasticsearchSettings/IndexPrefix")),
                ("GlobalSearchPrefix", ValueOf("/ElasticsearchSettings/GlobalSearchPrefix")),
            ],
        )],
    ),
];
