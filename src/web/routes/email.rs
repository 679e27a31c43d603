//! The test of mail settings.

use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::complete::{fill_unreadable, missing};
use quarterdeck_actors::config::document::{Document, given};
use quarterdeck_actors::config::reentry::{companions, goes_where_it_goes, reusable};
use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::config::table::{Setting, settings};
use quarterdeck_actors::config::view::EmailSettings;
use quarterdeck_actors::error::AppError;

use crate::domain::accounts::known;
use crate::domain::audit::Audit;
use crate::domain::config_access::reads;
use crate::domain::session::Session;
use crate::outbound::mail::Mail;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::config::document::submitted_config;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::schema::ConfigSchema;
use crate::web::state::AppState;

const SECTION: &str = "EmailSettings";
const PASSWORD: &str = "EmailSettings.SMTPPassword";

/// The refusal of null for a setting that the caller may not read, because another mail server is to be tested.
const OTHER_SERVER: &str = "api.file.test_connection_email_settings_nil.app_error#other_server";

pub(super) const TEST: Operation = Description::new(
    Tag::Environment,
    "TestEmail",
    "Sends the caller an email with the submitted settings, or with the settings in force.",
)
.details(
    "Needs the permission `test_email`. A stored password is sent only to the mail server in use. `null` stands for the \
     stored value of a setting that the caller may not read, while server, port, security and user are those in use.",
)
.optional_body(Type::of::<ConfigSchema>(), "The settings to test.")
.responses(&[Response::json(200, STATUS_OK, "The mail server accepted the email.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(test));

/// `POST /email/test`: sends the caller a mail with the submitted settings, or with those in force if the body has
/// none.
pub(super) async fn test(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    session.require_unrestricted("test_email")?;
    let config = app.actors.config.current();
    let settings = proposed(submitted_config(body).await?, &config, &|setting| reads(&session, setting))?;
    audit.parameter("server", settings.smtp_server.as_str());
    audit.parameter("port", settings.smtp_port.as_str());
    audit.parameter("security", settings.connection_security.as_str());
    let caller = known(&app.db, session.user_id()).await?;
    let mail = test_mail(caller.email, &config);
    let sent = request.while_awaited(app.outside.mailer.send(&settings, &config.view.service.site_url, &mail)).await?;
    sent.map_err(|failure| AppError::new("app.admin.test_email.failure").with("Error", failure.to_string()))?;
    Ok(Done)
}

/// Returns the settings to test: those of the submitted document, or those in force if there is none.
fn proposed(
    submitted: Option<Document>,
    running: &Config,
    may_read: &dyn Fn(&Setting) -> bool,
) -> Result<EmailSettings, AppError> {
    submitted.map_or_else(|| Ok(running.view.email.clone()), |document| decoded(document, running, may_read))
}

fn decoded(
    mut document: Document,
    running: &Config,
    may_read: &dyn Fn(&Setting) -> bool,
) -> Result<EmailSettings, AppError> {
    let incomplete =
        |setting: &str| AppError::new("api.file.test_connection_email_settings_nil.app_error").with("Setting", setting);
    // A caller who may not read the stored server and user must not find them out by guesses.
    let is_guess = companions(PASSWORD).iter().filter_map(|path| settings().get(*path)).any(|setting| {
        let is_submitted = given(&document, &setting.path).is_some();
        is_submitted && !may_read(setting)
    });
    let filled = fill_unreadable(&mut document, SECTION, &running.document, may_read);
    let document = &document;
    if let Some(setting) = missing(document, SECTION) {
        return Err(incomplete(setting));
    }
    // Stored settings that the caller may not read are never sent to a server that the caller names.
    if let Some(setting) = filled.first()
        && (is_guess || !goes_where_it_goes(PASSWORD, document, &running.document))
    {
        return Err(AppError::new(OTHER_SERVER).with("Setting", *setting));
    }
    let section = document.get(SECTION).cloned().unwrap_or_default();
    let mut settings: EmailSettings =
        serde_json::from_value(section).map_err(|cause| incomplete(SECTION).because(cause.to_string()))?;
    if settings.smtp_server.is_empty() {
        return Err(AppError::new("api.admin.test_email.missing_server"));
    }
    let is_hidden = given(document, PASSWORD).is_some_and(|password| password == PLACEHOLDER);
    if is_hidden {
        if is_guess || !reusable(PASSWORD, document, &running.document) {
            return Err(AppError::new("api.admin.test_email.reenter_password"));
        }
        settings.smtp_password = running.view.email.smtp_password.clone();
    }
    Ok(settings)
}

fn test_mail(to: String, config: &Config) -> Mail {
    let site = &config.view.team.site_name;
    let place = &config.view.service.site_url;
    Mail {
        to,
        subject: format!("{site}: the mail settings work"),
        text: format!(
            "Hello,\n\nyour account on {site} sent this mail as a test of its mail settings. The settings work. You do not \
             need to do anything.\n\n{place}\n"
        ),
    }
}
