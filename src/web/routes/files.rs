//! The test of the file stores.

pub(crate) mod nodes;
mod steps;

use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use actix_web::web::Data;
use futures_util::future::try_join;
use quarterdeck_actors::config::table::Setting;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::storage::report::{Kind, Report, StepFailure};
use quarterdeck_actors::storage::settings::{Store, StoreSettings};
use quarterdeck_actors::storage::submitted::proposed;
use serde::Serialize;
use utoipa::ToSchema;

use self::nodes::Elsewhere;
use crate::domain::config_access::reads;
use crate::domain::session::Session;
use crate::web::answer::{Done, Json, Okay, Reply, list_servers};
use crate::web::request::{Body, Request};
use crate::web::routes::config::document::submitted_config;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::schema::ConfigSchema;
use crate::web::state::AppState;

/// The header that names the other servers of the database, each with the result of the test there.
const NODES: HeaderName = HeaderName::from_static("x-storage-nodes");

/// The response to a passed test, for a caller who requested its steps.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageTest)]
pub(super) struct Passed<'a> {
    /// Always `OK`.
    status: Okay,
    /// The results, step by step; only if the caller requested them.
    #[schema(required = false)]
    report: &'a Report,
}

/// Ids of `file/test` with the ids that Mattermost 11.6 has for the same errors of `file/s3_test`.
const OLDER_IDS: [(&str, &str); 4] = [
    ("api.file.test_connection_settings_nil.app_error", "api.file.test_connection_s3_settings_nil.app_error"),
    (
        "api.file.test_connection_settings_nil.app_error#other_store",
        "api.file.test_connection_s3_settings_nil.app_error#other_store",
    ),
    ("api.file.test_connection_auth.app_error", "api.file.test_connection_s3_auth.app_error"),
    ("api.file.test_connection_no_bucket.app_error", "api.file.test_connection_s3_bucket_does_not_exist.app_error"),
];

const STORE: Query = Query::optional("store", Type::OneOf(&["files", "export"]), "The store. The default is `files`.");

const REPORT: Query = Query::optional("report", Type::Boolean, "Adds every step to the response.");

const DETAILS: &str = "Needs the permission `test_s3`. A stored secret is sent only to the store in use. `null` stands \
                       for the stored value of a setting that the caller may not read, while driver, place and user \
                       of the store are those in use. If several servers use the database, all of them test settings \
                       that are in force, and a failure names its server; other settings are tested on the server \
                       that gets the request. The header `X-Storage-Nodes` names the other servers with their results.";

pub(super) const TEST: Operation = Description::new(
    Tag::Environment,
    "TestFileStoreConnection",
    "Tests a file store, step by step. No file is left behind.",
)
.details(DETAILS)
.queries(&[STORE, REPORT])
.optional_body(Type::of::<ConfigSchema>(), "The settings to test. The default is the settings in force.")
.responses(&[
    Response::json(200, Type::of::<Passed<'_>>(), "The store works."),
    Response::media(
        200,
        steps::MEDIA,
        "For a request whose `Accept` names this type: each step as a line of JSON while the test runs. `event` is \
         `started`, `ended` (with the outcome, and the cause of a failure), `not_tested` (another server did not test, \
         with the reason) or `report`, the last line, which has the members of the response without this type, also \
         for a test that failed. If several servers use the database, each line has the name of its server in `node`.",
    ),
])
.refusals(&[400, 403, 500])
.handled_by(handler!(test));

pub(super) const TEST_S3: Operation =
    Description::new(Tag::Environment, "TestS3Connection", "Tests a file store, as `file/test`, with older error ids.")
        .details(DETAILS)
        .queries(&[STORE, REPORT])
        .optional_body(Type::of::<ConfigSchema>(), "The settings to test. The default is the settings in force.")
        .responses(&[Response::json(200, Type::of::<Passed<'_>>(), "The store works.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(test_s3));

/// `POST /file/test`: tests a store with the submitted settings, or with those in force. Stores nothing.
///
/// `?store=export` selects the store of exports; `?report=true` adds every step to the response. A caller who accepts
/// lines of JSON gets each step while the test runs.
pub(super) async fn test(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let settings = settings_of(&request, &session, &app, body).await?;
    // The response to a failure says nothing in hardened mode, so its steps must not either.
    let is_hardened = request.config().view.service.experimental_enable_hardened_mode;
    if request.names_media(steps::MEDIA) && !is_hardened {
        let elsewhere = request.while_awaited(Elsewhere::begin(&app, &settings)).await?;
        let test = request.while_awaited(app.actors.files.begin(settings)).await??;
        return Ok(steps::sent(&request, test, elsewhere));
    }
    whole(&request, &app, settings).await
}

/// Returns the settings to test. Refuses a caller who may not test, before anything else.
async fn settings_of(
    request: &Request,
    session: &Session,
    app: &AppState,
    body: Body,
) -> Result<StoreSettings, AppError> {
    session.require("test_s3")?;
    let store = store_of(request)?;
    let submitted = submitted_config(body).await?;
    let may_read = |setting: &Setting| reads(session, setting);
    proposed(submitted.as_ref(), store, &app.actors.config.current(), &may_read)
}

/// Tests a store on all servers and responds once the tests have ended.
async fn whole(request: &Request, app: &AppState, settings: StoreSettings) -> Result<HttpResponse, AppError> {
    let elsewhere = request.while_awaited(Elsewhere::begin(app, &settings)).await?;
    let own = elsewhere.own().unwrap_or_default().to_owned();
    let tests = try_join(app.actors.files.test(settings), async { Ok(elsewhere.all().await) });
    let (report, nodes) = request.while_awaited(tests).await??;
    let report = report.with_nodes(&own, nodes);
    let wants_report = request.is_true("report");
    match &report.failure {
        None if wants_report => Ok(with_nodes(Json(Passed { status: Okay::Okay, report: &report }).reply()?, &report)),
        None => Ok(with_nodes(Done.reply()?, &report)),
        Some(failure) => Err(refusal(failure, wants_report.then_some(&report))?),
    }
}

/// Returns the response with the results on the other servers in a header.
fn with_nodes(mut answer: HttpResponse, report: &Report) -> HttpResponse {
    let results = report.nodes.iter().map(|node| {
        let result = node.reason.as_deref().unwrap_or(node.outcome.name());
        format!("{}={result}", node.node)
    });
    list_servers(&mut answer, NODES, results);
    answer
}

/// `POST /file/s3_test`: tests a store in the same way. Its errors have the ids that clients of Mattermost 11.6 know.
pub(super) async fn test_s3(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let tested = async {
        let settings = settings_of(&request, &session, &app, body).await?;
        whole(&request, &app, settings).await
    };
    tested.await.map_err(|refusal| {
        let older = OLDER_IDS.iter().find(|(id, _)| *id == refusal.id).map(|(_, older)| *older);
        match older {
            Some(older) => AppError { id: older.into(), ..refusal },
            None => refusal,
        }
    })
}

fn store_of(request: &Request) -> Result<Store, AppError> {
    match request.query("store").as_deref() {
        None | Some("files") => Ok(Store::Files),
        Some("export") => Ok(Store::Exports),
        Some(_) => Err(AppError::invalid_url("store")),
    }
}

/// Returns the error for the kind of failure. Its text names the step, the cause and the remedy.
fn refusal(failure: &StepFailure, report: Option<&Report>) -> Result<AppError, AppError> {
    let id = match failure.kind {
        Kind::Unusable => "api.file.no_driver.app_error",
        Kind::Authentication => "api.file.test_connection_auth.app_error",
        Kind::Missing => "api.file.test_connection_no_bucket.app_error",
        Kind::Other => "api.file.test_connection.app_error",
    };
    let refusal = AppError::new(id)
        .with("Step", failure.step.name())
        .with("Cause", &*failure.cause)
        .with("Remedy", &*failure.remedy)
        .detailed(failure.to_string());
    let report = report.map(serde_json::to_value).transpose().or_fail("api.marshal_error")?;
    Ok(AppError { report: report.map(Box::new), ..refusal })
}
