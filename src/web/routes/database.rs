//! The database: its connections, its schema, and the check of its references.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::domain::config_access::require_any_read;
use crate::domain::session::Session;
use crate::store::{Orphan, Outcome, Relation};
use crate::web::answer::{Answer, Done, Json};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// An applied migration of the schema.
#[derive(Serialize, ToSchema)]
pub(super) struct Migration {
    /// The number.
    version: i64,
    /// The name.
    name: String,
}

/// The result of checking one relation between tables.
#[derive(Serialize, ToSchema)]
#[schema(as = IntegrityCheckResult)]
pub(super) struct Checked {
    /// The rows that were found; null if the relation could not be checked.
    #[schema(required = true)]
    data: Option<Found>,
    /// The reason why the relation could not be checked.
    #[schema(required = true)]
    err: Option<String>,
}

/// A relation with the rows whose parent is missing.
#[derive(Serialize, ToSchema)]
#[schema(as = RelationalIntegrityCheckData)]
struct Found {
    /// The column with the row's own id; empty if there is none.
    child_id_attr: &'static str,
    /// The table of the rows.
    child_name: &'static str,
    /// The column with the parent's id.
    parent_id_attr: &'static str,
    /// The table of the parents.
    parent_name: &'static str,
    /// The rows.
    records: Vec<Orphan>,
}

pub(super) const RECYCLE: Operation = Description::new(
    Tag::Environment,
    "DatabaseRecycle",
    "Replaces every connection to the database. No statement fails because of this.",
)
.details("Needs the permission `recycle_database_connections`.")
.responses(&[Response::json(200, STATUS_OK, "Started.")])
.refusals(&[403])
.handled_by(handler!(recycle));

/// `POST /database/recycle`: replaces every connection. No running statement fails, and no request waits.
pub(super) async fn recycle(session: Session, app: Data<AppState>) -> Result<Done, AppError> {
    session.require_unrestricted("recycle_database_connections")?;
    app.db.recycle_connections();
    Ok(Done)
}

pub(super) const LIST_MIGRATIONS: Operation = Description::new(
    Tag::Environment,
    "GetAppliedSchemaMigrations",
    "Lists the applied migrations of the database schema, the newest first.",
)
.details("Needs any permission to read the system console.")
.responses(&[Response::json(200, Type::List(&Type::of::<Migration>()), "The migrations.")])
.refusals(&[403, 500])
.handled_by(handler!(list_migrations));

/// `GET /system/schema/version`: lists the applied migrations, the newest first.
pub(super) async fn list_migrations(session: Session, app: Data<AppState>) -> Answer<Vec<Migration>> {
    require_any_read(&session)?;
    let applied = app.db.schema_versions().await.or_fail("api.file.read_file.app_error")?;
    Ok(Json(applied.into_iter().map(|(version, name)| Migration { version, name }).collect()))
}

pub(super) const CHECK: Operation = Description::new(
    Tag::Environment,
    "CheckIntegrity",
    "Finds the rows whose parent row is missing, for each relation between tables.",
)
.responses(&[Response::json(200, Type::List(&Type::of::<Checked>()), "One result for each relation.")])
.handled_by(handler!(check));

/// `POST /integrity`: lists, for each relation between tables, the rows whose parent is missing.
pub(super) async fn check(_: Session, app: Data<AppState>) -> Answer<Vec<Checked>> {
    let mut results = Vec::new();
    for relation in Relation::all() {
        let outcome = app.db.orphans(&relation).await;
        results.push(result(&relation, outcome));
    }
    Ok(Json(results))
}

/// Returns a result in the form that clients expect: its records are a list, even if empty, and its error is text.
fn result(relation: &Relation, outcome: Outcome) -> Checked {
    match outcome {
        Ok(records) => {
            let found = Found {
                child_id_attr: relation.child_id_attr,
                child_name: relation.child,
                parent_id_attr: relation.parent_id_attr,
                parent_name: relation.parent,
                records,
            };
            Checked { data: Some(found), err: None }
        }
        Err(cause) => {
            error!(
                %cause,
                parent = relation.parent,
                child = relation.child,
                "a database relation could not be checked"
            );
            let text = format!("{}, {} of {}: {cause}", relation.child, relation.parent_id_attr, relation.parent);
            Checked { data: None, err: Some(text) }
        }
    }
}
