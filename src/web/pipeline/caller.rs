//! Who is calling.

use actix_web::HttpRequest;
use actix_web::http::Method;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;

use super::token::{Place, Token};
use crate::domain::session::{Session, resolve};
use crate::web::pipeline::arrival::Arrival;
use crate::web::request::header_of;
use crate::web::routes::route::{Class, Origin, Route};
use crate::web::state::AppState;

/// The caller's session. A token that is not valid counts as none; what a route makes of that is its class.
pub(super) async fn session(arrival: &Arrival, app: &AppState, route: &Route) -> Result<Option<Session>, AppError> {
    if arrival.origin == Origin::LocalSocket {
        return Ok(Some(known(arrival, Session::local(&app.accounts.roles))));
    }
    if route.class == Class::Anonymous {
        return Ok(None);
    }
    let (http, config) = (&arrival.http, &arrival.config);
    let Some(token) = Token::of(http) else { return Ok(None) };
    let found = resolve(&app.accounts, config, &token.text).await;
    let found = found.map_err(|cause| AppError::new("api.context.invalid_token.error").because(cause))?;
    let Some(session) = found else { return Ok(None) };
    let session = known(arrival, session);
    let is_exposed = token.place == Place::Query && !session.is_oauth();
    if is_exposed {
        return Err(AppError::new("api.context.token_provided.app_error"));
    }
    count_user(arrival, app, &session)?;
    check_forgery(http, config, &session, &token, route)?;
    Ok(Some(session))
}

/// Counts the request for its user, where the settings ask for that and it was not counted for the user before.
fn count_user(arrival: &Arrival, app: &AppState, session: &Session) -> Result<(), AppError> {
    let settings = &arrival.config.view.rate_limit;
    let is_counted = settings.enable && settings.vary_by_user && !arrival.is_user_counted.get();
    if !is_counted {
        return Ok(());
    }
    app.limits.limiter.count_user(session.user_id(), &arrival.http, &arrival.config).admit()
}

/// Keeps who it is, for the audit trail: also the refusals that follow are somebody's.
fn known(arrival: &Arrival, session: Session) -> Session {
    arrival.caller.get_or_init(|| session).clone()
}

/// A cookie comes along on its own: what changes something must also prove that a page of ours sent it.
fn check_forgery(
    http: &HttpRequest,
    config: &Config,
    session: &Session,
    token: &Token,
    route: &Route,
) -> Result<(), AppError> {
    let changes_something = !matches!(*http.method(), Method::GET | Method::HEAD);
    let is_at_risk = token.place == Place::Cookie && changes_something && !route.trusts_requester;
    let expected = session.stored().map_or("", |stored| stored.prop("csrf"));
    let shown = header_of(http, "X-CSRF-Token").unwrap_or_default();
    // A session that was stored without a token proves nothing with an absent header.
    let has_token = !expected.is_empty() && verify_slices_are_equal(shown.as_bytes(), expected.as_bytes()).is_ok();
    let is_script = header_of(http, "X-Requested-With") == Some("XMLHttpRequest");
    let is_strict = config.view.service.experimental_strict_csrf_enforcement;
    let is_proven = has_token || (is_script && !is_strict);
    if is_at_risk && !is_proven {
        return Err(AppError::new("api.context.session_expired.app_error").detailed("no proof that a page sent this"));
    }
    Ok(())
}
