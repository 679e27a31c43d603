//! Rules on the storage of files: the local folder, S3 and Azure (27 to 37 of the contract, with the Azure rules).

use super::demand::{at_least, blank_or, given, is, one_of, other_than, text, unlike, within};
use super::rule::Fill::{Found, Setting};
use super::rule::{AtLoad, Params, Rule, when};
use super::texts::{has_at_least_32_bytes, has_no_parent_step, is_azure_account, is_trimmed};

const VALUE: Params = &[("Value", Found)];
const SETTING: Params = &[("Setting", Setting)];
const SETTING_AND_VALUE: Params = &[("Setting", Setting), ("Value", Found)];

const STORAGE_CLASSES: &[&str] = &[
    "",
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
];
/// The kinds of store.
pub(super) const DRIVERS: &[&str] = &["local", "amazons3", "azureblob"];
const AZURE_CLOUDS: &[&str] = &["commercial", "government", "custom", ""];
const AZURE_AUTH_MODES: &[&str] = &["shared_key", "default_credential"];
const MAX_AZURE_TIMEOUT_MS: i64 = 600_000;

pub(super) const STORAGE: &[Rule] = &[
    at_least("/FileSettings/MaxFileSize", 1).or("model.config.is_valid.max_file_size.app_error"),
    one_of("/FileSettings/DriverName", DRIVERS).or("model.config.is_valid.file_driver.app_error"),
    blank_or("/FileSettings/PublicLinkSalt", has_at_least_32_bytes).or("model.config.is_valid.file_salt.app_error"),
    given("/FileSettings/Directory").or("model.config.is_valid.directory.app_error"),
    text("/FileSettings/Directory", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
    at_least("/FileSettings/MaxImageDecoderConcurrency", -1)
        .or_with("model.config.is_valid.image_decoder_concurrency.app_error", VALUE),
    other_than("/FileSettings/MaxImageDecoderConcurrency", 0)
        .or_with("model.config.is_valid.image_decoder_concurrency.app_error", VALUE),
    at_least("/FileSettings/AmazonS3RequestTimeoutMilliseconds", 1)
        .or_with("model.config.is_valid.amazons3_timeout.app_error", VALUE),
    within("/FileSettings/AzureRequestTimeoutMilliseconds", 1, MAX_AZURE_TIMEOUT_MS)
        .or_with("model.config.is_valid.azure_timeout.app_error", VALUE),
    one_of("/FileSettings/AzureAuthMode", AZURE_AUTH_MODES)
        .or_with("model.config.is_valid.azure_auth_mode.app_error", VALUE),
    one_of("/FileSettings/AzureCloud", AZURE_CLOUDS)
        .or_with("model.config.is_valid.azure_cloud.app_error", SETTING_AND_VALUE),
    when(
        is("/FileSettings/AzureCloud", "custom"),
        &[given("/FileSettings/AzureEndpoint")
            .or_with("model.config.is_valid.azure_custom_endpoint.app_error", SETTING)],
    ),
    when(
        is("/FileSettings/DriverName", "azureblob"),
        &[when(
            unlike("/FileSettings/AzureCloud", "custom"),
            &[text("/FileSettings/AzureStorageAccount", is_azure_account)
                .or_with("model.config.is_valid.azure_storage_account.app_error", SETTING_AND_VALUE)],
        )],
    ),
    one_of("/FileSettings/AmazonS3StorageClass", STORAGE_CLASSES)
        .or_with("model.config.is_valid.storage_class.app_error", VALUE),
    text("/FileSettings/AmazonS3PathPrefix", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
    text("/FileSettings/AzurePathPrefix", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
    text("/FileSettings/AzurePathPrefix", has_no_parent_step)
        .or_with("model.config.is_valid.directory_traversal.app_error", SETTING_AND_VALUE),
    one_of("/FileSettings/ExportAmazonS3StorageClass", STORAGE_CLASSES)
        .or_with("model.config.is_valid.storage_class.app_error", VALUE),
    within("/FileSettings/ExportAzureRequestTimeoutMilliseconds", 1, MAX_AZURE_TIMEOUT_MS)
        .or_with("model.config.is_valid.export_azure_timeout.app_error", VALUE),
    one_of("/FileSettings/ExportAzureAuthMode", AZURE_AUTH_MODES)
        .or_with("model.config.is_valid.export_azure_auth_mode.app_error", VALUE),
    one_of("/FileSettings/ExportAzureCloud", AZURE_CLOUDS)
        .or_with("model.config.is_valid.azure_cloud.app_error", SETTING_AND_VALUE),
    when(
        is("/FileSettings/ExportAzureCloud", "custom"),
        &[given("/FileSettings/ExportAzureEndpoint")
            .or_with("model.config.is_valid.azure_custom_endpoint.app_error", SETTING)],
    ),
    when(
        is("/FileSettings/ExportDriverName", "azureblob"),
        &[when(
            unlike("/FileSettings/ExportAzureCloud", "custom"),
            &[text("/FileSettings/ExportAzureStorageAccount", is_azure_account)
                .or_with("model.config.is_valid.azure_storage_account.app_error", SETTING_AND_VALUE)],
        )],
    ),
    text("/FileSettings/ExportAmazonS3PathPrefix", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
    text("/FileSettings/ExportAzurePathPrefix", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
    text("/FileSettings/ExportAzurePathPrefix", has_no_parent_step)
        .or_with("model.config.is_valid.directory_traversal.app_error", SETTING_AND_VALUE),
    text("/FileSettings/ExportDirectory", is_trimmed)
        .or_with("model.config.is_valid.directory_whitespace.app_error", SETTING_AND_VALUE)
        .at_load(AtLoad::Stays),
];
