//! Migration of the configuration from one store to another.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::saving::{Saved, Write, change_stored};
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Deserialize;
use tracing::warn;
use utoipa::ToSchema;

use super::document::{COMMENT, author};
use crate::base::lenient::or_default;
use crate::domain::audit::Audit;
use crate::domain::config_migration::Migration;
use crate::domain::session::Session;
use crate::domain::version_store::recorded::Recorded;
use crate::domain::version_store::{Place, VersionStore};
use crate::web::answer::{Done, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const FAILED: &str = "api.config.migrate_config.app_error";

/// The stores between which the configuration is copied.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ConfigMigration)]
pub(crate) struct Stores {
    /// The store to copy from: `database`, or the path of a file.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false, min_length = 1)]
    from: Option<String>,
    /// The store to copy to: `database`, or the path of a file.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false, min_length = 1)]
    to: Option<String>,
}

pub(crate) const MIGRATE: Operation =
    Description::new(Tag::Configuration, "MigrateConfig", "Copies the configuration from one store into another.")
        .queries(&[COMMENT])
        .body(Type::of::<Stores>(), "The two stores.")
        .responses(&[Response::json(200, STATUS_OK, "Copied.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(migrate));

/// `POST /config/migrate`: copies the stored configuration from one store to another. This server keeps using its own
/// store, whose only writer is its actor.
pub(crate) async fn migrate(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let Stores { from, to } = body.lenient().await;
    let (from, to) =
        (from.ok_or_else(|| AppError::invalid_body("from"))?, to.ok_or_else(|| AppError::invalid_body("to"))?);
    session.require("manage_system")?;
    audit.parameter("from", Place::label(&from));
    audit.parameter("to", Place::label(&to));
    let config = app.actors.config.current();
    let Migration { wanted, target, files, warning } = Migration::open(&from, &to, &app.db, &config.view.sql).await?;
    audit.parameter("files", files);
    if let Some(text) = warning {
        warn!("{text}");
    }
    let context = app.facts.decision_context();
    let write = Write {
        wanted,
        author: author(&request, &session, "migrate"),
        expected: None,
        base: None,
        is_dry_run: false,
        confirm: None,
        admits: None,
        context,
    };
    let saved = if app.facts.versions.is_same_as(&target) {
        app.actors.config.write(write).await.or_fail(FAILED)?
    } else {
        elsewhere(&app, target, write).await?
    };
    if saved.is_stored {
        audit.settings(&saved.decision.changes);
    }
    Done.reply()
}

/// Stores the copy in a store that is not the one of this server, according to their names.
async fn elsewhere(app: &AppState, target: VersionStore, write: Write) -> Result<Saved, AppError> {
    let before = app.facts.versions.active().await.or_fail(FAILED)?;
    let overrides = &app.actors.config.current().overrides;
    let store = Recorded { versions: target, trail: Some(app.db.clone()), defaults: app.facts.started_with.defaults };
    let saved = change_stored(&store, overrides, Arc::new(write)).await.or_fail(FAILED)?;
    let is_own_store_changed = app.facts.versions.active().await.or_fail(FAILED)? != before;
    if is_own_store_changed {
        app.actors.config.reload(app.facts.decision_context()).await.or_fail(FAILED)?;
    }
    Ok(saved)
}
