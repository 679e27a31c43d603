//! The route that adds the permissions that belong to those of the System Console.

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::roles::built_in::with_ancillary;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::Body;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};

/// The largest number of permissions in a request. There are fewer than 300.
const MAX_PERMISSIONS: usize = 1_000;

pub(super) const ADD_ANCILLARY: Operation = Description::new(
    Tag::Accounts,
    "GetAncillaryPermissionsPost",
    "Adds to a list of permissions those that a role needs beside them.",
)
.body(Type::NonEmptyList(&Type::String), "At most 1,000 permissions of the System Console.")
.responses(&[Response::json(200, Type::List(&Type::String), "The list, and the further permissions.")])
.refusals(&[400])
.handled_by(handler!(add_ancillary));

/// `POST /permissions/ancillary`: returns the permissions in the body, and those that belong to them.
pub(super) async fn add_ancillary(_: Session, body: Body) -> Answer<Vec<String>> {
    let permissions: Vec<String> = body.unnamed_list().await?;
    let fits = (1..=MAX_PERMISSIONS).contains(&permissions.len());
    if fits { Ok(Json(with_ancillary(permissions))) } else { Err(AppError::invalid_body("permissions")) }
}
