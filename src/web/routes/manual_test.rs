//! `/manualtest`: creates a team and an account for manual tests.

use std::iter::repeat_with;

use actix_web::http::header::{HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use quarterdeck_actors::audit::Caller;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;

use crate::base::user::Profile;
use crate::domain::accounts::{self, Credentials, Signup, login};
use crate::domain::audit::Audit;
use crate::domain::teams::{Proposal, found, join};
use crate::web::error::Envelope;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;
use crate::web::{cookies, error};

/// The password of every account created here. It is documented, because the route is for tests only.
const PASSWORD: &str = "Manual-test-1";

/// The number of letters in a team's name after the first two.
const LETTERS: usize = 20;

pub(super) const RUN: Operation = Description::new(
    Tag::System,
    "ManualTest",
    "Creates a team and an account for a manual test, logs in and redirects to the team.",
)
.details("Served only if `ServiceSettings.EnableTesting` was on when the server started.")
.queries(&[
    Query::required("test", Type::String, "`general`, or the name of a test."),
    Query::optional("uid", Type::String, "Accepted for compatibility; it has no effect."),
    Query::optional("username", Type::String, "The name of the account to create; only together with `teamname`."),
    Query::optional("teamname", Type::String, "The name of the team to create."),
])
.responses(&[
    Response::empty(200, "Nothing was created."),
    Response::empty(307, "Logged in: the cookie is set, and `Location` is the town square."),
    Response::media(500, "text/html", "A part could not be created."),
    Response::media(400, "text/html", "The test does not exist."),
    Response::json(404, Type::of::<Envelope<'_>>(), "The server was started without `EnableTesting`."),
])
.handled_by(handler!(run));

/// `GET /manualtest`: creates a team and an account, logs in and redirects to the town square. Refusals are HTML pages.
///
/// Answers 404 unless `EnableTesting` was on at the start.
pub(super) async fn run(http: HttpRequest, request: Request, app: Data<AppState>, audit: Audit) -> HttpResponse {
    let is_there = app.facts.started_with.view.service.enable_testing;
    if !is_there {
        audit.nothing();
        return error::not_found("/manualtest");
    }
    let ran = ran(&http, &request, &app, &audit).await;
    ran.unwrap_or_else(|refusal| error::page(&refusal))
}

async fn ran(
    http: &HttpRequest,
    request: &Request,
    app: &Data<AppState>,
    audit: &Audit,
) -> Result<HttpResponse, AppError> {
    let test = request.query("test").unwrap_or_default();
    let user = request.query("username").unwrap_or_default();
    let team = request.query("teamname").unwrap_or_default();
    if !is_well_formed(http.query_string()) {
        return Err(AppError::new("manaultesting.manual_test.parse.app_error"));
    }
    if !user.is_empty() && !team.is_empty() {
        return enter(request, app, audit, user, team).await;
    }
    audit.nothing();
    match test.as_str() {
        "" => Err(AppError::new("manaultesting.manual_test.parse.app_error")),
        // This server serves no messages, so it cannot test the links in them.
        "autolink" => Err(AppError::new("manaultesting.test_autolink.unable.app_error")),
        _ => Ok(HttpResponse::Ok().finish()),
    }
}

/// Creates a team and an account that belongs to it, and opens a session.
async fn enter(
    request: &Request,
    app: &Data<AppState>,
    audit: &Audit,
    user: String,
    team: String,
) -> Result<HttpResponse, AppError> {
    let config = request.config();
    let claim = request.claim();
    let signup = Signup::ForTests(&claim);
    // Checked before the team is created, so that a refusal leaves nothing behind.
    accounts::entry(&app.accounts, config, signup).await?;
    audit.reserve(&app.trail.audit, Caller::Anonymous).await?;
    let letters = repeat_with(new_id).flat_map(String::into_bytes).filter(u8::is_ascii_lowercase).take(LETTERS);
    let name = format!("zz{}", letters.map(char::from).collect::<String>());
    let team = found((&app.db, &app.actors.hub), config, Proposal::open(name, team), None).await?;
    let profile = Profile {
        email: Some(format!("success+{}@simulator.amazonses.com", new_id())),
        nickname: Some(user),
        password: Some(Secret::new(PASSWORD)),
        email_verified: Some(true),
        ..Profile::default()
    };
    let user = accounts::create((&app.accounts, &app.actors), config, profile, signup, &request.caller()).await?;
    app.prepared.note_account(&app.actors.config);
    join((&app.db, &app.actors.hub), config, &team, &user).await?;
    let credentials = Credentials {
        id: user.id.clone(),
        login_id: String::new(),
        password: Secret::new(PASSWORD),
        code: Secret::new(""),
        device_id: String::new(),
        user_agent: request.header("User-Agent").unwrap_or_default().to_owned(),
        requires_reauthentication: false,
    };
    let trail = (audit, &app.trail.audit);
    // The account is no guest, so the licence does not matter.
    let (user, session) = login(&app.accounts, (config, None), trail, credentials, &request.caller()).await?;
    audit.by(&user.id, &session.id);
    audit.made(user.made());
    let place = app.facts.site_path.link("/channels/town-square");
    let place = HeaderValue::from_str(&place).or_fail("api.marshal_error")?;
    let mut answer = HttpResponse::TemporaryRedirect();
    answer.insert_header((LOCATION, place));
    for cookie in cookies::of_session(&session, request, &app.facts.site_path) {
        answer.cookie(cookie);
    }
    Ok(answer.finish())
}

/// Returns true if a query is well-formed: `%` begins two hexadecimal digits, and only `&` separates parameters.
fn is_well_formed(query: &str) -> bool {
    let mut parts = query.split('%');
    let is_plain = !parts.next().unwrap_or_default().contains(';');
    is_plain
        && parts.all(|part| {
            let digits = part.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            digits && !part.contains(';')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_with_a_broken_escape_or_an_old_separator_cannot_be_read() {
        for query in ["", "test=a%20b", "test=a&uid=1", "test=%C3%A4"] {
            assert!(is_well_formed(query), "{query}");
        }
        for query in ["test=%", "test=%4", "test=%zz", "test=a;uid=1", "a=%20;b"] {
            assert!(!is_well_formed(query), "{query}");
        }
    }
}
