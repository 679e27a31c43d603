//! A scenario as data: the requests of a mix, their proportions, and the load, in TOML.
//!
//! Each value checks itself while it is read, so that an error has the line of the value.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;

use super::attack::Hostile;
use super::condition::Condition;
use super::deliveries::Cluster;
use super::span::{Length, Think, Timeout};
use super::template::{Template, Variable};
use super::visits::Visit;

/// The version of the format, which every file names.
const FORMAT: u64 = 1;

/// The maximum size of a file, in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 256 * 1024;

const MAX_REQUESTS: usize = 100;
const MAX_HEADERS: usize = 20;
const MAX_PATH_BYTES: usize = 2048;

/// The maximum rate, in requests a second, and the maximum number of users.
pub(crate) const MAX_RATE: f64 = 1_000_000.0;
pub(crate) const MAX_USERS: u64 = 10_000;
pub(crate) const MAX_ACCOUNTS: u64 = 1000;
pub(crate) const MAX_SOCKETS: u64 = 25_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mix {
    #[expect(dead_code, reason = "it is only checked")]
    format: Format,
    /// One sentence for people.
    pub(crate) about: Line,
    /// The permanent change that a run makes to a server, for mixes that change more than their own accounts.
    pub(crate) changes: Option<Line>,
    pub(crate) load: Load,
    /// The conditions by which a run fails, unless the command line has some.
    #[serde(default)]
    pub(crate) fail_if: Vec<Condition>,
    /// The attackers beside the ordinary clients.
    pub(crate) attack: Option<Hostile>,
    /// The servers on one database, if there are several.
    pub(crate) cluster: Option<Cluster>,
    #[serde(rename = "request")]
    pub(crate) requests: Vec<Request>,
}

/// The load unless the command line says otherwise: either `rate` or `concurrency`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Load {
    /// Requests a second, at times that do not depend on the responses.
    pub(crate) rate: Option<Rate>,
    /// The number of users who each wait for a response before the next request.
    pub(crate) concurrency: Option<Count<MAX_USERS>>,
    /// The number of users of a rate, each with a connection.
    pub(crate) users: Option<Count<MAX_USERS>>,
    /// The number of accounts that the users have.
    pub(crate) accounts: Option<Count<MAX_ACCOUNTS>>,
    /// The number of sockets that are open during the run, divided among the accounts.
    pub(crate) sockets: Option<Count<MAX_SOCKETS>>,
    /// The number of requests of a rate that start at the same moment; 1 if it is left out.
    pub(crate) burst: Option<Count<MAX_USERS>>,
    pub(crate) timeout: Option<Timeout>,
    /// The duration of the measurement.
    pub(crate) duration: Option<Length>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) name: Name,
    /// The proportion of this request among the requests of the mix; 1 if it is left out.
    pub(crate) weight: Option<Count<1_000_000>>,
    /// The number of connections that repeat this request all the time, beside the mix. Its figures stand apart.
    pub(crate) background: Option<Count<1000>>,
    #[serde(default)]
    pub(crate) method: Method,
    pub(crate) path: Path,
    #[serde(default)]
    pub(crate) headers: BTreeMap<HeaderName, Line>,
    pub(crate) body: Option<Template>,
    #[serde(default)]
    pub(crate) auth: Auth,
    /// True if the request ends when its event is at the sockets of its account at the other nodes.
    #[serde(default)]
    pub(crate) delivery: bool,
    /// Opens a socket instead of sending a request.
    pub(crate) socket: Option<Visit>,
    /// The time that a user of a closed loop waits after the response, on average.
    pub(crate) think: Option<Think>,
    /// The statuses that are a success; without them, every 2xx is one.
    #[serde(default)]
    pub(crate) expect: Vec<Status>,
}

/// The caller of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    #[default]
    None,
    User,
    Admin,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Mix {
    /// Reads a mix. An error names the line.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mix: Self = toml::from_str(text).map_err(|cause| cause.to_string())?;
        mix.check()?;
        Ok(mix)
    }

    /// Checks the rules that concern several values.
    fn check(&self) -> Result<(), String> {
        if self.load.rate.is_some() == self.load.concurrency.is_some() {
            return Err("[load] needs either rate or concurrency".into());
        }
        let count = self.requests.len();
        if count > MAX_REQUESTS || self.requests.iter().all(|request| request.background.is_some()) {
            return Err(format!(
                "a mix has 1 to {MAX_REQUESTS} requests, and not only background ones; this has {count}"
            ));
        }
        if self.fail_if.iter().any(Condition::is_ratio) {
            return Err("a condition of a mix has no ratio, because a run may have one server".into());
        }
        if self.load.burst.is_some() && self.load.rate.is_none() {
            return Err("a burst needs a rate".into());
        }
        if self.cluster.is_some_and(|cluster| cluster.nodes.0 < 2) {
            return Err("a cluster has two nodes or more".into());
        }
        let mut names = BTreeSet::new();
        for request in &self.requests {
            let name = &request.name.0;
            if !names.insert(name) {
                return Err(format!("two requests have the name {name}"));
            }
            if request.background.is_some() && request.weight.is_some() {
                return Err(format!("{name} has a weight and is in the background; it can have one of both"));
            }
            if request.socket.is_some() && !request.can_be_socket() {
                return Err(format!(
                    "{name} opens a socket; it is a GET without a body, a query and expected statuses"
                ));
            }
            let carries_number = request.body.as_ref().is_some_and(|body| body.uses(&[Variable::Publication]));
            let can_be_delivered = self.cluster.is_some() && carries_number && request.auth == Auth::User;
            if request.delivery && !can_be_delivered {
                return Err(format!(
                    "the delivery of {name} needs [cluster], a user and the variable publication in the body"
                ));
            }
            if request.headers.len() > MAX_HEADERS {
                return Err(format!("{name} has more than {MAX_HEADERS} headers"));
            }
        }
        Ok(())
    }

    pub(crate) fn uses(&self, wanted: &[Variable]) -> bool {
        self.requests
            .iter()
            .any(|request| request.path.0.uses(wanted) || request.body.as_ref().is_some_and(|body| body.uses(wanted)))
    }

    pub(crate) fn calls_as(&self, auth: Auth) -> bool {
        self.requests.iter().any(|request| request.auth == auth)
    }
}

impl Request {
    fn can_be_socket(&self) -> bool {
        let has_query = self.path.0.fixed().is_none_or(|path| path.contains('?'));
        self.method == Method::Get && self.body.is_none() && self.expect.is_empty() && !has_query
    }

    pub(crate) fn think_time(&self) -> Duration {
        self.think.map_or(Duration::ZERO, |span| span.0)
    }
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
struct Format;

impl TryFrom<u64> for Format {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        let is_known = number == FORMAT;
        if is_known {
            Ok(Self)
        } else {
            Err(format!("format {number} is not known; this program reads format {FORMAT}"))
        }
    }
}

/// A count from 1 to `MAX`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub(crate) struct Count<const MAX: u64>(pub(crate) u64);

impl<const MAX: u64> TryFrom<u64> for Count<MAX> {
    type Error = String;

    fn try_from(count: u64) -> Result<Self, String> {
        if (1..=MAX).contains(&count) { Ok(Self(count)) } else { Err(format!("{count} is not between 1 and {MAX}")) }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Rate(pub(crate) f64);

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        let is_rate = (0.01..=MAX_RATE).contains(&rate);
        if is_rate {
            Ok(Self(rate))
        } else {
            Err(format!("{rate} is not between 0.01 and {MAX_RATE} requests a second"))
        }
    }
}

/// The name of a request: letters, digits, `-` and `_`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Name(pub(crate) String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let is_name = (1..=40).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if is_name { Ok(Self(name)) } else { Err(format!("`{name}` is not a name: 1 to 40 letters, digits, - and _")) }
    }
}

/// A text without line ends, such as the value of a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Line(pub(crate) String);

impl TryFrom<String> for Line {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_line = text.len() <= MAX_PATH_BYTES && !text.chars().any(char::is_control);
        if is_line { Ok(Self(text)) } else { Err("the text is too long or has a line end".into()) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HeaderName(pub(crate) String);

impl TryFrom<String> for HeaderName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        const OWN: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "authorization"];
        let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_token || name.len() > 64 {
            return Err(format!("`{name}` is not the name of a header"));
        }
        let is_own = OWN.contains(&name.to_ascii_lowercase().as_str());
        if is_own { Err(format!("the program itself writes the header {name}")) } else { Ok(Self(name)) }
    }
}

/// A path below the address of the server, with its query.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Path(pub(crate) Template);

impl TryFrom<String> for Path {
    type Error = String;

    fn try_from(path: String) -> Result<Self, String> {
        let is_path = path.starts_with('/') && path.len() <= MAX_PATH_BYTES;
        let is_line = path.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_path || !is_line {
            return Err("a path begins with a slash and has no blanks and no letters beyond ASCII".into());
        }
        Ok(Self(Template::try_from(path)?))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "u16")]
pub(crate) struct Status(pub(crate) u16);

impl TryFrom<u16> for Status {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        if (200..600).contains(&status) {
            Ok(Self(status))
        } else {
            Err(format!("{status} is not the status of a response"))
        }
    }
}

#[cfg(test)]
mod tests;
