//! Settings of the section `[Quarterdeck]` of `config.toml`, which Mattermost does not define.
//!
//! An environment variable `MM_QUARTERDECK_<NAME>` overrides the file. Options are read at the start only, and the API
//! neither shows nor changes them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use quarterdeck_actors::hub::Limits;
use quarterdeck_actors::secret::Secret;
use serde_json::Value;

use crate::base::network::TrustedProxies;

/// The name of the section.
pub(crate) const SECTION: &str = "Quarterdeck";

/// A numeric option: its name, its default, its smallest and its largest value.
struct Row {
    name: &'static str,
    default: i64,
    least: i64,
    most: i64,
}

const fn row(name: &'static str, default: i64, least: i64, most: i64) -> Row {
    Row { name, default, least, most }
}

const TABLE: &[Row] = &[
    row("AnalyticsAgeSeconds", 300, 0, 86_400),
    row("AnalyticsTimeoutSeconds", 30, 1, 600),
    row("AuditRetentionDays", 0, 0, 36_500),
    row("BodyMemoryMegabytes", 64, 1, 65_536),
    row("DrainSeconds", 0, 0, 600),
    row("ImageProxyMegabytes", 10, 1, 100),
    row("MaximumConnections", 60_000, 1, 1_000_000),
    row("MaximumConnectionsPerAddress", 1_000, 1, 1_000_000),
    row("MaximumSockets", 50_000, 1, 1_000_000),
    row("MaximumSocketsPerUser", 500, 1, 1_000_000),
    row("PasswordQueue", 256, 8, 65_536),
    row("PasswordQueuePerCaller", 64, 4, 65_536),
    row("ReleaseStallSeconds", 30, 1, 300),
    row("SocketMemoryMegabytes", 256, 1, 65_536),
    row("SocketPingSeconds", 25, 1, 29),
    row("SocketSilenceSeconds", 100, 2, 3_600),
    row("SocketResumeSeconds", 300, 0, 86_400),
    row("SocketStopSeconds", 5, 0, 25),
    row("StopSeconds", 30, 1, 3_600),
];

/// The options whose value is text.
const TEXTS: [&str; 7] =
    [AUDIT_KEY_FILE, LATEST_VERSION, LICENSE_KEY, METRICS_TOKEN, RELEASE, RELEASE_KEY, TEST_LICENSE_KEY];

/// The option with the path of the file that contains the keys of the audit trail.
const AUDIT_KEY_FILE: &str = "AuditKeyFile";

/// The option with the URL that returns the latest release.
const LATEST_VERSION: &str = "LatestVersionURL";

/// The default of that URL: the releases of Mattermost, because clients compare their version with it.
const LATEST_VERSION_DEFAULT: &str = "https://api.github.com/repos/mattermost/mattermost-server/releases/latest";

/// The option with the path of the public key that verifies licences.
const LICENSE_KEY: &str = "LicensePublicKeyFile";

/// The option with the path of the public key that verifies licences on servers for tests and developers.
const TEST_LICENSE_KEY: &str = "LicenseTestPublicKeyFile";

/// The option with the token that Prometheus sends to read the metrics on the API's address.
const METRICS_TOKEN: &str = "MetricsToken";

/// The minimum length of that token, in characters. A shorter one is guessable and is refused.
const MIN_TOKEN_CHARACTERS: usize = 16;

/// The option with the URL of the manifest of this program's newest release.
const RELEASE: &str = "ReleaseURL";

/// The option with the path of the public key that verifies manifests of releases.
const RELEASE_KEY: &str = "ReleasePublicKeyFile";

/// The options whose value is true or false; the default is false.
const FLAGS: [&str; 1] = [PACKET_LICENSE];

/// The option that allows support packets only while a licence is in force.
const PACKET_LICENSE: &str = "SupportPacketNeedsLicense";

/// The option with the networks of the proxies in front of this server.
const TRUSTED_PROXIES: &str = "TrustedProxies";

const MILLISECONDS: i64 = 1_000;

/// The options that are set.
#[derive(Clone, Default)]
pub struct Options {
    numbers: BTreeMap<&'static str, i64>,
    texts: BTreeMap<&'static str, String>,
    flags: BTreeMap<&'static str, bool>,
    trusted_proxies: Option<TrustedProxies>,
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of text options are not shown: one of them is a token.
        let texts: Vec<_> = self.texts.keys().collect();
        let mut shown = formatter.debug_struct("Options");
        shown.field("numbers", &self.numbers).field("texts", &texts).field("flags", &self.flags).finish_non_exhaustive()
    }
}

impl Options {
    /// Sets one option. Returns the error if the value is invalid, and `None` if there is no option of that name.
    pub(crate) fn take(&mut self, name: &str, value: &Value) -> Option<Result<(), String>> {
        if let Some(name) = TEXTS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            let Some(text) = value.as_str() else { return Some(Err(format!("{SECTION}.{name} must be a string"))) };
            let is_guessable = *name == METRICS_TOKEN && (1..MIN_TOKEN_CHARACTERS).contains(&text.chars().count());
            if is_guessable {
                return Some(Err(format!("{SECTION}.{name} must have {MIN_TOKEN_CHARACTERS} characters or more")));
            }
            self.texts.insert(name, text.to_owned());
            return Some(Ok(()));
        }
        if let Some(name) = FLAGS.iter().find(|known| known.eq_ignore_ascii_case(name)) {
            let Some(flag) = value.as_bool().or_else(|| value.as_str()?.parse().ok()) else {
                return Some(Err(format!("{SECTION}.{name} must be true or false")));
            };
            self.flags.insert(name, flag);
            return Some(Ok(()));
        }
        if TRUSTED_PROXIES.eq_ignore_ascii_case(name) {
            return Some(self.take_proxies(value));
        }
        let row = TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name))?;
        let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let number = number.filter(|number| (row.least..=row.most).contains(number));
        let Some(number) = number else {
            return Some(Err(format!(
                "{SECTION}.{} must be a whole number from {} to {}",
                row.name, row.least, row.most
            )));
        };
        self.numbers.insert(row.name, number);
        Some(Ok(()))
    }

    /// Sets the trusted proxies from a list of networks, or from a text with networks between commas or spaces.
    fn take_proxies(&mut self, value: &Value) -> Result<(), String> {
        let wanted =
            || format!("{SECTION}.{TRUSTED_PROXIES} must be a list of addresses and networks in CIDR notation");
        let texts: Option<Vec<&str>> = match value {
            Value::Array(items) => items.iter().map(Value::as_str).collect(),
            Value::String(text) => {
                Some(text.split([',', ' ']).map(str::trim).filter(|text| !text.is_empty()).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        };
        let proxies = TrustedProxies::read(texts.ok_or_else(wanted)?.into_iter());
        self.trusted_proxies = Some(proxies.map_err(|text| format!("{}, and {text:?} is neither", wanted()))?);
        Ok(())
    }

    /// Returns the networks of the proxies in front of this server; `None` if the option is not set.
    pub(crate) fn trusted_proxies(&self) -> Option<&TrustedProxies> {
        self.trusted_proxies.as_ref()
    }

    /// Returns the names of all options, as they are written in the file.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        TABLE
            .iter()
            .map(|row| row.name)
            .chain(TEXTS)
            .chain(FLAGS)
            .chain([TRUSTED_PROXIES])
            .map(|name| format!("{SECTION}.{name}"))
    }

    /// Returns the limits that all sockets share.
    pub(crate) fn socket_limits(&self) -> Limits {
        Limits {
            sockets: self.count("MaximumSockets"),
            sockets_per_user: self.count("MaximumSocketsPerUser"),
            held_bytes: self.count("SocketMemoryMegabytes") << 20,
            ping_ms: self.number("SocketPingSeconds") * MILLISECONDS,
            silence_ms: self.number("SocketSilenceSeconds") * MILLISECONDS,
            resume_ms: self.number("SocketResumeSeconds") * MILLISECONDS,
            ..Limits::default()
        }
    }

    /// Returns the number of passwords that may wait to be hashed: for all callers together, and for one caller.
    pub(crate) fn password_queue(&self) -> (usize, usize) {
        (self.count("PasswordQueue"), self.count("PasswordQueuePerCaller"))
    }

    /// Returns the memory for the bodies of all requests, in bytes.
    pub(crate) fn body_bytes(&self) -> usize {
        self.count("BodyMemoryMegabytes") << 20
    }

    /// Returns the largest number of connections, in total and for each address.
    pub(crate) fn connection_limits(&self) -> (usize, usize) {
        (self.count("MaximumConnections"), self.count("MaximumConnectionsPerAddress"))
    }

    /// Returns the time over which sockets are closed when the server stops.
    pub(crate) fn socket_stop_window(&self) -> Duration {
        Duration::from_secs(self.number("SocketStopSeconds").unsigned_abs())
    }

    /// Returns how long the server still handles requests after the signal to stop, while readiness returns 503.
    pub(crate) fn drain_window(&self) -> Duration {
        Duration::from_secs(self.number("DrainSeconds").unsigned_abs())
    }

    /// Returns the time limit for requests and their responses to finish after the listeners closed.
    pub(crate) fn stop_limit(&self) -> Duration {
        Duration::from_secs(self.number("StopSeconds").unsigned_abs())
    }

    /// Returns the age in days at which audit rows are deleted; `None` if they are kept forever.
    pub(crate) fn audit_retention_days(&self) -> Option<i64> {
        Some(self.number("AuditRetentionDays")).filter(|days| *days > 0)
    }

    /// Returns the path of the file with the keys of the audit trail; `None` for the default path.
    pub(crate) fn audit_key_file(&self) -> Option<PathBuf> {
        self.texts.get(AUDIT_KEY_FILE).filter(|file| !file.is_empty()).map(PathBuf::from)
    }

    /// Returns the largest age of the site's figures, and the timeout of one statement that counts them.
    pub(crate) fn analytics_limits(&self) -> (Duration, Duration) {
        let seconds = |name| Duration::from_secs(self.number(name).unsigned_abs());
        (seconds("AnalyticsAgeSeconds"), seconds("AnalyticsTimeoutSeconds"))
    }

    /// Returns the largest image that the image proxy fetches, in bytes.
    pub(crate) fn image_proxy_bytes(&self) -> usize {
        self.count("ImageProxyMegabytes") << 20
    }

    /// Returns the option that names the public key for licences on a server for `purpose`, and its value (empty if
    /// unset). A server for tests or developers falls back to the production key.
    pub(crate) fn license_public_key_file(&self, purpose: &str) -> (&'static str, &str) {
        let named = |option| (option, self.texts.get(option).map_or("", String::as_str));
        let test = Some(named(TEST_LICENSE_KEY)).filter(|(_, file)| purpose != "production" && !file.is_empty());
        test.unwrap_or_else(|| named(LICENSE_KEY))
    }

    /// Returns the URL of the manifest of this program's newest release, and the path of the key that verifies it. Both
    /// are empty if unset.
    pub(crate) fn release_source(&self) -> (&str, &str) {
        let given = |option| self.texts.get(option).map_or("", String::as_str);
        (given(RELEASE), given(RELEASE_KEY))
    }

    /// Returns the time without progress after which the download of a release fails.
    pub(crate) fn release_silence(&self) -> Duration {
        Duration::from_secs(self.number("ReleaseStallSeconds").unsigned_abs())
    }

    /// Returns the URL that returns the latest release.
    pub(crate) fn latest_version_url(&self) -> &str {
        self.texts.get(LATEST_VERSION).map_or(LATEST_VERSION_DEFAULT, String::as_str)
    }

    /// Returns the token for reading the metrics on the API's address; `None` if they are not available there.
    pub(crate) fn metrics_token(&self) -> Option<Secret> {
        self.texts.get(METRICS_TOKEN).filter(|token| !token.is_empty()).map(|token| Secret::new(token.as_str()))
    }

    /// Returns true if support packets are allowed only while a licence is in force.
    pub(crate) fn support_packet_needs_license(&self) -> bool {
        self.flags.get(PACKET_LICENSE).copied().unwrap_or_default()
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    fn number(&self, name: &str) -> i64 {
        let default = || TABLE.iter().find(|row| row.name == name).map_or(0, |row| row.default);
        self.numbers.get(name).copied().unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_among_the_options_is_not_printed() {
        let mut options = Options::default();
        assert_eq!(options.take(METRICS_TOKEN, &"canary-0123456789".into()), Some(Ok(())));
        let text = format!("{options:?}");
        assert!(text.contains(METRICS_TOKEN) && !text.contains("canary"), "{text}");
    }

    #[test]
    fn an_option_keeps_its_default_until_it_is_given_within_its_bounds() {
        let mut options = Options::default();
        assert_eq!(options.socket_limits().sockets, 50_000);
        assert_eq!(options.take("MaximumSockets", &10.into()), Some(Ok(())));
        assert_eq!(options.take("SOCKETSTOPSECONDS", &"0".into()), Some(Ok(())));
        assert_eq!(options.socket_limits().sockets, 10);
        assert_eq!(options.socket_stop_window(), Duration::ZERO);
        let refused = options.take("SocketPingSeconds", &30.into()).unwrap().unwrap_err();
        assert_eq!(refused, "Quarterdeck.SocketPingSeconds must be a whole number from 1 to 29");
        assert!(options.take("SocketPingSeconds", &"soon".into()).unwrap().is_err());
        let refused = options.take("MetricsToken", &"guess".into()).unwrap().unwrap_err();
        assert_eq!(refused, "Quarterdeck.MetricsToken must have 16 characters or more");
        assert!(options.metrics_token().is_none());
        assert_eq!(options.take("METRICSTOKEN", &"0123456789abcdef".into()), Some(Ok(())));
        assert_eq!(options.metrics_token().unwrap().expose(), "0123456789abcdef");
        assert!(options.take("Unheard", &1.into()).is_none());
        assert!(!options.support_packet_needs_license());
        assert_eq!(options.take("SUPPORTPACKETNEEDSLICENSE", &"true".into()), Some(Ok(())));
        assert!(options.support_packet_needs_license());
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
        assert_eq!(options.trusted_proxies(), None);
        assert_eq!(options.take("TrustedProxies", &serde_json::json!(["10.0.0.0/8", "::1"])), Some(Ok(())));
        let listed = options.trusted_proxies().cloned();
        assert_eq!(options.take("TRUSTEDPROXIES", &"10.0.0.0/8, ::1".into()), Some(Ok(())));
        assert_eq!(options.trusted_proxies(), listed.as_ref());
        let refused = options.take("TrustedProxies", &"10.0.0.1,proxy".into()).unwrap().unwrap_err();
        let wanted = "Quarterdeck.TrustedProxies must be a list of addresses and networks in CIDR notation";
        assert_eq!(refused, format!("{wanted}, and \"proxy\" is neither"));
        assert!(options.take("TrustedProxies", &1.into()).unwrap().is_err());
    }

    #[test]
    fn every_option_has_a_default_within_its_bounds() {
        for row in TABLE {
            assert!((row.least..=row.most).contains(&row.default), "{}", row.name);
        }
    }
}
