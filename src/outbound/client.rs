//! The one HTTP client for calls to other servers, with its limits and its address policy.
//!
//! The client resolves names itself, checks all addresses, and connects to a checked address. Proxies from environment
//! variables are ignored, because they would resolve names again without the policy.

mod address;
mod allowed;
mod failure;
mod incoming;
mod names;
mod networks;
mod permits;
mod policy;
mod redirects;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use rustls::RootCertStore;
use serde::Serialize;
use tokio::time::timeout;

use crate::base::trust::{machine_roots, with_roots};
use crate::base::version::VERSION;
use address::Place;
pub(crate) use failure::CallFailure;
pub(crate) use incoming::Incoming;
use names::{CheckedAddresses, Names, SystemNames};
pub(crate) use networks::is_metadata;
use permits::Pools;
pub(crate) use policy::Chosen;
use policy::Policy;
use redirects::next_of;

/// The maximum deadline of a call.
const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The timeout for resolving a name, and again for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The default maximum number of redirects.
const DEFAULT_MAX_REDIRECTS: usize = 10;

/// The maximum number of simultaneous calls by the server itself, to hosts in the configuration.
const MAX_SERVER_CALLS: usize = 64;

/// The maximum number of simultaneous calls by operators.
const MAX_OPERATOR_CALLS: usize = 16;

/// The maximum number of simultaneous calls by all users together, and by each user (`MAX_CALLS_PER_USER`).
const MAX_USER_CALLS: usize = 48;
const MAX_CALLS_PER_USER: usize = 6;

/// The maximum numbers of simultaneous DNS look-ups. A look-up cannot be cancelled, so it counts until it ends.
const MAX_SERVER_LOOK_UPS: usize = 8;
const MAX_OPERATOR_LOOK_UPS: usize = 8;
const MAX_USER_LOOK_UPS: usize = 16;
const MAX_LOOK_UPS_PER_USER: usize = 3;

/// A request to another server, and its limits.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) chosen: Chosen<'a>,
    /// The maximum number of redirects; with 0 a redirect is returned as the response.
    pub(crate) redirects: usize,
    /// The maximum size of the response body, in bytes; with 0 the body is not read.
    pub(crate) largest_answer: usize,
    /// The time limit for the whole call; at most 30 s.
    pub(crate) deadline: Duration,
}

impl<'a> Call<'a> {
    /// Creates a `GET` request that returns status and headers only, with a deadline of 30 s and up to ten redirects.
    pub(crate) fn get(url: String, chosen: Chosen<'a>) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            chosen,
            redirects: DEFAULT_MAX_REDIRECTS,
            largest_answer: 0,
            deadline: MAX_CALL_TIMEOUT,
        }
    }

    /// Creates a `POST` request with `value` as JSON, with a deadline of 30 s and without redirects.
    pub(crate) fn post(url: String, chosen: Chosen<'a>, value: &impl Serialize) -> Result<Self, CallFailure> {
        let body = serde_json::to_vec(value).map_err(|cause| CallFailure::Message(cause.to_string()))?;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Ok(Self { method: Method::POST, headers, body: body.into(), redirects: 0, ..Self::get(url, chosen) })
    }
}

/// The response to a call.
pub(crate) struct Received {
    pub(crate) host: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl fmt::Debug for Received {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Received");
        shown.field("host", &self.host).field("status", &self.status).finish_non_exhaustive()
    }
}

impl Received {
    /// Refuses all statuses but 200.
    pub(crate) fn ok(self) -> Result<Self, CallFailure> {
        let Self { status, .. } = self;
        if status == 200 { Ok(self) } else { Err(CallFailure::Status { host: self.host, status }) }
    }
}

/// The HTTP client for other servers, with its limits.
pub(crate) struct Outbound {
    names: Arc<dyn Names>,
    tls: rustls::ClientConfig,
    calls: Pools,
    look_ups: Pools,
}

impl Outbound {
    /// Creates the client with the root certificates of the operating system.
    pub(crate) fn new() -> Result<Self, AppError> {
        Self::with(Arc::new(SystemNames), machine_roots())
    }

    fn with(names: Arc<dyn Names>, roots: RootCertStore) -> Result<Self, AppError> {
        let tls = with_roots(roots).or_fail("app.outbound.client.app_error")?;
        let calls = Pools::new(MAX_SERVER_CALLS, MAX_OPERATOR_CALLS, MAX_USER_CALLS, MAX_CALLS_PER_USER);
        let look_ups = Pools::new(MAX_SERVER_LOOK_UPS, MAX_OPERATOR_LOOK_UPS, MAX_USER_LOOK_UPS, MAX_LOOK_UPS_PER_USER);
        Ok(Self { names, tls, calls, look_ups })
    }

    /// Sends a call and reads the response, up to the maximum size of its body.
    pub(crate) async fn call(&self, call: Call<'_>, service: &ServiceSettings) -> Result<Received, CallFailure> {
        let (deadline, largest) = (call.deadline.min(MAX_CALL_TIMEOUT), call.largest_answer);
        let calling = async {
            let _permit = self.calls.permit(call.chosen).await?;
            let (url, answer) = self.follow(call, service).await?;
            receive(&url, answer, largest).await
        };
        timeout(deadline, calling).await.unwrap_or(Err(CallFailure::Late(deadline)))
    }

    /// Sends a call whose response is too large for memory. The caller reads the body piece by piece, within its own
    /// limits; the deadline applies to everything before the body.
    pub(crate) async fn open(&self, call: Call<'_>, service: &ServiceSettings) -> Result<Incoming, CallFailure> {
        let deadline = call.deadline.min(MAX_CALL_TIMEOUT);
        let calling = async {
            let permit = self.calls.permit(call.chosen).await?;
            let (url, answer) = self.follow(call, service).await?;
            Ok(Incoming::new(&url, answer, permit))
        };
        timeout(deadline, calling).await.unwrap_or(Err(CallFailure::Late(deadline)))
    }

    async fn follow(
        &self,
        mut call: Call<'_>,
        service: &ServiceSettings,
    ) -> Result<(Url, reqwest::Response), CallFailure> {
        let mut url = address::read(&call.url)?;
        let policy = Policy::new(call.chosen, &url, service);
        for _ in 0..=call.redirects {
            let answer = self.send(&call, &url, &policy, service).await?;
            let next = if call.redirects == 0 { None } else { next_of(&url, &answer)? };
            let Some(next) = next else { return Ok((url, answer)) };
            policy.check_redirect(&url, &next)?;
            redirects::change(&mut call, answer.status(), &url, &next);
            url = next;
        }
        Err(CallFailure::Redirects(call.redirects))
    }

    async fn send(
        &self,
        call: &Call<'_>,
        url: &Url,
        policy: &Policy<'_>,
        service: &ServiceSettings,
    ) -> Result<reqwest::Response, CallFailure> {
        let place = Place::of(url).ok_or_else(|| CallFailure::Address("it has no host".to_owned()))?;
        let addresses = self.addresses(&place, call.chosen).await?;
        policy.check(&place, &addresses)?;
        let failed = |cause| CallFailure::of(&place.host, cause, CONNECT_TIMEOUT);
        let client = self.client(&place, &addresses, service).map_err(failed)?;
        let request = client.request(call.method.clone(), url.clone()).headers(call.headers.clone());
        request.body(call.body.clone()).send().await.map_err(failed)
    }

    async fn addresses(&self, place: &Place, chosen: Chosen<'_>) -> Result<Vec<IpAddr>, CallFailure> {
        if let Some(address) = place.literal() {
            return Ok(vec![address]);
        }
        let permit = self.look_ups.permit(chosen).await?;
        let found = timeout(CONNECT_TIMEOUT, self.names.look_up(&place.host, permit)).await;
        let found = found.unwrap_or_else(|late| Err(late.into()));
        let found = found.and_then(|found| {
            let is_known = !found.is_empty();
            is_known.then_some(found).ok_or_else(|| std::io::Error::other("it has no address"))
        });
        found.map_err(|cause| CallFailure::Unresolved { host: place.host.clone(), cause })
    }

    /// Creates a client that can connect to these addresses only. It keeps no connection open, because the next call
    /// may be under another policy.
    fn client(
        &self,
        place: &Place,
        addresses: &[IpAddr],
        service: &ServiceSettings,
    ) -> reqwest::Result<reqwest::Client> {
        let checked = addresses.iter().map(|address| SocketAddr::new(*address, place.port)).collect();
        let builder = reqwest::Client::builder()
            .user_agent(format!("Quarterdeck/{VERSION}"))
            .dns_resolver(CheckedAddresses(checked))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT);
        let builder = if service.enable_insecure_outgoing_connections {
            builder.tls_danger_accept_invalid_certs(true)
        } else {
            builder.tls_backend_preconfigured(self.tls.clone())
        };
        builder.build()
    }
}

async fn receive(url: &Url, mut answer: reqwest::Response, largest: usize) -> Result<Received, CallFailure> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while largest > 0
        && let Some(chunk) = answer.chunk().await.map_err(|cause| CallFailure::of(&host, cause, MAX_CALL_TIMEOUT))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > largest {
            return Err(CallFailure::TooLarge(largest));
        }
    }
    Ok(Received { status: answer.status().as_u16(), host, headers, body: body.into() })
}

#[cfg(test)]
mod tests;
