//! Settings of a store that a caller submits for a test, without saving them.

use serde_json::Value;

use super::own_hosts::{is_amazon_region, is_amazon_s3, is_azure};
use super::settings::{FileSettings, SECTION, Store, StoreSettings};
use crate::config::Config;
use crate::config::complete::fill_unreadable;
use crate::config::document::{Document, given, insert};
use crate::config::fixes::fixed;
use crate::config::reentry::{companions, reusable};
use crate::config::secrets::PLACEHOLDER;
use crate::config::table::{Setting, settings};
use crate::error::{AppError, OrFail};

/// The drivers, with the setting that holds the secret of each.
const SECRETS: [(&str, &str); 2] = [("amazons3", "AmazonS3SecretAccessKey"), ("azureblob", "AzureAccessKey")];

/// Returns the settings of `store` in `submitted`, with the stored secret in place of a placeholder. Without a
/// document, returns the settings in force.
///
/// A stored secret is sent only to the host where it is in use. For any other host the error names the secret, and the
/// caller must enter it again. The same holds for null, which stands for the stored value of a setting that the caller
/// may not read. Nothing of this is saved.
pub fn proposed(
    submitted: Option<&Document>,
    store: Store,
    running: &Config,
    may_read: &dyn Fn(&Setting) -> bool,
) -> Result<StoreSettings, AppError> {
    let Some(submitted) = submitted else {
        check_driver(&running.document, store)?;
        return Ok(running.store(store));
    };
    let (submitted, filled) = filled(submitted, &running.document, may_read);
    check_complete(&submitted)?;
    let mut document = completed(&submitted, &running.document);
    let driver = text(&submitted, &store.path("DriverName"));
    let is_in_use = |path: &String| given(&document, path) == given(&running.document, path);
    // A caller who may not read the stored place must not find it out by guesses.
    let is_guess = |path: &String| !filled.contains(&path.as_str()) && may_not_read(path, may_read);
    let destination = destination(store, driver);
    let is_stored_place = destination.iter().all(is_in_use) && !destination.iter().any(is_guess);
    if let Some(setting) = filled.iter().find(|path| is_used(path, store, driver)).filter(|_| !is_stored_place) {
        return Err(AppError::new(OTHER_STORE).with("Setting", *setting));
    }
    check_driver(&submitted, store)?;
    for (user, key) in SECRETS {
        let is_sent = driver == user;
        restore(&mut document, &store.path(key), is_sent, is_stored_place, &running.document)?;
    }
    check_own_credentials(&document, store, driver)?;
    let Some(Value::Object(section)) = fixed(&document).remove("FileSettings") else { return Err(incomplete()) };
    let settings = FileSettings::try_from(section).or_fail(INCOMPLETE)?;
    let settings = match store {
        Store::Files => settings.files,
        Store::Exports => settings.exports,
    };
    let skip_certificate_check = running.view.service.enable_insecure_outgoing_connections;
    let is_as_in_force = |path: &String| given(&document, path) == given(&running.document, path);
    let is_pinned = running.store(store).is_pinned && store.host_settings(driver).iter().all(is_as_in_force);
    let is_tried = driver == "local" && !is_as_in_force(&store.path("Directory"));
    Ok(StoreSettings { skip_certificate_check, is_pinned, is_tried, ..settings })
}

const INCOMPLETE: &str = "api.file.test_connection_settings_nil.app_error";

/// The refusal of null for a setting that the caller may not read, because another store is to be tested.
const OTHER_STORE: &str = "api.file.test_connection_settings_nil.app_error#other_store";

fn incomplete() -> AppError {
    AppError::new(INCOMPLETE)
}

/// Returns the document with the stored values in place of null for settings that the caller may not read, and the paths
/// of these settings. Settings of Azure that an older client leaves out count as null.
fn filled(
    submitted: &Document,
    running: &Document,
    may_read: &dyn Fn(&Setting) -> bool,
) -> (Document, Vec<&'static str>) {
    let mut document = submitted.clone();
    for setting in section().filter(|setting| !is_known_to_all(setting)) {
        let is_given = given(submitted, &setting.path).is_some_and(|value| setting.kind.admits(value));
        if !is_given {
            insert(&mut document, &setting.path, Value::Null);
        }
    }
    let filled = fill_unreadable(&mut document, SECTION.trim_end_matches('.'), running, may_read);
    (document, filled)
}

/// Returns the settings that decide where a test goes.
fn destination(store: Store, driver: &str) -> Vec<String> {
    let secret = SECRETS.iter().find(|(user, _)| *user == driver).map(|(_, key)| store.path(key));
    let companions = secret.iter().flat_map(|secret| companions(secret)).map(|path| (*path).to_owned());
    let others = ["DriverName", "AzureAuthMode", "Directory"].map(|key| store.path(key)).into_iter();
    // The check of certificates is not part of the tested section; its value in force applies to the test.
    companions
        .filter(|path| path.starts_with(SECTION))
        .chain(others.filter(|path| is_used(path, store, driver)))
        .collect()
}

/// Returns true if a test of the store with this driver uses the setting.
fn is_used(path: &str, store: Store, driver: &str) -> bool {
    let family = match driver {
        "local" => "Directory",
        "amazons3" => "AmazonS3",
        "azureblob" => "Azure",
        _ => return false,
    };
    path == store.path("DriverName") || path.starts_with(&store.path(family))
}

fn may_not_read(path: &str, may_read: &dyn Fn(&Setting) -> bool) -> bool {
    settings().get(path).is_some_and(|setting| !may_read(setting))
}

/// Refuses a document without the settings that every client knows. A value of the wrong type counts as missing.
fn check_complete(submitted: &Document) -> Result<(), AppError> {
    let is_given = |setting: &&Setting| given(submitted, &setting.path).is_some_and(|value| setting.kind.admits(value));
    let missing: Vec<&str> =
        section().filter(|setting| is_known_to_all(setting)).filter(|setting| !is_given(setting)).map(key).collect();
    if missing.is_empty() { Ok(()) } else { Err(incomplete().with("Names", missing.join(", "))) }
}

/// Returns the settings of the section `FileSettings`.
fn section() -> impl Iterator<Item = &'static Setting> {
    settings().values().filter(|setting| setting.path.starts_with(SECTION))
}

/// Returns false for the settings of Azure. Older clients do not know them, so their values in force are used.
fn is_known_to_all(setting: &'static Setting) -> bool {
    !key(setting).contains("Azure")
}

fn key(setting: &'static Setting) -> &'static str {
    setting.path.trim_start_matches(SECTION)
}

/// Refuses an unknown driver, and a driver without its mandatory settings.
fn check_driver(document: &Document, store: Store) -> Result<(), AppError> {
    let is_empty = |key: &str| text(document, &store.path(key)).is_empty();
    match text(document, &store.path("DriverName")) {
        "amazons3" if is_empty("AmazonS3Bucket") => Err(AppError::new("api.admin.test_s3.missing_s3_bucket")),
        "local" | "amazons3" => Ok(()),
        "azureblob" => {
            let has_key = text(document, &store.path("AzureAuthMode")) != "default_credential";
            let mandatory = ["AzureStorageAccount", "AzureContainer", "AzureAccessKey"];
            let missing = mandatory.into_iter().find(|key| is_empty(key) && (has_key || *key != "AzureAccessKey"));
            let refusal = |key| AppError::new("api.admin.test_azure.missing_azure_field").with("Name", store.path(key));
            missing.map_or(Ok(()), |key| Err(refusal(key)))
        }
        other => Err(AppError::new("api.file.test_connection_unsupported_driver.app_error").with("Driver", other)),
    }
}

/// Returns the document, completed with the values in force.
fn completed(submitted: &Document, running: &Document) -> Document {
    let mut document = submitted.clone();
    for setting in section() {
        let is_given = given(submitted, &setting.path).is_some_and(|value| setting.kind.admits(value));
        if !is_given && let Some(value) = given(running, &setting.path) {
            insert(&mut document, &setting.path, value.clone());
        }
    }
    document
}

/// Replaces a placeholder with the stored secret. A secret that the driver does not use is sent nowhere, so it is not
/// checked.
fn restore(
    document: &mut Document,
    secret: &str,
    is_sent: bool,
    is_stored_place: bool,
    running: &Document,
) -> Result<(), AppError> {
    if text(document, secret) != PLACEHOLDER {
        return Ok(());
    }
    if is_sent && !(is_stored_place && reusable(secret, document, running)) {
        return Err(AppError::new("api.file.test_connection_reenter_secret.app_error").with("Name", secret.to_owned()));
    }
    let stored = given(running, secret).cloned().unwrap_or_else(|| Value::from(""));
    insert(document, secret, stored);
    Ok(())
}

/// Refuses to send credentials of the machine or the environment anywhere except to the provider's own hosts over TLS.
fn check_own_credentials(document: &Document, store: Store, driver: &str) -> Result<(), AppError> {
    let value = |key: &str| text(document, &store.path(key));
    let is_off = |key: &str| given(document, &store.path(key)) == Some(&Value::from(false));
    let (place, is_with_provider) = match driver {
        "amazons3" if value("AmazonS3AccessKeyId").is_empty() && value("AmazonS3SecretAccessKey").is_empty() => {
            let region = value("AmazonS3Region").trim();
            let is_of_amazon =
                is_amazon_s3(value("AmazonS3Endpoint")) && (region.is_empty() || is_amazon_region(region));
            ("AmazonS3Endpoint", is_of_amazon && !is_off("AmazonS3SSL"))
        }
        "azureblob" if value("AzureAuthMode") == "default_credential" => {
            let is_of_azure = match value("AzureEndpoint").trim() {
                "" => is_label(value("AzureStorageAccount")) && !is_off("AzureSSL"),
                endpoint => endpoint.strip_prefix("https://").is_some_and(|host| is_azure(host.trim_end_matches('/'))),
            };
            ("AzureEndpoint", is_of_azure)
        }
        _ => return Ok(()),
    };
    if is_with_provider {
        return Ok(());
    }
    Err(AppError::new("api.file.test_connection_own_credentials.app_error").with("Name", store.path(place)))
}

/// Returns true if the text is one label of a host name, without separators.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn text<'a>(document: &'a Document, path: &str) -> &'a str {
    given(document, path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
