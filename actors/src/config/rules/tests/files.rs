use super::case::{Case, case};

const WHITESPACE: &str = "model.config.is_valid.directory_whitespace.app_error";
const DECODERS: &str = "model.config.is_valid.image_decoder_concurrency.app_error";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("/FileSettings/MaxFileSize", 0, 1, "model.config.is_valid.max_file_size.app_error"),
        case("/FileSettings/DriverName", "ftp", "amazons3", "model.config.is_valid.file_driver.app_error"),
        case(
            "/FileSettings/PublicLinkSalt",
            "x".repeat(31),
            "x".repeat(32),
            "model.config.is_valid.file_salt.app_error",
        ),
        case("/FileSettings/Directory", "", "d", "model.config.is_valid.directory.app_error"),
        case("/FileSettings/Directory", " ./data/", "./da ta/", WHITESPACE).setting_and_value(),
        case("/FileSettings/Directory", "./data /", "./data//", WHITESPACE).setting_and_value(),
        case("/FileSettings/Directory", "\u{a0}/data/", "/\u{a0}data/", WHITESPACE).setting_and_value(),
        case("/FileSettings/Directory", "/data\u{3000}", "/data", WHITESPACE).setting_and_value(),
        case("/FileSettings/MaxImageDecoderConcurrency", -2, -1, DECODERS).param("Value", &-2),
        case("/FileSettings/MaxImageDecoderConcurrency", 0, 1, DECODERS).param("Value", &0),
        case(
            "/FileSettings/AmazonS3RequestTimeoutMilliseconds",
            0,
            1,
            "model.config.is_valid.amazons3_timeout.app_error",
        )
        .param("Value", &0),
    ];
    cases.extend(azure());
    cases.extend([
        case("/FileSettings/AmazonS3StorageClass", "COLD", "SNOW", "model.config.is_valid.storage_class.app_error")
            .param("Value", "COLD"),
        case("/FileSettings/AmazonS3PathPrefix", "a ", "a", WHITESPACE).setting_and_value(),
        case("/FileSettings/AzurePathPrefix", "\ta", "a", WHITESPACE).setting_and_value(),
        case("/FileSettings/AzurePathPrefix", "a/../b", "a/./b", "model.config.is_valid.directory_traversal.app_error")
            .setting_and_value(),
        case(
            "/FileSettings/ExportAmazonS3StorageClass",
            "standard",
            "STANDARD",
            "model.config.is_valid.storage_class.app_error",
        )
        .param("Value", "standard"),
    ]);
    cases.extend(export_azure());
    cases.extend([
        case("/FileSettings/ExportAmazonS3PathPrefix", "a\n", "a", WHITESPACE).setting_and_value(),
        case("/FileSettings/ExportAzurePathPrefix", " ", "", WHITESPACE).setting_and_value(),
        case("/FileSettings/ExportAzurePathPrefix", "..", ".", "model.config.is_valid.directory_traversal.app_error")
            .setting_and_value(),
        case("/FileSettings/ExportDirectory", "a ", "a", WHITESPACE).setting_and_value(),
    ]);
    cases
}

fn azure() -> Vec<Case> {
    vec![
        case("/FileSettings/AzureRequestTimeoutMilliseconds", 0, 1, "model.config.is_valid.azure_timeout.app_error")
            .param("Value", &0),
        case(
            "/FileSettings/AzureRequestTimeoutMilliseconds",
            600_001,
            600_000,
            "model.config.is_valid.azure_timeout.app_error",
        )
        .param("Value", &600_001),
        case(
            "/FileSettings/AzureAuthMode",
            "none",
            "default_credential",
            "model.config.is_valid.azure_auth_mode.app_error",
        )
        .param("Value", "none"),
        case("/FileSettings/AzureCloud", "private", "", "model.config.is_valid.azure_cloud.app_error")
            .setting_and_value(),
        case(
            "/FileSettings/AzureEndpoint",
            "",
            "https://blob.example",
            "model.config.is_valid.azure_custom_endpoint.app_error",
        )
        .given("/FileSettings/AzureCloud", "custom")
        .given("/FileSettings/DriverName", "azureblob")
        .param("Setting", "FileSettings.AzureEndpoint"),
        case(
            "/FileSettings/AzureStorageAccount",
            "Chat",
            "ch4",
            "model.config.is_valid.azure_storage_account.app_error",
        )
        .given("/FileSettings/DriverName", "azureblob")
        .setting_and_value(),
        case("/FileSettings/AzureStorageAccount", "ab", "abc", "model.config.is_valid.azure_storage_account.app_error")
            .given("/FileSettings/DriverName", "azureblob")
            .setting_and_value(),
        case(
            "/FileSettings/AzureStorageAccount",
            "a".repeat(25),
            "a".repeat(24),
            "model.config.is_valid.azure_storage_account.app_error",
        )
        .given("/FileSettings/DriverName", "azureblob")
        .setting_and_value(),
    ]
}

fn export_azure() -> Vec<Case> {
    vec![
        case(
            "/FileSettings/ExportAzureRequestTimeoutMilliseconds",
            600_001,
            600_000,
            "model.config.is_valid.export_azure_timeout.app_error",
        )
        .param("Value", &600_001),
        case(
            "/FileSettings/ExportAzureAuthMode",
            "none",
            "default_credential",
            "model.config.is_valid.export_azure_auth_mode.app_error",
        )
        .param("Value", "none"),
        case("/FileSettings/ExportAzureCloud", "private", "government", "model.config.is_valid.azure_cloud.app_error")
            .setting_and_value(),
        case(
            "/FileSettings/ExportAzureEndpoint",
            "",
            "https://blob.example",
            "model.config.is_valid.azure_custom_endpoint.app_error",
        )
        .given("/FileSettings/ExportAzureCloud", "custom")
        .param("Setting", "FileSettings.ExportAzureEndpoint"),
        case(
            "/FileSettings/ExportAzureStorageAccount",
            "",
            "chat",
            "model.config.is_valid.azure_storage_account.app_error",
        )
        .given("/FileSettings/ExportDriverName", "azureblob")
        .setting_and_value(),
    ]
}
