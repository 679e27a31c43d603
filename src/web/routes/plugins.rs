//! Routes that list plugins. This server runs none, so the lists are empty.

use quarterdeck_actors::error::AppError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};

/// The installed plugins.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = PluginList)]
pub(super) struct Installed {
    /// The plugins that run: always none.
    active: Vec<Value>,
    /// The plugins that do not run: always none.
    inactive: Vec<Value>,
}

pub(super) const LIST: Operation = Description::new(Tag::System, "GetPlugins", "Lists the installed plugins: none.")
    .details("Needs the permission `sysconsole_read_plugins`.")
    .responses(&[Response::json(200, Type::of::<Installed>(), "Two empty lists.")])
    .refusals(&[403, 501])
    .handled_by(handler!(list));

/// `GET /plugins`: lists the installed plugins.
pub(super) async fn list(request: Request, session: Session) -> Answer<Installed> {
    check_enabled(&request)?;
    session.require("sysconsole_read_plugins")?;
    Ok(Json(Installed::default()))
}

pub(super) const LIST_STATUSES: Operation =
    Description::new(Tag::System, "GetPluginStatuses", "Lists the states of the installed plugins: none.")
        .details("Needs the permission `sysconsole_read_plugins`.")
        .responses(&[Response::json(200, Type::List(&Type::Object), "An empty list.")])
        .refusals(&[403, 501])
        .handled_by(handler!(list_statuses));

/// `GET /plugins/statuses`: lists the states of the installed plugins.
pub(super) async fn list_statuses(request: Request, session: Session) -> Answer<[Value; 0]> {
    check_enabled(&request)?;
    session.require("sysconsole_read_plugins")?;
    Ok(Json([]))
}

pub(super) const LIST_FOR_WEB: Operation =
    Description::new(Tag::System, "GetWebappPlugins", "Lists the plugins that extend the web application: none.")
        .responses(&[Response::json(200, Type::List(&Type::Object), "An empty list.")])
        .refusals(&[501])
        .handled_by(handler!(list_for_web));

/// `GET /plugins/webapp`: lists the plugins that extend the web application.
pub(super) async fn list_for_web(request: Request) -> Answer<[Value; 0]> {
    check_enabled(&request)?;
    Ok(Json([]))
}

fn check_enabled(request: &Request) -> Result<(), AppError> {
    let section = request.config().document.get("PluginSettings");
    let is_enabled = section.and_then(|section| section.get("Enable")).and_then(Value::as_bool).unwrap_or_default();
    if is_enabled { Ok(()) } else { Err(AppError::new("app.plugin.disabled.app_error")) }
}
