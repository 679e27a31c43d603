//! The address of a container.

use std::sync::Arc;

use azure_core::http::Url;
use quarterdeck_actors::storage::own_hosts;
use quarterdeck_actors::storage::report::StepFailure;
use quarterdeck_actors::storage::settings::StoreSettings;
use rustls::ClientConfig;

use crate::files::endpoint::Endpoint;
use crate::files::host_policy::HostPolicy;
use crate::files::objects::unusable;

const REMEDY: &str =
    "Set FileSettings.AzureEndpoint to a host, or to a host and a port, such as blobs.example.com:10000.";

/// Returns true when a custom host is set instead of Azure's.
pub(super) fn is_custom(settings: &StoreSettings) -> bool {
    settings.azure_cloud == "custom" || !settings.azure_endpoint.is_empty()
}

/// The address of a storage account.
pub(super) struct Account {
    pub(super) url: Url,
    /// The change made to the endpoint before use, in words.
    pub(super) note: Option<String>,
}

/// Returns the URL of the account: a host of its own at Azure, or a path of a custom host.
///
/// The endpoint is a host with an optional port and scheme. An account name at its end is removed, because emulators
/// show it there and it is added again from its own setting.
pub(super) fn account(settings: &StoreSettings) -> Result<Account, StepFailure> {
    let account = &settings.azure_storage_account;
    if !is_label(account) {
        return Err(unusable("the account name is invalid", remedy_for_account(account)));
    }
    let scheme = if settings.azure_ssl { "https" } else { "http" };
    let endpoint = settings.azure_endpoint.trim().trim_matches('/');
    let has_scheme = endpoint.contains("://");
    let (text, is_custom) = match settings.azure_cloud.as_str() {
        _ if has_scheme => (endpoint.to_owned(), true),
        _ if !endpoint.is_empty() => (format!("{scheme}://{endpoint}"), true),
        "custom" => return Err(unusable("a custom cloud has no endpoint", REMEDY)),
        "government" => (format!("{scheme}://{account}.blob.core.usgovcloudapi.net"), false),
        _ => (format!("{scheme}://{account}.blob.core.windows.net"), false),
    };
    let is_clean = !text.contains(['@', '\\', '?', '#', '%']) && !text.chars().any(char::is_control);
    let url =
        Url::parse(&text).ok().filter(|url| is_clean && matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.ok_or_else(|| unusable("the endpoint is not a host", REMEDY))?;
    let path = url.path().trim_matches('/').to_owned();
    let names_account = path == *account;
    if !path.is_empty() && !names_account {
        return Err(unusable("the endpoint has a path", REMEDY));
    }
    if is_custom && (names_account || !has_scheme) {
        url.set_path(account);
    }
    let note = names_account.then(|| {
        "Remove the account name from the end of FileSettings.AzureEndpoint; FileSettings.AzureStorageAccount holds it."
            .to_owned()
    });
    Ok(Account { url, note })
}

/// Returns the remedy for an account that is given as an address or as a connection string.
fn remedy_for_account(text: &str) -> String {
    const NAME: &str = "FileSettings.AzureStorageAccount";
    let words = text.split(';').find_map(|word| word.trim().strip_prefix("AccountName="));
    let address = text.trim().split_once("://").map_or(text.trim(), |(_, rest)| rest);
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let host = host.split(':').next().unwrap_or_default();
    let first = host.split('.').next().filter(|_| own_hosts::is_azure(host));
    if let Some(name) = words.or(first).filter(|name| is_label(name)) {
        return format!("Set {NAME} to the bare account name: {name}.");
    }
    let is_elsewhere = text.contains("://");
    match path.split('/').next().filter(|name| is_elsewhere && is_label(name)) {
        Some(name) => format!(
            "Set {NAME} to the bare account name: {name}. The host before it belongs into FileSettings.AzureEndpoint."
        ),
        None => format!("Set {NAME} to the bare account name, without a scheme, a host or a path."),
    }
}

/// Returns true when the host is Azure's own, of any account, over TLS.
pub(super) fn is_azure(account: &Url) -> bool {
    let is_usual_port = account.port().is_none();
    account.scheme() == "https" && is_usual_port && account.host_str().is_some_and(own_hosts::is_azure)
}

/// Returns true for a name that is one label of a host name and one path segment.
fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Returns the URL of a container. Its name must be a single path segment.
pub(super) fn container(account: &Url, name: &str) -> Result<Url, StepFailure> {
    if !is_label(name) && !matches!(name, "$root" | "$web" | "$logs") {
        return Err(unusable(
            "the container name is invalid",
            "Set FileSettings.AzureContainer to letters, digits and hyphens.",
        ));
    }
    let mut url = account.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => {
            segments.pop_if_empty().push(name);
        }
        Err(()) => return Err(unusable("the endpoint is not a host", REMEDY)),
    }
    Ok(url)
}

pub(super) fn endpoint(account: &Url, rules: &Arc<ClientConfig>, policy: HostPolicy) -> Result<Endpoint, StepFailure> {
    let is_tls = account.scheme() == "https";
    let host = account.host_str().ok_or_else(|| unusable("the endpoint is not a host", REMEDY))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = account.port_or_known_default().unwrap_or(443);
    Ok(Endpoint { host, port, tls: is_tls.then(|| rules.clone()), policy })
}
