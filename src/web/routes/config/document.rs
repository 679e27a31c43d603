//! Routes that read, replace and patch the configuration as a whole.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use actix_web::web::Data;
use quarterdeck_actors::config::Author;
use quarterdeck_actors::config::access::{flag, flagged, pruned, without_defaults, without_masked};
use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::extras::with_extras;
use quarterdeck_actors::config::proposal::ChangeMode;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::saving::{Saved, Wanted, Write};
use quarterdeck_actors::config::shape::{Problem, ProblemKind, WrongType, problems};
use quarterdeck_actors::config::spelling::DoubledKey;
use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::error::{AppError, Detail, OrFail};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::bases::{base_of, catch_up, give_base, note_base};
use super::confirmation::CONFIRM_WITHIN;
use super::headers::{MERGED, NOT_TAKEN_BACK, SECRETS_KEPT, UNKNOWN, UNSET, tell, tell_ineffective};
use super::stores::tell_stores;
use super::{confirmation, never_cached, packed};
use crate::domain::accounts::admitted_settings;
use crate::domain::audit::Audit;
use crate::domain::config_access as configuration;
use crate::domain::config_access::{
    answered_to, proposal_of, reads_everything, require_any_read, require_any_write, seen_by,
};
use crate::domain::session::Session;
use crate::web::answer::{Json, Reply};
use crate::web::entity_tag::Named;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::schema::{ConfigSchema, Schemas, add, reference};
use crate::web::state::AppState;

/// The setting with the settings of all plugins.
const PLUGINS: &str = "PluginSettings.Plugins";

pub(crate) const SHOW: Operation = Description::new(
    Tag::Configuration,
    "GetConfig",
    "Returns the configuration in force, as far as the caller may read it.",
)
.details(
    "Needs any permission to read the system console. Secrets are placeholders. The header \
     `ETag` names the version.",
)
.queries(&[
    Query::optional("remove_masked", Type::Boolean, "Leaves secrets out."),
    Query::optional("remove_defaults", Type::Boolean, "Leaves out settings that have their default value."),
])
.responses(&[Response::json(200, Type::of::<ConfigSchema>(), "The configuration.")])
.refusals(&[403, 500])
.handled_by(handler!(show));

/// The header that says if a change was stored as a new version. It was not if it alters nothing.
const STORED: HeaderName = HeaderName::from_static("x-config-stored");

/// `GET /config`: returns the configuration in force, with the settings that the caller may read.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    require_any_read(&session)?;
    catch_up(&app).await?;
    let (no_defaults, no_masks) = (request.is_true("remove_defaults"), request.is_true("remove_masked"));
    let is_whole = !no_defaults && !no_masks;
    if is_whole && reads_everything(&session) {
        let prepared = app.prepared.current(&app.actors.config);
        let (body, version) = prepared.whole_config();
        give_base(&app, &session, version).await;
        let mut answer = tagged(never_cached(packed(&request, body)), version);
        tell_stores(&mut answer, &app, &[]).await;
        return Ok(answer);
    }
    let config = app.actors.config.current();
    let mut document = seen_by(&session, &config);
    // The local socket gets secrets in clear, and the command line hides them as they are hidden here.
    if session.is_local() && request.is_true("masked") {
        document = config.masked();
    }
    if session.is_local() && request.is_true("unknown") {
        document = with_extras(document, &config.extras());
    }
    if no_defaults {
        document = without_defaults(&document);
    }
    if no_masks {
        document = without_masked(&document);
    }
    if no_defaults || no_masks {
        document = pruned(&document);
    }
    give_base(&app, &session, config.version()).await;
    let mut answer = answer(&document, config.version())?;
    tell_stores(&mut answer, &app, &[]).await;
    Ok(answer)
}

const DRY_RUN: Query = Query::optional("dry_run", Type::Boolean, "Returns the changes, and stores nothing.");

pub(super) const COMMENT: Query =
    Query::optional("comment", Type::String, "The reason for the change; stored with the version.");

const PATCH_DETAILS: &str = "Needs any permission to write in the system console. With the header `If-Match`, only if \
     that version is active.";

pub(crate) const REPLACE: Operation = Description::new(
    Tag::Configuration,
    "UpdateConfig",
    "Replaces the configuration, as far as the caller may write it.",
)
.details(
    "Needs any permission to write in the system console. With the header `If-Match`, only if that version is active. \
     Without it, a setting that the document leaves as the session was last given it keeps its present value.",
)
.queries(&[DRY_RUN, COMMENT, CONFIRM_WITHIN])
.body(Type::of::<ConfigSchema>(), "The whole configuration. A placeholder keeps the stored secret.")
.responses(&[Response::json(200, Type::of::<ConfigAnswer>(), "The configuration that is now in force.")])
.refusals(&[400, 403, 409, 412, 500, 503])
.handled_by(handler!(replace));

/// `PUT /config`: replaces the configuration, for the settings that the caller may write.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    write(ChangeMode::Replace, &request, &session, &app, &audit, body).await
}

pub(crate) const PATCH: Operation =
    Description::new(Tag::Configuration, "PatchConfig", "Changes the settings that the body names.")
        .details(PATCH_DETAILS)
        .queries(&[DRY_RUN, COMMENT, CONFIRM_WITHIN])
        .body(Type::of::<ConfigSchema>(), "The settings to change.")
        .responses(&[Response::json(200, Type::of::<ConfigAnswer>(), "The configuration that is now in force.")])
        .refusals(&[400, 403, 409, 412, 500])
        .handled_by(handler!(patch));

/// `PUT /config/patch`: changes the settings that the body names, if the caller may write them.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    write(ChangeMode::Patch, &request, &session, &app, &audit, body).await
}

async fn write(
    mode: ChangeMode,
    request: &Request,
    session: &Session,
    app: &AppState,
    audit: &Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let shaped = |body: Parsed| {
        let body = in_todays_spelling(body)?;
        check_shape(&body).map(|unknown| (body, unknown))
    };
    let (body, unknown) = body.object_for("config", shaped).await?;
    require_any_write(session)?;
    let confirm = confirmation::wanted(request, audit)?;
    let proposal = proposal_of(mode, body, session);
    let is_dry_run = request.is_true("dry_run");
    audit.parameter("dry_run", is_dry_run);
    // `If-Match` says on which version the document is based.
    let is_based = mode == ChangeMode::Replace && request.entity_tags(IF_MATCH).is_none();
    let write = Write {
        wanted: Wanted::Proposal(proposal),
        author: author(request, session, if session.is_local() { "local" } else { "api" }),
        expected: expected_by(request),
        base: if is_based { base_of(app, session).await? } else { None },
        is_dry_run,
        confirm,
        admits: admitted_settings(&app.accounts, session).await?,
        context: app.facts.decision_context(),
    };
    let saved = app.actors.config.write(write).await?;
    let mut answer = if is_dry_run { preview(app, &saved)? } else { written(session, app, audit, &saved).await? };
    tell(&mut answer, UNKNOWN, &unknown);
    Ok(answer)
}

/// Returns the versions of which `If-Match` requires one to be active; `None` for `*`.
pub(super) fn expected_by(request: &Request) -> Option<Vec<String>> {
    match request.entity_tags(IF_MATCH)? {
        Named::Any => None,
        Named::Tags(tags) => Some(tags.into_iter().map(str::to_owned).collect()),
    }
}

/// Returns the author of a change, for the history.
///
/// On the local socket the command line names itself in the query.
pub(super) fn author(request: &Request, session: &Session, source: &'static str) -> Author {
    let is_command_line = session.is_local() && request.query("source").as_deref() == Some("cli");
    let source = if is_command_line { "cli" } else { source };
    Author {
        user_id: session.user_id().to_owned(),
        session_id: session.id().to_owned(),
        address: request.address(),
        source,
        comment: request.query("comment").unwrap_or_default().chars().take(1024).collect(),
    }
}

/// Returns the response to a stored change: the configuration in force, and headers about settings that did not take
/// effect.
pub(super) async fn written(
    session: &Session,
    app: &AppState,
    audit: &Audit,
    Saved { decision, is_stored, not_taken_back, merged }: &Saved,
) -> Result<HttpResponse, AppError> {
    audit.settings(&decision.changes);
    audit.parameter("version", decision.config.version());
    if !decision.kept.is_empty() {
        audit.parameter("secrets_kept", decision.kept.clone());
    }
    if !not_taken_back.is_empty() {
        audit.parameter("not_taken_back", not_taken_back.clone());
    }
    if !merged.is_empty() {
        audit.parameter("merged", merged.clone());
    }
    let version = decision.config.version();
    // After a merge the document that was sent is still based on the earlier version: it may be sent again.
    if require_any_read(session).is_ok() && merged.is_empty() {
        note_base(app, session, version).await;
    }
    let mut answer = answer(&answered_to(session, &decision.config), version)?;
    let stored = HeaderValue::from_static(if *is_stored { "true" } else { "false" });
    answer.headers_mut().insert(STORED, stored);
    tell(&mut answer, UNSET, &decision.unset);
    tell(&mut answer, SECRETS_KEPT, &decision.kept);
    tell(&mut answer, NOT_TAKEN_BACK, not_taken_back);
    tell(&mut answer, MERGED, merged);
    tell_ineffective(&mut answer, &app.facts.versions.ineffective(decision));
    tell_stores(&mut answer, app, &decision.changes).await;
    Ok(answer)
}

/// The changes that a dry run would make.
#[derive(Serialize, ToSchema)]
#[schema(as = ConfigPreview)]
pub(crate) struct Preview<'a> {
    /// One entry for each setting.
    changes: &'a [Change],
    /// Settings that would keep their value, or whose stored value is not used.
    ineffective: Vec<&'a str>,
    /// Secrets that would go to another place without being entered again.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    kept: &'a [String],
    /// The reason for each of the ineffective settings: `pinned` with its place, `restricted`, `not_permitted`,
    /// `protected`, `read_only` or `read_before_store`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    reasons: BTreeMap<&'a str, String>,
    /// Secrets whose placeholder stands for no stored value, and settings of plugins that would be gone.
    unset: &'a [String],
}

/// The schema of the response to a change: the configuration, or the changes that a dry run would make.
pub(crate) enum ConfigAnswer {}

impl ToSchema for ConfigAnswer {
    fn schemas(schemas: &mut Schemas) {
        add::<ConfigSchema>(schemas);
        add::<Preview<'_>>(schemas);
    }
}

impl PartialSchema for ConfigAnswer {
    fn schema() -> RefOr<Schema> {
        let about = "The configuration; for a dry run, the changes that it would make.";
        let either = AnyOfBuilder::new().item(reference::<ConfigSchema>()).item(reference::<Preview<'_>>());
        Schema::AnyOf(either.description(Some(about)).build()).into()
    }
}

/// Returns the response to a dry run: the changes that would be made.
fn preview(app: &AppState, Saved { decision, merged, .. }: &Saved) -> Result<HttpResponse, AppError> {
    let ineffective = app.facts.versions.ineffective(decision);
    let preview = Preview {
        changes: &decision.changes,
        ineffective: ineffective.iter().map(|one| one.path.as_str()).collect(),
        kept: &decision.kept,
        reasons: ineffective.iter().map(|one| (one.path.as_str(), one.reason.word())).collect(),
        unset: &decision.unset,
    };
    let mut answer = Json(preview).reply().map(never_cached)?;
    tell(&mut answer, UNSET, &decision.unset);
    tell(&mut answer, SECRETS_KEPT, &decision.kept);
    tell(&mut answer, MERGED, merged);
    tell_ineffective(&mut answer, &ineffective);
    Ok(answer)
}

/// Returns the configuration with which a test is to run, in today's spelling; `None` if the body is not JSON or `null`.
///
/// Any other JSON value is treated as a document without settings.
pub(in crate::web::routes) async fn submitted_config(body: Body) -> Result<Option<Document>, AppError> {
    body.parsed().await?.map(in_todays_spelling).transpose()
}

/// Returns a submitted document in today's spelling. Refuses a key that is given twice, in one spelling or in two.
fn in_todays_spelling(body: Parsed) -> Result<Document, AppError> {
    body.spelled().map_err(|doubled| {
        let detail = |DoubledKey { pointer, counts, other }| Detail {
            pointer,
            id: if counts == other {
                "api.config.doubled_key.app_error#same"
            } else {
                "api.config.doubled_key.app_error"
            },
            params: vec![("First", counts), ("Second", other)],
        };
        AppError { failures: doubled.into_iter().map(detail).collect(), ..AppError::invalid_body("config") }
    })
}

/// Refuses values of the wrong type. Returns the unknown keys.
fn check_shape(body: &Document) -> Result<Vec<String>, AppError> {
    let mut unknown = Vec::new();
    let mut wrong = Vec::new();
    for Problem { pointer, kind } in problems(body) {
        match kind {
            ProblemKind::Unknown { .. } => unknown.push(pointer),
            ProblemKind::WrongType(WrongType { wanted, found, .. }) => wrong.push(Detail {
                pointer,
                id: "api.config.wrong_type.app_error",
                params: vec![("Wanted", wanted.to_owned()), ("Found", found.to_owned())],
            }),
        }
    }
    if wrong.is_empty() {
        return Ok(unknown);
    }
    Err(AppError { failures: wrong, ..AppError::invalid_body("config") })
}

pub(crate) const SHOW_PINNED: Operation = Description::new(
    Tag::Configuration,
    "GetEnvironmentConfig",
    "Tells which settings are pinned by the environment or by `config.toml`.",
)
.details("Needs any permission to read the system console.")
.responses(&[Response::json(
    200,
    Type::Nullable(&Type::Object),
    "`true` for each pinned setting, in the structure of the configuration.",
)])
.refusals(&[403])
.handled_by(handler!(show_pinned));

/// `GET /config/environment`: returns `true` for each pinned setting that the caller may read.
pub(crate) async fn show_pinned(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let config = app.actors.config.current();
    let pinned = config.overrides.keys().map(String::as_str);
    let visible =
        pinned.filter(|path| settings().get(*path).is_some_and(|setting| configuration::reads(&session, setting)));
    let mut document = flagged(visible).unwrap_or_default();
    let reads_plugins = settings().get(PLUGINS).is_some_and(|setting| configuration::reads(&session, setting));
    for (id, key, _) in config.overrides.pinned_plugin_settings(&config.document).filter(|_| reads_plugins) {
        flag(&mut document, &["PluginSettings", "Plugins", &id, &key]);
    }
    let document = if document.is_empty() { Value::Null } else { Value::Object(document) };
    Json(document).reply().map(never_cached)
}

fn answer(document: &Document, version: &str) -> Result<HttpResponse, AppError> {
    let mut body = quarterdeck_actors::json::to_json(document).or_fail("api.marshal_error")?;
    body.push(b'\n');
    Ok(tagged(never_cached(crate::web::answer::json_body(body)), version))
}

/// Sets the `ETag` to the version of the configuration.
fn tagged(mut answer: HttpResponse, version: &str) -> HttpResponse {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}
