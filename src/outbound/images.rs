//! The image proxy: fetches images of other sites, so that those sites do not see a reader's address and cookies.

mod kind;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::view::{ImageProxySettings, View};
use quarterdeck_actors::error::{AppError, OrFail};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout_at};

use crate::base::budget::{Budget, Reservation};
use crate::outbound::client::{Call, CallFailure, Chosen, Incoming, Outbound};
use kind::{KINDS, Kind};

/// The time limit for fetching an image.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// A fetched image.
pub(crate) struct Image {
    pub(crate) body: Bytes,
    /// The content type according to the image's bytes, not its host.
    pub(crate) content_type: &'static str,
    /// The headers of the host's response.
    pub(crate) headers: HeaderMap,
    /// The image's bytes in the reader's budget; kept until the image is sent.
    pub(crate) room: Reservation,
}

/// The response to a reader's request for an image.
#[derive(Debug, PartialEq)]
pub(crate) enum ImageResponse {
    /// A redirect to this address.
    Elsewhere(String),
    /// The image itself, which the server fetches from this address.
    Here(Url),
}

/// Fetches images. Permits for calls limit their number, and the budget limits their total size.
pub(crate) struct Images {
    budget: Arc<Budget>,
    largest: usize,
}

impl Images {
    /// Creates a fetcher for images of at most `largest` bytes, whose total size `budget` limits.
    pub(crate) fn new(largest: usize, budget: Arc<Budget>) -> Self {
        Self { budget, largest }
    }

    /// Fetches an image for a user. Its kind and dimensions are read from its bytes.
    pub(crate) async fn fetch(
        &self,
        url: Url,
        user_id: &str,
        outbound: &Outbound,
        view: &View,
    ) -> Result<Image, AppError> {
        let deadline = Instant::now() + FETCH_TIMEOUT;
        let get = Call::get(url.into(), Chosen::ByUser(user_id));
        let call = Call { headers: HeaderMap::from_iter([(ACCEPT, accepted()?)]), deadline: FETCH_TIMEOUT, ..get };
        let incoming = outbound.open(call, &view.service).await.map_err(failure)?;
        if matches!(incoming.status(), 404 | 410) {
            return Err(AppError::new("app.image_proxy.not_found.app_error"));
        }
        let incoming = incoming.ok().map_err(failure)?;
        let headers = incoming.headers().clone();
        let reading = timeout_at(deadline, self.read(incoming, user_id)).await;
        let (body, room) = reading.unwrap_or_else(|_| Err(failure(CallFailure::Late(FETCH_TIMEOUT))))?;
        let kind = Kind::of(&body).ok_or_else(|| not_allowed("it is not an image of a supported type"))?;
        let max = u64::try_from(view.file.max_image_resolution).unwrap_or_default();
        if kind.pixels > max {
            return Err(not_allowed(&format!("it has more than {max} pixels")));
        }
        Ok(Image { body, content_type: kind.content_type, headers, room })
    }

    /// Reads a body while the budget has room for it.
    async fn read(&self, mut incoming: Incoming, user_id: &str) -> Result<(Bytes, Reservation), AppError> {
        let no_room = || AppError::new("app.request.responses_unread.app_error");
        let mut room = self.budget.room(user_id, 0).ok_or_else(no_room)?;
        let mut body = Vec::new();
        while let Some(piece) = incoming.next(FETCH_TIMEOUT).await.map_err(failure)? {
            if body.len() + piece.len() > self.largest {
                return Err(failure(CallFailure::TooLarge(self.largest)));
            }
            if !room.grow(piece.len()) {
                return Err(no_room());
            }
            body.extend_from_slice(&piece);
        }
        // The budget does not count spare capacity, so the vector is shrunk.
        body.shrink_to_fit();
        Ok((body.into(), room))
    }
}

/// Returns how a reader gets the image at `wanted`. The site URL completes a relative address.
pub(crate) fn response_for(wanted: &str, view: &View) -> Result<ImageResponse, AppError> {
    let proxy = &view.image_proxy;
    let site_url = &view.service.site_url;
    let site = if site_url.is_empty() {
        None
    } else {
        Some(Url::parse(site_url).or_fail("model.config.is_valid.site_url.app_error")?)
    };
    let url = address(wanted, site.as_ref()).ok_or_else(|| AppError::new("api.image.get.app_error"))?;
    let is_of_the_web = matches!(url.scheme(), "http" | "https");
    if !is_of_the_web || !proxy.enable {
        return Err(AppError::new("api.image.get.app_error"));
    }
    // An image of this site may be an image of this proxy. The scheme does not matter, so that the server never fetches
    // an image from itself.
    if site.is_some_and(|site| is_same_host(&site, &url)) {
        return Ok(ImageResponse::Elsewhere(url.into()));
    }
    if proxy.image_proxy_type != "atmos/camo" {
        return Ok(ImageResponse::Here(url));
    }
    let is_proxied = Url::parse(&proxy.remote_image_proxy_url).is_ok_and(|remote| is_same_host(&remote, &url));
    Ok(ImageResponse::Elsewhere(if is_proxied { url.into() } else { through_camo(url.as_str(), proxy) }))
}

/// Returns the address that a client means. What it lacks comes from the site. Returns `None` for an address without a
/// slash after its scheme (`https:a.example`, `mailto:`), which browsers and servers read differently.
fn address(wanted: &str, site: Option<&Url>) -> Option<Url> {
    let wanted = wanted.trim_matches(' ');
    // Parsers of addresses drop line breaks and tabs, also inside a scheme.
    if wanted.contains(char::is_control) {
        return None;
    }
    let (scheme, rest) = wanted.split_once(':').filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("", wanted));
    if scheme.is_empty() || rest.starts_with("//") {
        return Url::options().base_url(site).parse(wanted).ok();
    }
    if !rest.starts_with('/') {
        return None;
    }
    // A path without a host is one of this site.
    let mut url = site?.join(rest).ok()?;
    url.set_scheme(scheme).ok()?;
    Some(url)
}

/// Returns true if the text before a colon is a scheme (RFC 3986).
fn is_scheme(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.');
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(is_letter)
}

/// Returns true if two addresses have the same host and the same explicit port, or are of the same origin.
fn is_same_host(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin() || (one.host() == other.host() && one.port() == other.port())
}

/// Returns the image's address at a camo server, signed with the shared key.
fn through_camo(url: &str, proxy: &ImageProxySettings) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, proxy.remote_image_proxy_options.expose().as_bytes());
    let signature = HEXLOWER.encode(hmac::sign(&key, url.as_bytes()).as_ref());
    let server = proxy.remote_image_proxy_url.trim_end_matches('/');
    format!("{server}/{signature}/{}", HEXLOWER.encode(url.as_bytes()))
}

fn accepted() -> Result<HeaderValue, AppError> {
    let types: Vec<_> = KINDS.iter().map(|(_, content_type)| *content_type).collect();
    HeaderValue::from_str(&types.join(", ")).or_fail("app.image_proxy.fetch.app_error")
}

fn failure(cause: CallFailure) -> AppError {
    let id = match cause {
        CallFailure::Late(_) | CallFailure::Stalled { .. } => "app.image_proxy.late.app_error",
        CallFailure::TooLarge(max) => return not_allowed(&format!("it is larger than {max} bytes")),
        CallFailure::Address(_) => "api.image.get.app_error",
        CallFailure::Busy => "app.outbound.busy.app_error",
        CallFailure::Message(_)
        | CallFailure::Unresolved { .. }
        | CallFailure::Internal(_)
        | CallFailure::Certificate { .. }
        | CallFailure::Unreachable { .. }
        | CallFailure::Redirects(_)
        | CallFailure::Answer
        | CallFailure::Elsewhere { .. }
        | CallFailure::Status { .. } => "app.image_proxy.fetch.app_error",
    };
    AppError::new(id).because(cause)
}

fn not_allowed(reason: &str) -> AppError {
    AppError::new("app.image_proxy.not_allowed.app_error").with("Reason", reason)
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::table::defaults;
    use serde_json::json;

    use super::*;

    fn view(site_url: &str, proxy: &serde_json::Value) -> View {
        let mut document = defaults();
        document["ServiceSettings"]["SiteURL"] = json!(site_url);
        for (name, value) in proxy.as_object().unwrap() {
            document["ImageProxySettings"][name] = value.clone();
        }
        serde_json::from_value(document.into()).unwrap()
    }

    #[test]
    fn an_image_of_this_site_needs_no_proxy_and_one_of_another_does() {
        let view = view("https://chat.example/sub", &json!({ "Enable": true }));
        for own in ["/a.png", "https://chat.example/a.png", "//chat.example/a.png"] {
            assert_eq!(
                response_for(own, &view).unwrap(),
                ImageResponse::Elsewhere("https://chat.example/a.png".to_owned()),
                "{own}"
            );
        }
        for (own, there) in [
            ("http://chat.example/a.png", "http://chat.example/a.png"),
            ("https://CHAT.example:443/a.png", "https://chat.example/a.png"),
            ("http:/a.png", "http://chat.example/a.png"),
            ("HTTPS:/a.png", "https://chat.example/a.png"),
            (
                "https://chat.example/api/v4/image?url=https%3A%2F%2Fa.example%2Fb.png",
                "https://chat.example/api/v4/image?url=https%3A%2F%2Fa.example%2Fb.png",
            ),
        ] {
            assert_eq!(response_for(own, &view).unwrap(), ImageResponse::Elsewhere(there.to_owned()), "{own}");
        }
        for other in ["https://chat.example:444/a.png", "http://chat.example:444/a.png", "https://other.example/a.png"]
        {
            assert_eq!(response_for(other, &view).unwrap(), ImageResponse::Here(Url::parse(other).unwrap()));
        }
    }

    #[test]
    fn what_is_no_address_of_the_web_is_refused_and_so_is_all_while_the_proxy_is_off() {
        let on = view("", &json!({ "Enable": true }));
        for wrong in ["mailto:a@b.example", "file:///etc/passwd", "", "/a.png", "http://[", "data:image/png;base64,AA"]
        {
            assert_eq!(response_for(wrong, &on).unwrap_err().id, "api.image.get.app_error", "{wrong}");
        }
        let site = view("https://chat.example", &json!({ "Enable": true }));
        for opaque in [
            "http:xyz123?query",
            "https:a.example/a.png",
            "HTTPS:a.example",
            "http:\\\\a.example",
            "ht\ttp:a.example",
            " http:a.example",
            "http:\n//a.example",
            "localhost:8065/a.png",
            "mailto:a@b.example",
            "data:image/png;base64,AA",
        ] {
            assert_eq!(response_for(opaque, &site).unwrap_err().id, "api.image.get.app_error", "{opaque}");
        }
        assert_eq!(
            response_for("http://a.example/a.png", &view("", &json!({}))).unwrap_err().id,
            "api.image.get.app_error"
        );
        let broken = view("http://[", &json!({ "Enable": true }));
        assert_eq!(response_for("/a", &broken).unwrap_err().id, "model.config.is_valid.site_url.app_error");
    }

    // The key and the address come from camo's own documentation; the signature is their HMAC-SHA1.
    #[test]
    fn a_camo_server_gets_the_address_and_a_signature_in_hexadecimal() {
        let camo = json!({
            "Enable": true, "ImageProxyType": "atmos/camo",
            "RemoteImageProxyURL": "https://camo.example/", "RemoteImageProxyOptions": "0x24FEEDFACEDEADBEEFCAFE",
        });
        let response = response_for("http://a.example/b.png", &view("", &camo)).unwrap();
        let ImageResponse::Elsewhere(there) = response else { panic!("{response:?}") };
        let parts: Vec<_> = there.split('/').collect();
        assert_eq!(parts[..3], ["https:", "", "camo.example"]);
        assert_eq!(parts[3].len(), 40);
        for proxied in [there.as_str(), "http://camo.example/other"] {
            let again = response_for(proxied, &view("", &camo)).unwrap();
            assert_eq!(again, ImageResponse::Elsewhere(proxied.to_owned()), "it is not proxied twice");
        }
        assert_eq!(HEXLOWER.decode(parts[4].as_bytes()).unwrap(), b"http://a.example/b.png");
    }
}
