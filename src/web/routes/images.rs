//! The image proxy: images of other sites.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LOCATION, X_FRAME_OPTIONS,
};
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;

use crate::domain::session::Session;
use crate::outbound::images::{Image, ImageResponse, response_for};
use crate::web::answer::outgoing::Outgoing;
use crate::web::entity_tag::Named;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The headers in which the image's host names its version.
const FORWARDED_HEADERS: [HeaderName; 2] = [ETAG, LAST_MODIFIED];

/// The image needs a session, so only that client may cache it, even if the host allows more.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=3600");

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "GetImageByUrl", "Returns the image at an address, through the image proxy.")
        .queries(&[Query::optional("url", Type::String, "The address.")])
        .responses(&[
            Response::media(200, "image/*", "The image."),
            Response::empty(302, "The client fetches the image from `Location`."),
            Response::empty(304, "The client's copy of the image is current."),
            Response::empty(501, "The configured type of image proxy is not supported."),
        ])
        .refusals(&[400, 403, 500, 504])
        .handled_by(handler!(show));

/// `GET /image`: returns the image at an address, or redirects to it on this site or on an external image proxy.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let view = &request.config().view;
    let url = match response_for(&request.query("url").unwrap_or_default(), view)? {
        ImageResponse::Elsewhere(address) => {
            return Ok(HttpResponse::Found().insert_header((LOCATION, address)).finish());
        }
        ImageResponse::Here(url) => url,
    };
    let fetching = app.outside.images.fetch(url, session.user_id(), &app.outside.outbound, view);
    let image = request.while_awaited(fetching).await??;
    Ok(answer(&request, image))
}

fn answer(request: &Request, image: Image) -> HttpResponse {
    let is_known = is_known(request, &image);
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CACHE_CONTROL, PRIVATE));
    for name in FORWARDED_HEADERS {
        if let Some(value) = told(&image, &name) {
            answer.insert_header((name, value));
        }
    }
    if is_known {
        return answer.finish();
    }
    // A browser that opens this address directly must show the image and execute nothing.
    answer
        .insert_header((CONTENT_TYPE, image.content_type))
        .insert_header((CONTENT_SECURITY_POLICY, "script-src 'none'"))
        .insert_header((X_FRAME_OPTIONS, "deny"))
        .body(Outgoing::with_permit(image.body, image.room))
}

/// Returns true if the client already has this version of the image.
fn is_known(request: &Request, image: &Image) -> bool {
    let told = |name| told(image, &name);
    match (request.entity_tags(IF_NONE_MATCH), request.header(IF_MODIFIED_SINCE.as_str())) {
        (Some(Named::Any), _) => true,
        (Some(named), _) => told(ETAG).is_some_and(|tag| named.matches(&tag)),
        (None, Some(since)) => told(LAST_MODIFIED).as_deref() == Some(since),
        (None, None) => false,
    }
}

fn told(image: &Image, name: &HeaderName) -> Option<String> {
    image.headers.get(name.as_str())?.to_str().ok().map(str::to_owned)
}
