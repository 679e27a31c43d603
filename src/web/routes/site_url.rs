//! The test of a new `SiteURL`.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::lenient::{or_default, required};
use crate::base::site_path::SitePath;
use crate::domain::config_access::may_change;
use crate::domain::session::Session;
use crate::outbound::client::{Call, CallFailure, Chosen, Received};
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::routes::router::{PING_PATH, TESTED_PATH};
use crate::web::state::AppState;

const SITE_URL: &str = "ServiceSettings.SiteURL";

/// The address of a site.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SiteURL)]
pub(super) struct SiteUrl {
    /// The address.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    site_url: String,
}

pub(super) const TEST: Operation = Description::new(
    Tag::Environment,
    "TestSiteURL",
    "Tests if a server answers at an address that is to become the site URL.",
)
.details(
    "Needs the permission `test_site_url`. Calls `/api/v4/system/ping` below the address and nothing else. Addresses \
     of private networks are tested for callers who may change `ServiceSettings.SiteURL`; link-local addresses and \
     those of metadata services are refused.",
)
.body(Type::of::<SiteUrl>(), "The address.")
.responses(&[Response::json(200, STATUS_OK, "A server answers.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(test));

/// `POST /site_url/test`: tells if a server answers at the address that is to become `SiteURL`.
pub(super) async fn test(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    session.require_unrestricted("test_site_url")?;
    let body: SiteUrl = body.lenient().await;
    let site_url = required("site_url", &body.site_url)?.trim_end_matches('/');
    // Text after `?` or `#` is not part of the path, so another path than that of the ping would be called.
    if site_url.contains(['?', '#']) {
        return Err(unreachable_site("the address has a query or a fragment"));
    }
    let decides_site_url = may_change(&session, request.config(), SITE_URL);
    let chosen = Chosen::ByOperator { listening: app.facts.listening(), decides_site_url };
    let mut ping = Call::get(format!("{site_url}{PING_PATH}"), chosen);
    // A server that is reached at this address answers the ping, although it does not use the path yet.
    if let Ok(path) = HeaderValue::from_str(SitePath::of(site_url).as_str()) {
        ping.headers.insert(TESTED_PATH, path);
    }
    let answer = request.while_awaited(app.outside.outbound.call(ping, &request.config().view.service)).await?;
    match answer.and_then(Received::ok) {
        Ok(_) => Ok(Done),
        Err(cause) => Err(failure(&cause)),
    }
}

fn failure(cause: &CallFailure) -> AppError {
    unreachable_site(&cause.to_string())
}

fn unreachable_site(reason: &str) -> AppError {
    AppError::new("app.admin.test_site_url.failure").with("Reason", reason).detailed(reason)
}
