//! Settings of the section `[Quarterdeck]` of `config.toml`, which Mattermost does not define.
//!
//! An environment variable `MM_QUARTERDECK_<NAME>` overrides the file. Options are read at the start only, and the API
//! neither shows nor changes them.

use std::path::PathBuf;
use std::time::Duration;

use quarterdeck_actors::hub::Limits;
use quarterdeck_actors::secret::Secret;
use serde_json::Value;

use crate::base::network::TrustedProxies;

/// The name of the section.
pub(crate) const SECTION: &str = "Quarterdeck";

/// One option: its name, and what its value may be.
struct Row {
    name: &'static str,
    value: Accepted,
}

/// The values that an option accepts, and the function that stores one.
enum Accepted {
    /// A whole number from `min` to `max`.
    Number { default: i64, min: i64, max: i64, set: fn(&mut Options, i64) },
    /// True or false; the default is false.
    Flag(fn(&mut Options, bool)),
    /// Any text; an empty one unsets the option.
    Text(fn(&mut Options, &str)),
    /// An empty text, or a token that is long enough.
    Token(fn(&mut Options, Option<Secret>)),
    /// A list of networks.
    Networks(fn(&mut Options, TrustedProxies)),
}

const fn number(name: &'static str, default: i64, min: i64, max: i64, set: fn(&mut Options, i64)) -> Row {
    Row { name, value: Accepted::Number { default, min, max, set } }
}

const fn text(name: &'static str, set: fn(&mut Options, &str)) -> Row {
    Row { name, value: Accepted::Text(set) }
}

/// All options.
const TABLE: &[Row] = &[
    number("AnalyticsAgeSeconds", 300, 0, 86_400, |options, value| options.analytics_age = seconds(value)),
    number("AnalyticsTimeoutSeconds", 30, 1, 600, |options, value| options.analytics_timeout = seconds(value)),
    text("AuditKeyFile", |options, value| options.audit_key_file = given(value).map(PathBuf::from)),
    number("AuditRetentionDays", 0, 0, 36_500, |options, value| {
        options.audit_retention_days = Some(value).filter(|days| *days > 0);
    }),
    number("BodyMemoryMegabytes", 64, 1, 65_536, |options, value| options.body_bytes = megabytes(value)),
    number("DrainSeconds", 0, 0, 600, |options, value| options.drain_window = seconds(value)),
    number("ImageProxyMegabytes", 10, 1, 100, |options, value| options.image_proxy_bytes = megabytes(value)),
    text("LatestVersionURL", |options, value| options.latest_version_url = given(value)),
    text(LICENSE_KEY, |options, value| value.clone_into(&mut options.license_key_file)),
    text(TEST_LICENSE_KEY, |options, value| value.clone_into(&mut options.test_license_key_file)),
    number("MaximumConnections", 60_000, 1, 1_000_000, |options, value| options.max_connections = count(value)),
    number("MaximumConnectionsPerAddress", 1_000, 1, 1_000_000, |options, value| {
        options.max_connections_per_address = count(value);
    }),
    number("MaximumSockets", 50_000, 1, 1_000_000, |options, value| options.sockets.sockets = count(value)),
    number("MaximumSocketsPerUser", 500, 1, 1_000_000, |options, value| {
        options.sockets.sockets_per_user = count(value);
    }),
    Row { name: METRICS_TOKEN, value: Accepted::Token(|options, value| options.metrics_token = value) },
    number("PasswordQueue", 256, 8, 65_536, |options, value| options.password_queue = count(value)),
    number("PasswordQueuePerCaller", 64, 4, 65_536, |options, value| {
        options.password_queue_per_caller = count(value);
    }),
    text("ReleasePublicKeyFile", |options, value| value.clone_into(&mut options.release_key_file)),
    number("ReleaseStallSeconds", 30, 1, 300, |options, value| options.release_stall_timeout = seconds(value)),
    text("ReleaseURL", |options, value| value.clone_into(&mut options.release_url)),
    number("SocketMemoryMegabytes", 256, 1, 65_536, |options, value| options.sockets.held_bytes = megabytes(value)),
    number("SocketPingSeconds", 25, 1, 29, |options, value| options.sockets.ping_ms = value * MILLISECONDS),
    number("SocketSilenceSeconds", 100, 2, 3_600, |options, value| options.sockets.silence_ms = value * MILLISECONDS),
    number("SocketResumeSeconds", 300, 0, 86_400, |options, value| options.sockets.resume_ms = value * MILLISECONDS),
    number("SocketStopSeconds", 5, 0, 25, |options, value| options.socket_stop_window = seconds(value)),
    number("StopSeconds", 30, 1, 3_600, |options, value| options.stop_timeout = seconds(value)),
    Row {
        name: "SupportPacketNeedsLicense",
        value: Accepted::Flag(|options, value| options.support_packet_needs_license = value),
    },
    Row { name: TRUSTED_PROXIES, value: Accepted::Networks(|options, value| options.trusted_proxies = Some(value)) },
    text("WebClientDirectory", |options, value| options.web_client_directory = given(value).map(PathBuf::from)),
];

/// The option with the path of the public key that verifies licences.
const LICENSE_KEY: &str = "LicensePublicKeyFile";

/// The option with the path of the public key that verifies licences on servers for tests and developers.
const TEST_LICENSE_KEY: &str = "LicenseTestPublicKeyFile";

/// The option with the token that Prometheus sends to read the metrics on the API's address.
const METRICS_TOKEN: &str = "MetricsToken";

/// The option with the networks of the proxies in front of this server.
const TRUSTED_PROXIES: &str = "TrustedProxies";

/// The options that a variable cannot set, in upper case: each names files that callers without a session may read.
const IN_FILE_ONLY: [&str; 1] = ["WEBCLIENTDIRECTORY"];

/// The minimum length of the token for metrics, in characters. A shorter one is guessable and is refused.
const MIN_TOKEN_CHARACTERS: usize = 16;

/// The default of `LatestVersionURL`: the releases of Mattermost, because clients compare their version with it.
const LATEST_VERSION_DEFAULT: &str = "https://api.github.com/repos/mattermost/mattermost-server/releases/latest";

const MILLISECONDS: i64 = 1_000;

/// Returns true for an option that a variable cannot set. `name` is in upper case.
pub(super) fn is_in_file_only(name: &str) -> bool {
    IN_FILE_ONLY.contains(&name)
}

/// Returns true if `text` is blank although the option of this name takes no text. Templates set such variables.
pub(super) fn is_blank(name: &str, text: &str) -> bool {
    let row = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name));
    let takes_text = row.is_none_or(|row| !matches!(row.value, Accepted::Number { .. } | Accepted::Flag(_)));
    !takes_text && text.trim().is_empty()
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(number.unsigned_abs())
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn megabytes(number: i64) -> usize {
    count(number) << 20
}

/// Returns a text unless it is empty.
fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Returns the path of an option that is named in any letter case.
pub(super) fn path_of(name: &str) -> String {
    let row = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name));
    format!("{SECTION}.{}", row.map_or(name, |row| row.name))
}

/// The values of all options.
#[derive(Debug, Clone)]
pub struct Options {
    /// The largest age of the site's figures.
    pub(crate) analytics_age: Duration,
    /// The timeout of one statement that counts the site's figures.
    pub(crate) analytics_timeout: Duration,
    /// The path of the file with the keys of the audit trail; `None` for the default path.
    pub(crate) audit_key_file: Option<PathBuf>,
    /// The age in days at which audit rows are deleted; `None` if they are kept forever.
    pub(crate) audit_retention_days: Option<i64>,
    /// The memory for the bodies of all requests, in bytes.
    pub(crate) body_bytes: usize,
    /// The time for which the server still handles requests after the signal to stop, while readiness returns 503.
    pub(crate) drain_window: Duration,
    /// The largest image that the image proxy fetches, in bytes.
    pub(crate) image_proxy_bytes: usize,
    latest_version_url: Option<String>,
    license_key_file: String,
    test_license_key_file: String,
    /// The largest number of connections.
    pub(crate) max_connections: usize,
    /// The largest number of connections from one address.
    pub(crate) max_connections_per_address: usize,
    /// The token for reading the metrics on the API's address; `None` if they are not available there.
    pub(crate) metrics_token: Option<Secret>,
    /// The number of passwords that may wait to be hashed, for all callers together.
    pub(crate) password_queue: usize,
    /// The number of passwords of one caller that may wait to be hashed.
    pub(crate) password_queue_per_caller: usize,
    /// The path of the public key that verifies manifests of releases; empty if unset.
    pub(crate) release_key_file: String,
    /// The time without progress after which the download of a release fails.
    pub(crate) release_stall_timeout: Duration,
    /// The URL of the manifest of this program's newest release; empty if unset.
    pub(crate) release_url: String,
    /// The limits that all sockets share.
    pub(crate) sockets: Limits,
    /// The time over which sockets are closed when the server stops.
    pub(crate) socket_stop_window: Duration,
    /// The time limit for requests and their responses to finish after the listeners closed.
    pub(crate) stop_timeout: Duration,
    /// True if support packets are allowed only while a licence is in force.
    pub(crate) support_packet_needs_license: bool,
    /// The networks of the proxies in front of this server; `None` if the option is not set.
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    /// The folder with a web application that is served beside the API.
    pub(crate) web_client_directory: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        let mut options = Self {
            analytics_age: Duration::ZERO,
            analytics_timeout: Duration::ZERO,
            audit_key_file: None,
            audit_retention_days: None,
            body_bytes: 0,
            drain_window: Duration::ZERO,
            image_proxy_bytes: 0,
            latest_version_url: None,
            license_key_file: String::new(),
            test_license_key_file: String::new(),
            max_connections: 0,
            max_connections_per_address: 0,
            metrics_token: None,
            password_queue: 0,
            password_queue_per_caller: 0,
            release_key_file: String::new(),
            release_stall_timeout: Duration::ZERO,
            release_url: String::new(),
            sockets: Limits::default(),
            socket_stop_window: Duration::ZERO,
            stop_timeout: Duration::ZERO,
            support_packet_needs_license: false,
            trusted_proxies: None,
            web_client_directory: None,
        };
        for row in TABLE {
            if let Accepted::Number { default, set, .. } = row.value {
                set(&mut options, default);
            }
        }
        options
    }
}

impl Options {
    /// Sets one option. Returns the error if the value is invalid, and `None` if there is no option of that name.
    pub(crate) fn take(&mut self, name: &str, value: &Value) -> Option<Result<(), String>> {
        let row = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name))?;
        Some(self.set(row, value).map_err(|problem| format!("{SECTION}.{} {problem}", row.name)))
    }

    fn set(&mut self, row: &Row, value: &Value) -> Result<(), String> {
        let text = || value.as_str().ok_or("must be a string");
        match row.value {
            Accepted::Number { min, max, set, .. } => {
                let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                let number = number.filter(|number| (min..=max).contains(number));
                set(self, number.ok_or_else(|| format!("must be a whole number from {min} to {max}"))?);
            }
            Accepted::Flag(set) => {
                let flag = value.as_bool().or_else(|| value.as_str()?.parse().ok());
                set(self, flag.ok_or("must be true or false")?);
            }
            Accepted::Text(set) => set(self, text()?),
            Accepted::Token(set) => {
                let token = text()?;
                if (1..MIN_TOKEN_CHARACTERS).contains(&token.chars().count()) {
                    return Err(format!("must have {MIN_TOKEN_CHARACTERS} characters or more"));
                }
                set(self, given(token).map(Secret::new));
            }
            Accepted::Networks(set) => set(self, networks(value)?),
        }
        Ok(())
    }

    /// Returns the names of all options, as they are written in the file.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        TABLE.iter().map(|row| format!("{SECTION}.{}", row.name))
    }

    /// Returns the option that names the public key for licences on a server for `purpose`, and its value (empty if
    /// unset). A server for tests or developers falls back to the production key.
    pub(crate) fn license_public_key_file(&self, purpose: &str) -> (&'static str, &str) {
        let test = (TEST_LICENSE_KEY, self.test_license_key_file.as_str());
        let is_for_tests = purpose != "production" && !test.1.is_empty();
        if is_for_tests { test } else { (LICENSE_KEY, &self.license_key_file) }
    }

    /// Returns the URL that returns the latest release.
    pub(crate) fn latest_version_url(&self) -> &str {
        self.latest_version_url.as_deref().unwrap_or(LATEST_VERSION_DEFAULT)
    }
}

/// Parses networks from a list, or from a text with networks between commas or spaces.
fn networks(value: &Value) -> Result<TrustedProxies, String> {
    const WANTED: &str = "must be a list of addresses and networks in CIDR notation";
    let texts: Option<Vec<&str>> = match value {
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        Value::String(text) => Some(text.split([',', ' ']).map(str::trim).filter(|text| !text.is_empty()).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    };
    let proxies = TrustedProxies::read(texts.ok_or(WANTED)?.into_iter());
    proxies.map_err(|text| format!("{WANTED}, and {text:?} is neither"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_among_the_options_is_not_printed() {
        let mut options = Options::default();
        assert_eq!(options.take(METRICS_TOKEN, &"canary-0123456789".into()), Some(Ok(())));
        let text = format!("{options:?}");
        assert!(text.contains("metrics_token: Some") && !text.contains("canary"), "{text}");
    }

    #[test]
    fn an_option_keeps_its_default_until_it_is_given_within_its_bounds() {
        let mut options = Options::default();
        assert_eq!(options.sockets.sockets, 50_000);
        assert_eq!(options.take("MaximumSockets", &10.into()), Some(Ok(())));
        assert_eq!(options.take("SOCKETSTOPSECONDS", &"0".into()), Some(Ok(())));
        assert_eq!(options.sockets.sockets, 10);
        assert_eq!(options.socket_stop_window, Duration::ZERO);
        let refused = options.take("SocketPingSeconds", &30.into()).unwrap().unwrap_err();
        assert_eq!(refused, "Quarterdeck.SocketPingSeconds must be a whole number from 1 to 29");
        assert!(options.take("SocketPingSeconds", &"soon".into()).unwrap().is_err());
        let refused = options.take("MetricsToken", &"guess".into()).unwrap().unwrap_err();
        assert_eq!(refused, "Quarterdeck.MetricsToken must have 16 characters or more");
        assert!(options.metrics_token.is_none());
        assert_eq!(options.take("METRICSTOKEN", &"0123456789abcdef".into()), Some(Ok(())));
        assert_eq!(options.metrics_token.as_ref().unwrap().expose(), "0123456789abcdef");
        assert!(options.take("Unheard", &1.into()).is_none());
        assert!(!options.support_packet_needs_license);
        assert_eq!(options.take("SUPPORTPACKETNEEDSLICENSE", &"true".into()), Some(Ok(())));
        assert!(options.support_packet_needs_license);
        let refused = options.take("SupportPacketNeedsLicense", &"perhaps".into()).unwrap().unwrap_err();
        assert_eq!(refused, "Quarterdeck.SupportPacketNeedsLicense must be true or false");
    }

    #[test]
    fn a_server_for_tests_has_a_key_of_its_own_where_one_is_named() {
        let mut options = Options::default();
        assert_eq!(options.license_public_key_file("test"), (LICENSE_KEY, ""));
        options.take(LICENSE_KEY, &"usual".into());
        assert_eq!(options.license_public_key_file("dev"), (LICENSE_KEY, "usual"));
        options.take(TEST_LICENSE_KEY, &"test".into());
        assert_eq!(options.license_public_key_file("dev"), (TEST_LICENSE_KEY, "test"));
        assert_eq!(options.license_public_key_file("production"), (LICENSE_KEY, "usual"));
    }

    #[test]
    fn trusted_proxies_are_a_list_or_a_text_and_a_name_is_refused() {
        let mut options = Options::default();
        assert_eq!(options.trusted_proxies, None);
        assert_eq!(options.take("TrustedProxies", &serde_json::json!(["10.0.0.0/8", "::1"])), Some(Ok(())));
        let listed = options.trusted_proxies.clone();
        assert_eq!(options.take("TRUSTEDPROXIES", &"10.0.0.0/8, ::1".into()), Some(Ok(())));
        assert_eq!(options.trusted_proxies.as_ref(), listed.as_ref());
        let refused = options.take("TrustedProxies", &"10.0.0.1,proxy".into()).unwrap().unwrap_err();
        let wanted = "Quarterdeck.TrustedProxies must be a list of addresses and networks in CIDR notation";
        assert_eq!(refused, format!("{wanted}, and \"proxy\" is neither"));
        assert!(options.take("TrustedProxies", &1.into()).unwrap().is_err());
    }

    #[test]
    fn every_option_has_a_default_within_its_bounds() {
        for row in TABLE {
            if let Accepted::Number { default, min, max, .. } = row.value {
                assert!((min..=max).contains(&default), "{}", row.name);
            }
        }
    }
}
