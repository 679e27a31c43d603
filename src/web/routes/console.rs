//! The System Console: its page, and the files that the page loads. Both are the same for every visitor, except that the
//! page of a server without accounts says how the caller creates the first one.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, VARY};
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use tokio::time::timeout;

use super::config::packed_as;
use crate::web::console_files::ConsoleFiles;
use crate::web::frames::add_policy;
use crate::web::request::Request;
use crate::web::routes::operation::{Operation, handler};
use crate::web::state::AppState;
use crate::web::web_application::OWN_PAGE;

/// The page loads only from this server and sends only to it. It has no script or style of its own, and no text becomes
/// markup or a script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src \
                      'self'; connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The time for which the page waits for the number of accounts. After it, the page shows the login.
const COUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// The addresses of files contain a hash of their content, so a browser needs no newer copy.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31556926, public, immutable");

const OPENER_POLICY: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));

pub(super) const PAGE: Operation = Operation::undescribed(handler!(page));

/// `GET /`, `/login`, `/admin_console/…`: returns the page, which shows the place that its address names. mmctl also
/// requests `/` before it logs in.
pub(super) async fn page(request: Request, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let path = request.page_path();
    let depth = path.trim_start_matches('/').matches('/').count();
    let site = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let is_own_page = path.strip_prefix(OWN_PAGE).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let console = if is_own_page { format!("{site}{}/", OWN_PAGE.trim_start_matches('/')) } else { site.clone() };
    let page = ConsoleFiles::get().await?.page(&site, &console, setup(&request, &app).await);
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header(OPENER_POLICY);
    add_policy(&mut answer, POLICY, request.config());
    Ok(answer.body(page))
}

/// Returns how the caller creates the first account: `here` without a code, with the `code`, or `offline`, on the command
/// line only. The text is empty if there are accounts, or if their number cannot be read in time.
async fn setup(request: &Request, app: &AppState) -> &'static str {
    if app.prepared.has_accounts() {
        return "";
    }
    match timeout(COUNT_TIMEOUT, app.db.user_count()).await {
        Ok(Ok(0)) => {}
        Ok(Ok(_)) => {
            app.prepared.note_account(&app.actors.config);
            return "";
        }
        Ok(Err(_)) | Err(_) => return "",
    }
    let is_offline = app.accounts.first.code().is_none();
    match (is_offline, request.claim().is_from_this_machine) {
        (true, _) => "offline",
        (false, true) => "here",
        (false, false) => "code",
    }
}

pub(super) const FILE: Operation = Operation::undescribed(handler!(file));

/// `GET /quarterdeck/assets/HASH/NAME`: returns a file that the page loads.
pub(super) async fn file(request: Request) -> Result<HttpResponse, AppError> {
    let files = ConsoleFiles::get().await?;
    let found = files.file(request.path("file")).ok_or_else(|| AppError::new("api.context.404.app_error"))?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, found.media)).insert_header((CACHE_CONTROL, A_YEAR));
    answer.insert_header((VARY, "Accept-Encoding"));
    Ok(packed_as(&request, &found.body, &mut answer))
}
