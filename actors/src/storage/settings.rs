//! The settings of one store: the file store, or the export store, whose settings have the same names with a prefix.

use serde::{Deserialize, Deserializer};

use crate::config::document::Document;
use crate::config::range::{MAX_MILLIS, clamped};
use crate::secret::Secret;

/// The prefix of every setting of a store, in the table of settings.
pub(super) const SECTION: &str = "FileSettings.";

/// The prefix of the keys of the export store.
const EXPORT: &str = "Export";

/// One of the two stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Store {
    /// The file store.
    #[default]
    Files,
    /// The export store, which exists if `DedicatedExportStore` is on.
    Exports,
}

impl Store {
    /// Returns the name in responses and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Exports => "exports",
        }
    }

    /// Returns the path of a setting of this store. `key` is its key without the prefix of the export store.
    pub(super) fn path(self, key: &str) -> String {
        let prefix = match self {
            Self::Files => "",
            Self::Exports => EXPORT,
        };
        format!("{SECTION}{prefix}{key}")
    }

    /// Returns the paths of the settings that decide the host of this store.
    pub(crate) fn host_settings(self, driver: &str) -> Vec<String> {
        let keys: &[&str] = match driver {
            "amazons3" => &["AmazonS3Endpoint"],
            "azureblob" => &["AzureEndpoint"],
            _ => &[],
        };
        keys.iter().map(|key| self.path(key)).collect()
    }
}

/// All settings of a backend. Equal settings make equal backends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name, without the prefix `Export`")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct StoreSettings {
    pub driver_name: String,
    pub directory: String,
    pub amazon_s3_access_key_id: String,
    pub amazon_s3_secret_access_key: Secret,
    pub amazon_s3_bucket: String,
    pub amazon_s3_path_prefix: String,
    pub amazon_s3_region: String,
    pub amazon_s3_endpoint: String,
    #[serde(rename = "AmazonS3SSL")]
    pub amazon_s3_ssl: bool,
    pub amazon_s3_sign_v2: bool,
    #[serde(rename = "AmazonS3SSE")]
    pub amazon_s3_sse: bool,
    pub amazon_s3_trace: bool,
    #[serde(deserialize_with = "clamped::<0, MAX_MILLIS, _, _>")]
    pub amazon_s3_request_timeout_milliseconds: i64,
    /// Bytes.
    pub amazon_s3_upload_part_size_bytes: i64,
    pub amazon_s3_storage_class: String,
    pub azure_storage_account: String,
    pub azure_auth_mode: String,
    pub azure_access_key: Secret,
    pub azure_container: String,
    pub azure_path_prefix: String,
    pub azure_cloud: String,
    pub azure_endpoint: String,
    /// `null` counts as true.
    #[serde(rename = "AzureSSL", deserialize_with = "null_is_true")]
    pub azure_ssl: bool,
    #[serde(deserialize_with = "clamped::<0, MAX_MILLIS, _, _>")]
    pub azure_request_timeout_milliseconds: i64,
    /// True if certificates are not checked (`ServiceSettings.EnableInsecureOutgoingConnections`).
    #[serde(skip)]
    pub skip_certificate_check: bool,
    /// True if an operator pinned the host in a file or an environment variable. Any other host comes from a caller,
    /// now or when it was saved, so connections to link-local and metadata addresses are refused.
    #[serde(skip)]
    pub is_pinned: bool,
    /// True if the directory is not the one in force. Then a test does not create it, and every failure has the same
    /// text, so that a test reveals nothing about the paths of this machine.
    #[serde(skip)]
    pub is_tried: bool,
    /// The store. Errors use the names of its settings.
    #[serde(skip)]
    pub store: Store,
}

/// The settings of the section `FileSettings` that the server uses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Document")]
pub struct FileSettings {
    /// The maximum size of a file, in bytes.
    pub max_file_size: u64,
    /// The maximum size of an image, in pixels.
    pub max_image_resolution: i64,
    /// True if exports have a store of their own.
    pub dedicated_export_store: bool,
    /// The settings of the file store.
    pub files: StoreSettings,
    /// The settings of the export store, which is used if `dedicated_export_store` is true.
    pub exports: StoreSettings,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rest {
    #[serde(deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    max_file_size: u64,
    max_image_resolution: i64,
    dedicated_export_store: bool,
}

impl TryFrom<Document> for FileSettings {
    type Error = serde_json::Error;

    fn try_from(section: Document) -> Result<Self, Self::Error> {
        let exports = section.iter().filter_map(|(key, value)| Some((key.strip_prefix(EXPORT)?, value)));
        let exports: Document = exports.map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let rest: Rest = serde_json::from_value(section.clone().into())?;
        Ok(Self {
            max_file_size: rest.max_file_size,
            max_image_resolution: rest.max_image_resolution,
            dedicated_export_store: rest.dedicated_export_store,
            files: serde_json::from_value(section.into())?,
            exports: StoreSettings { store: Store::Exports, ..serde_json::from_value(exports.into())? },
        })
    }
}

fn null_is_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::table::defaults;

    #[test]
    fn each_store_has_its_own_settings_and_no_tls_setting_means_tls() {
        let mut section = defaults()["FileSettings"].as_object().unwrap().clone();
        section.insert("AmazonS3Bucket".to_owned(), json!("files"));
        section.insert("ExportAmazonS3Bucket".to_owned(), json!("exports"));
        section.insert("AzureSSL".to_owned(), json!(null));
        let settings = FileSettings::try_from(section).unwrap();
        assert_eq!(settings.files.amazon_s3_bucket, "files");
        assert_eq!(settings.exports.amazon_s3_bucket, "exports");
        assert!(settings.files.azure_ssl);
    }
}
