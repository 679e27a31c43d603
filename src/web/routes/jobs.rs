//! Routes that list background jobs. This server runs none: it lists those that Mattermost left in the database.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::job::Job;
use crate::base::paging::Paging;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const MAX_TYPE_BYTES: usize = 32;

/// The types of jobs, each with the permission that a caller needs to see its jobs.
const TYPES: [(&str, &str); 18] = [
    ("data_retention", "read_data_retention_job"),
    ("message_export", "read_compliance_export_job"),
    ("elasticsearch_post_indexing", "read_elasticsearch_post_indexing_job"),
    ("elasticsearch_post_aggregation", "read_elasticsearch_post_aggregation_job"),
    ("ldap_sync", "read_ldap_sync_job"),
    ("access_control_sync", "manage_system"),
    ("migrations", READ),
    ("plugins", READ),
    ("product_notices", READ),
    ("expiry_notify", READ),
    ("active_users", READ),
    ("import_process", READ),
    ("import_delete", READ),
    ("export_process", READ),
    ("export_delete", READ),
    ("cloud", READ),
    ("mobile_session_metadata", READ),
    ("extract_content", READ),
];

const READ: &str = "read_jobs";

/// The states of a job.
const STATUSES: [&str; 7] = ["pending", "in_progress", "success", "error", "cancel_requested", "canceled", "warning"];

pub(super) const LIST: Operation = Description::new(Tag::System, "GetJobs", "Lists background jobs, newest first.")
    .details("Lists the jobs of the types whose permission the caller has.")
    .queries(&[
        PAGE,
        PER_PAGE,
        Query::optional("job_type", Type::String, "Only jobs of this type."),
        Query::optional("status", Type::OneOf(&STATUSES), "Only jobs in this state."),
    ])
    .responses(&[Response::json(200, Type::List(&Type::of::<Job>()), "The page.")])
    .refusals(&[400, 403, 500])
    .handled_by(handler!(list));

/// `GET /jobs`: lists the jobs that the caller may see.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Job>> {
    let types = match request.query("job_type") {
        None => TYPES.iter().filter(|(_, permission)| session.may(permission)).map(|(name, _)| *name).collect(),
        Some(name) => vec![readable(&session, &name)?],
    };
    if types.is_empty() {
        return Err(session.refusal(READ));
    }
    let status = request.query("status");
    if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
        return Err(AppError::new("api.job.status.invalid"));
    }
    jobs(&app, &types, status.as_deref(), request.paging()).await
}

pub(super) const LIST_TYPE: Operation =
    Description::new(Tag::System, "GetJobsByType", "Lists background jobs of one type, newest first.")
        .details("Needs the permission of the type.")
        .queries(&[PAGE, PER_PAGE])
        .responses(&[Response::json(200, Type::List(&Type::of::<Job>()), "The page.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(list_type));

/// `GET /jobs/type/{job_type}`: lists the jobs of one type.
pub(super) async fn list_type(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Job>> {
    let name = request.path("job_type");
    if name.len() > MAX_TYPE_BYTES {
        return Err(AppError::invalid_url("job_type"));
    }
    let known = readable(&session, name)?;
    jobs(&app, &[known], None, request.paging()).await
}

/// Returns the name of a type of jobs. Refuses unknown types, and callers without the permission of the type.
fn readable(session: &Session, name: &str) -> Result<&'static str, AppError> {
    let known = TYPES.iter().find(|(known, _)| *known == name);
    let (name, permission) = known.ok_or_else(|| AppError::new("api.job.retrieve.nopermissions"))?;
    session.require(permission)?;
    Ok(name)
}

async fn jobs(app: &AppState, types: &[&str], status: Option<&str>, paging: Paging) -> Answer<Vec<Job>> {
    app.db.jobs(types, status, paging).await.map(Json).or_fail("app.job.get_all.app_error")
}
