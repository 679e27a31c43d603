//! Where a container is.

use std::sync::Arc;

use azure_core::http::Url;
use quarterdeck_actors::storage::report::Trouble;
use quarterdeck_actors::storage::settings::StoreSettings;
use rustls::ClientConfig;

use crate::files::endpoint::Endpoint;
use crate::files::objects::unusable;

const REMEDY: &str =
    "Set FileSettings.AzureEndpoint to a host, or to a host and a port, such as blobs.example.com:10000.";

/// What the names of the hosts of Azure end with, in each of its clouds.
const AZURE: [&str; 4] = [
    ".blob.core.windows.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net",
];

/// Whether a host of one's own is asked, instead of Azure's.
pub(super) fn is_custom(settings: &StoreSettings) -> bool {
    settings.azure_cloud == "custom" || !settings.azure_endpoint.is_empty()
}

/// The URL of the account: its own host at Azure, a folder of a host elsewhere; a complete URL is taken as it is.
pub(super) fn account(settings: &StoreSettings) -> Result<Url, Trouble> {
    let account = &settings.azure_storage_account;
    let scheme = if settings.azure_ssl { "https" } else { "http" };
    let endpoint = settings.azure_endpoint.trim().trim_matches('/');
    let url = match settings.azure_cloud.as_str() {
        _ if endpoint.contains("://") => endpoint.to_owned(),
        _ if !endpoint.is_empty() => format!("{scheme}://{endpoint}/{account}"),
        "custom" => return Err(unusable("a custom cloud has no endpoint", REMEDY)),
        "government" => format!("{scheme}://{account}.blob.core.usgovcloudapi.net"),
        _ => format!("{scheme}://{account}.blob.core.windows.net"),
    };
    let parsed = Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let parsed = parsed.filter(|url| url.username().is_empty() && url.password().is_none() && url.query().is_none());
    parsed.ok_or_else(|| unusable("the endpoint is no host", REMEDY))
}

/// Whether an account is at Azure itself, whoever owns it.
pub(super) fn is_azure(account: &Url) -> bool {
    account.host_str().is_some_and(|host| AZURE.iter().any(|suffix| host.ends_with(suffix)))
}

/// The URL of a container.
pub(super) fn container(account: &Url, name: &str) -> Result<Url, Trouble> {
    let mut url = account.clone();
    match url.path_segments_mut() {
        Ok(mut segments) => {
            segments.pop_if_empty().push(name);
        }
        Err(()) => return Err(unusable("the endpoint is no host", REMEDY)),
    }
    Ok(url)
}

pub(super) fn endpoint(account: &Url, rules: &Arc<ClientConfig>) -> Result<Endpoint, Trouble> {
    let is_tls = account.scheme() == "https";
    let host = account.host_str().ok_or_else(|| unusable("the endpoint is no host", REMEDY))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let port = account.port_or_known_default().unwrap_or(443);
    Ok(Endpoint { host, port, tls: is_tls.then(|| rules.clone()) })
}
