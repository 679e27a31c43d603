use serde_json::json;

use super::case::{Case, case};

const TARGETS: &str = "model.config.is_valid.log.advanced_logging.json";
const TARGET: &str = "model.config.is_valid.log.advanced_logging.parse";

/// Returns the cases for search, retention and logs.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = search();
    cases.extend(retention());
    cases.extend(logs());
    cases
}

fn search() -> Vec<Case> {
    let searching = "ElasticsearchSettings.EnableSearching";
    let indexing = "ElasticsearchSettings.EnableIndexing";
    vec![
        case(
            "/ElasticsearchSettings/ConnectionURL",
            "",
            "x",
            "model.config.is_valid.elastic_search.connection_url.app_error",
        )
        .given("/ElasticsearchSettings/EnableIndexing", true),
        case(
            "/ElasticsearchSettings/EnableSearching",
            true,
            false,
            "model.config.is_valid.elastic_search.enable_searching.app_error",
        )
        .param("Searching", searching)
        .param("EnableIndexing", indexing),
        case(
            "/ElasticsearchSettings/EnableCJKAnalyzers",
            true,
            false,
            "model.config.is_valid.elastic_search.enable_cjk_analyzers.app_error",
        )
        .param("EnableCJKAnalyzers", "ElasticsearchSettings.EnableCJKAnalyzers")
        .param("Searching", searching),
        case(
            "/ElasticsearchSettings/EnableAutocomplete",
            true,
            false,
            "model.config.is_valid.elastic_search.enable_autocomplete.app_error",
        )
        .param("Autocomplete", "ElasticsearchSettings.EnableAutocomplete")
        .param("EnableIndexing", indexing),
        case(
            "/ElasticsearchSettings/AggregatePostsAfterDays",
            0,
            1,
            "model.config.is_valid.elastic_search.aggregate_posts_after_days.app_error",
        ),
        case(
            "/ElasticsearchSettings/PostsAggregatorJobStartTime",
            "03:4",
            "3:04",
            "model.config.is_valid.elastic_search.posts_aggregator_job_start_time.app_error",
        ),
        case(
            "/ElasticsearchSettings/LiveIndexingBatchSize",
            0,
            1,
            "model.config.is_valid.elastic_search.live_indexing_batch_size.app_error",
        ),
        case(
            "/ElasticsearchSettings/BatchSize",
            0,
            1,
            "model.config.is_valid.elastic_search.bulk_indexing_batch_size.app_error",
        )
        .param("BatchSize", &1),
        case(
            "/ElasticsearchSettings/RequestTimeoutSeconds",
            0,
            1,
            "model.config.is_valid.elastic_search.request_timeout_seconds.app_error",
        ),
        case(
            "/ElasticsearchSettings/IgnoredPurgeIndexes",
            "a,-b",
            "a,b-",
            "model.config.is_valid.elastic_search.ignored_indexes_dash_prefix.app_error",
        ),
        case(
            "/ElasticsearchSettings/Backend",
            "solr",
            "opensearch",
            "model.config.is_valid.elastic_search.invalid_backend.app_error",
        ),
        case(
            "/ElasticsearchSettings/IndexPrefix",
            "",
            "all_",
            "model.config.is_valid.elastic_search.empty_index_prefix.app_error",
        )
        .given("/ElasticsearchSettings/GlobalSearchPrefix", "all_"),
        case(
            "/ElasticsearchSettings/IndexPrefix",
            "own_",
            "all_own_",
            "model.config.is_valid.elastic_search.incorrect_search_prefix.app_error",
        )
        .given("/ElasticsearchSettings/GlobalSearchPrefix", "all_")
        .param("IndexPrefix", "own_")
        .param("GlobalSearchPrefix", "all_"),
    ]
}

fn retention() -> Vec<Case> {
    let message_days = "/DataRetentionSettings/MessageRetentionDays";
    let message_hours = "/DataRetentionSettings/MessageRetentionHours";
    let file_days = "/DataRetentionSettings/FileRetentionDays";
    let file_hours = "/DataRetentionSettings/FileRetentionHours";
    vec![
        case(message_days, -1, 0, "model.config.is_valid.data_retention.message_retention_days_too_low.app_error")
            .given(message_hours, 1),
        case(message_hours, -1, 0, "model.config.is_valid.data_retention.message_retention_hours_too_low.app_error"),
        case(file_days, -1, 0, "model.config.is_valid.data_retention.file_retention_days_too_low.app_error")
            .given(file_hours, 1),
        case(file_hours, -1, 0, "model.config.is_valid.data_retention.file_retention_hours_too_low.app_error"),
        case(message_hours, 1, 0, "model.config.is_valid.data_retention.message_retention_misconfiguration.app_error")
            .given(message_days, 1),
        case(file_hours, 1, 0, "model.config.is_valid.data_retention.file_retention_misconfiguration.app_error")
            .given(file_days, 1),
        case(message_hours, 0, 1, "model.config.is_valid.data_retention.message_retention_both_zero.app_error")
            .given(message_days, 0),
        case(file_hours, 0, 1, "model.config.is_valid.data_retention.file_retention_both_zero.app_error")
            .given(file_days, 0),
        case(
            "/DataRetentionSettings/DeletionJobStartTime",
            "24:00",
            "23:59",
            "model.config.is_valid.data_retention.deletion_job_start_time.app_error",
        ),
    ]
}

fn logs() -> Vec<Case> {
    let level = |id: i64| json!({"x": {"type": "console", "levels": [{"id": id}]}});
    vec![
        case("/LogSettings/ConsoleLevel", "loud", "Debug", "model.config.is_valid.log.level.app_error"),
        case("/LogSettings/FileLevel", "", "PANIC", "model.config.is_valid.log.level.app_error"),
        case("/LogSettings/AdvancedLoggingJSON", json!([1]), json!([]), TARGETS)
            .param("Error", "invalid type: sequence, expected a map"),
        case("/LogSettings/AdvancedLoggingJSON", level(101), level(5), TARGET)
            .param("Error", "x: the level 101 is not allowed here"),
        case(
            "/ExperimentalAuditSettings/FileName",
            "",
            "audit.log",
            "model.config.is_valid.experimental_audit_settings.file_name_empty",
        )
        .given("/ExperimentalAuditSettings/FileEnabled", true),
        case(
            "/ExperimentalAuditSettings/FileName",
            "logs\\",
            "logs",
            "model.config.is_valid.experimental_audit_settings.file_name_is_directory",
        )
        .given("/ExperimentalAuditSettings/FileEnabled", true),
        case("/ExperimentalAuditSettings/AdvancedLoggingJSON", json!("audit.json"), json!(""), TARGETS)
            .param("Error", "invalid type: string \"audit.json\", expected a map"),
        case("/ExperimentalAuditSettings/AdvancedLoggingJSON", level(5), level(101), TARGET)
            .param("Error", "x: the level 5 is not allowed here"),
    ]
}
