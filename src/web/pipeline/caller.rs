//! Resolves the caller of a request: its session, its rate limit and the CSRF check.

use actix_web::HttpRequest;
use actix_web::http::Method;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;

use super::token::{Place, Token};
use crate::domain::session::{Session, resolve};
use crate::web::pipeline::arrival::Arrival;
use crate::web::request::header_of;
use crate::web::routes::route::{Class, Csrf, Origin, Route};
use crate::web::state::AppState;

/// Returns the caller's session. An invalid token is treated as no token; whether a session is required depends on the
/// route's class.
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
    check_csrf(http, config, &session, &token, route)?;
    Ok(Some(session))
}

/// Counts the request for its user, if the settings ask for that and the request was not yet counted for the user.
fn count_user(arrival: &Arrival, app: &AppState, session: &Session) -> Result<(), AppError> {
    let settings = &arrival.config.view.rate_limit;
    let is_counted = settings.enable && settings.vary_by_user && !arrival.is_user_counted.get();
    if !is_counted {
        return Ok(());
    }
    app.limits.limiter.count_user(session.user_id(), &arrival.http, &arrival.config).admit()
}

/// Stores the session in the arrival, so that the audit trail can name the caller of a request that is refused later.
fn known(arrival: &Arrival, session: Session) -> Session {
    arrival.caller.get_or_init(|| session).clone()
}

/// Does the CSRF check. A browser adds the cookie to every request, also to one from another site. So a request that
/// changes something must carry the CSRF token, or, without strict enforcement, the header `X-Requested-With`, which
/// another site cannot set on its own.
fn check_csrf(
    http: &HttpRequest,
    config: &Config,
    session: &Session,
    token: &Token,
    route: &Route,
) -> Result<(), AppError> {
    let changes_something = !matches!(*http.method(), Method::GET | Method::HEAD);
    let is_at_risk = token.place == Place::Cookie && changes_something && route.csrf == Csrf::Checked;
    let expected = session.stored().map_or("", |stored| stored.prop("csrf"));
    let shown = header_of(http, "X-CSRF-Token").unwrap_or_default();
    // For a session that was stored without a CSRF token, an absent header must not match the empty text.
    let has_token = !expected.is_empty() && verify_slices_are_equal(shown.as_bytes(), expected.as_bytes()).is_ok();
    let is_script = header_of(http, "X-Requested-With") == Some("XMLHttpRequest");
    let is_strict = config.view.service.experimental_strict_csrf_enforcement;
    let is_proven = has_token || (is_script && !is_strict);
    if is_at_risk && !is_proven {
        return Err(
            AppError::new("api.context.session_expired.app_error").detailed("the CSRF token is missing or wrong")
        );
    }
    Ok(())
}
