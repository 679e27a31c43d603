//! The pages that mails link to: a new password, the confirmation of an address, and an account for an invited user.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use quarterdeck_actors::error::AppError;

use crate::web::request::Request;
use crate::web::routes::operation::{Operation, handler};

const HTML: &str = include_str!("../pages/account.html");
const SCRIPT: &str = include_str!("../pages/account.js");
const STYLE: &str = include_str!("../pages/account.css");

/// The page may load from this server only and send requests to this server only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'";

pub(super) const SHOW: Operation = Operation::undescribed(handler!(show));

/// `GET /reset_password_complete`, `/do_verify_email` and `/signup_user_complete`: return one page, which reads its
/// address.
pub(super) async fn show() -> HttpResponse {
    file("text/html", HTML)
}

pub(super) const PART: Operation = Operation::undescribed(handler!(part));

/// `GET /account_page/{file}`: returns a file that the page loads.
pub(super) async fn part(request: Request) -> Result<HttpResponse, AppError> {
    match request.path("file") {
        "account.js" => Ok(file("text/javascript", SCRIPT)),
        "account.css" => Ok(file("text/css", STYLE)),
        _ => Err(AppError::new("api.context.404.app_error")),
    }
}

/// The address of the page contains a token, so no other site may learn it and no cache may keep it.
fn file(kind: &str, body: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        answer.insert_header((CONTENT_TYPE, kind));
    }
    answer
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_FRAME_OPTIONS, "DENY"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(body)
}
