//! Signs requests with the shared key of a storage account.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, Url};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use data_encoding::BASE64;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::storage::report::StepFailure;

use crate::files::objects::unusable;

/// The headers that are signed, in this order, beside the service's own `x-ms-` headers.
const SIGNED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Signs requests for an account.
pub(super) struct SharedKey {
    account: String,
    key: hmac::Key,
}

impl std::fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SharedKey").finish_non_exhaustive()
    }
}

impl SharedKey {
    pub(super) fn new(account: &str, key: &Secret) -> Result<Self, StepFailure> {
        let remedy = "Set FileSettings.AzureAccessKey to a key of the storage account, as Azure shows it.";
        if key.is_empty() {
            return Err(unusable("the access key is missing", remedy));
        }
        let bytes = BASE64.decode(key.expose().trim().as_bytes());
        let bytes = bytes.map_err(|_| unusable("the access key is not in base64", remedy))?;
        Ok(Self { account: account.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }
}

#[expect(elided_lifetimes_in_paths, reason = "the trait leaves the lifetime out, and the macro tells the two apart")]
#[async_trait]
impl Policy for SharedKey {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        // The library escapes slashes in names, but the service signs them as part of the path.
        let path = request.url().path().replace("%2F", "/");
        request.url_mut().set_path(&path);
        request.insert_header("x-ms-date", to_rfc7231(&OffsetDateTime::now_utc()));
        let signature = hmac::sign(&self.key, signed_text(&self.account, request).as_bytes());
        let signature = BASE64.encode(signature.as_ref());
        request.insert_header("authorization", format!("SharedKey {}:{signature}", self.account));
        match next.split_first() {
            Some((policy, rest)) => policy.send(context, request, rest).await,
            None => {
                Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "there is no HTTP client"))
            }
        }
    }
}

fn signed_text(account: &str, request: &Request) -> String {
    let headers: BTreeMap<String, &str> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_lowercase(), value.as_str())).collect();
    let length = request.body().len().filter(|length| *length > 0).map(|length| length.to_string()).unwrap_or_default();
    let mut text = format!("{}\n", request.method().as_ref());
    for name in SIGNED {
        let value = if name == "content-length" { &length } else { headers.get(name).copied().unwrap_or_default() };
        text.push_str(value);
        text.push('\n');
    }
    for (name, value) in headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        let _ = writeln!(text, "{name}:{}", value.trim());
    }
    text.push_str(&resource(account, request.url()));
    text
}

fn resource(account: &str, url: &Url) -> String {
    let mut text = format!("/{account}{}", url.path());
    let mut query = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in url.query_pairs() {
        query.entry(name.to_lowercase()).or_default().push(value.into_owned());
    }
    for (name, mut values) in query {
        values.sort();
        let _ = write!(text, "\n{name}:{}", values.join(","));
    }
    text
}
