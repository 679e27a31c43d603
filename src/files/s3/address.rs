//! The address of a bucket: host, port, TLS, region, and whether the bucket's name is part of the host name.

use std::sync::Arc;

use quarterdeck_actors::storage::own_hosts::{is_amazon_region, is_amazon_s3};
use quarterdeck_actors::storage::report::StepFailure;
use quarterdeck_actors::storage::settings::StoreSettings;
use rustls::ClientConfig;

use crate::files::endpoint::{Endpoint, certificate_rules};
use crate::files::host_policy::HostPolicy;
use crate::files::objects::unusable;

const AMAZON: &str = "s3.amazonaws.com";
/// The name of the setting with the host.
const PLACE: &str = "FileSettings.AmazonS3Endpoint";

const DEFAULT_REGION: &str = "us-east-1";

/// Host suffixes of the stores that take the bucket's name as part of the host name.
const VIRTUAL_HOSTS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".aliyuncs.com", "storage.googleapis.com"];

pub(super) struct Address {
    host: String,
    port: Option<u16>,
    /// The TLS configuration; `None` without TLS.
    tls: Option<Arc<ClientConfig>>,
    /// The region in the settings. Empty means the default region, until the store reports another.
    region: String,
    is_virtual_host: bool,
    policy: HostPolicy,
}

impl Address {
    pub(super) fn of(settings: &StoreSettings, skips_certificate_check: bool) -> Result<Self, StepFailure> {
        let endpoint = settings.amazon_s3_endpoint.trim();
        let endpoint = if endpoint.is_empty() { AMAZON } else { endpoint };
        let remedy =
            "Set FileSettings.AmazonS3Endpoint to a host, or to a host and a port, such as s3.example.com:9000.";
        if endpoint.contains("://") {
            let tls = "FileSettings.AmazonS3SSL turns TLS on or off.";
            return Err(unusable("the endpoint begins with a scheme", format!("{remedy} {tls}")));
        }
        let (host, port) = split(endpoint).ok_or_else(|| unusable("the endpoint is not a host", remedy))?;
        let policy = HostPolicy::of(settings);
        policy.check_host(&host, PLACE)?;
        let region = settings.amazon_s3_region.trim();
        // The region becomes part of a host name and of a header.
        let is_region = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !is_region {
            let remedy = "Set FileSettings.AmazonS3Region to the name of a region, such as eu-central-1.";
            return Err(unusable("the region name is invalid", remedy));
        }
        let allows_virtual = VIRTUAL_HOSTS.iter().any(|suffix| host.ends_with(suffix));
        let tls = settings.amazon_s3_ssl.then(|| certificate_rules(skips_certificate_check)).transpose()?;
        Ok(Self {
            is_virtual_host: allows_virtual && fits_a_host(&settings.amazon_s3_bucket, settings.amazon_s3_ssl),
            host,
            port,
            tls,
            region: region.to_owned(),
            policy,
        })
    }

    /// Returns true for a host of Amazon S3 itself over TLS. The machine's credentials are sent to such hosts only.
    pub(super) fn is_amazons_own(&self) -> bool {
        let is_usual_port = matches!(self.port, None | Some(443));
        let is_region = self.region.is_empty() || is_amazon_region(&self.region);
        self.is_tls() && is_usual_port && is_region && is_amazon_s3(&self.host)
    }

    /// Returns the names of the settings that determine the host.
    pub(super) fn place(&self) -> &'static str {
        let has_region_in_host = self.host == AMAZON && self.has_region();
        if has_region_in_host { "FileSettings.AmazonS3Region and FileSettings.AmazonS3Endpoint" } else { PLACE }
    }

    /// Returns true if the endpoint in the settings is a host of Amazon for one region.
    pub(super) fn names_region(&self) -> bool {
        is_amazon_s3(&self.host) && !self.host.is_empty() && self.host != AMAZON && !self.host.contains("accelerate")
    }

    pub(super) fn has_region(&self) -> bool {
        !self.region.is_empty()
    }

    pub(super) fn region(&self) -> &str {
        if self.region.is_empty() { DEFAULT_REGION } else { &self.region }
    }

    pub(super) fn is_virtual_host(&self) -> bool {
        self.is_virtual_host
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns the URL of the store for the region `found`, or for the region in the settings.
    pub(super) fn url(&self, found: Option<&str>) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{}{port}", self.host_in(found))
    }

    /// Returns the URL of the bucket for reports.
    pub(super) fn shown(&self, bucket: &str) -> String {
        format!("{}/{bucket}", self.url(None))
    }

    /// Returns the target of requests for the bucket.
    pub(super) fn endpoint(&self, bucket: &str) -> Endpoint {
        let host = self.host_in(None);
        let host = if self.is_virtual_host { format!("{bucket}.{host}") } else { host };
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = self.port.unwrap_or(if self.is_tls() { 443 } else { 80 });
        Endpoint { host, port, tls: self.tls.clone(), policy: self.policy }
    }

    fn host_in(&self, found: Option<&str>) -> String {
        let region = found.unwrap_or(&self.region);
        let is_regional = self.host == AMAZON && !region.is_empty();
        if is_regional { format!("s3.{region}.amazonaws.com") } else { self.host.clone() }
    }
}

/// Splits an endpoint into host and port; an IPv6 address keeps its brackets.
pub(super) fn split(endpoint: &str) -> Option<(String, Option<u16>)> {
    let url = reqwest::Url::parse(&format!("http://{endpoint}")).ok()?;
    let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_plain =
        is_plain && !endpoint.contains(['@', '\\', '?', '#', '%']) && !endpoint.chars().any(char::is_control);
    // `Url` drops the default port of its scheme, so `:80` is read from the text.
    let port = url.port().or_else(|| endpoint.trim_end_matches('/').ends_with(":80").then_some(80));
    is_plain.then_some(())?;
    Some((url.host_str()?.to_owned(), port))
}

/// Returns true for a bucket name that is a single path segment. The rules are loose, because the oldest buckets have
/// capitals and underscores in their names.
pub(super) fn is_bucket(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=255).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with('.') && !name.contains("..")
}

/// Returns true when the bucket's name can be part of a host name: lower-case letters, digits and hyphens. Dots are
/// allowed without TLS only, because certificates cover one level of subdomains.
fn fits_a_host(bucket: &str, is_tls: bool) -> bool {
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || (byte == b'.' && !is_tls);
    let has_edges = bucket.starts_with(['-', '.']) || bucket.ends_with(['-', '.']) || bucket.contains("..");
    (3..=63).contains(&bucket.len()) && bucket.bytes().all(fits) && !has_edges
}
