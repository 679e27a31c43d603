//! The description of the API, and a page to read it and to try requests.

use std::io::{Cursor, Read};

use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpResponse, HttpResponseBuilder};
use quarterdeck_actors::background;
use quarterdeck_actors::error::{AppError, OrFail};
use tokio::sync::OnceCell;
use zip::ZipArchive;

use super::config::{packed, packed_as};
use super::route::Route;
use super::router::Router;
use crate::web::frames::add_policy;
use crate::web::openapi::document;
use crate::web::prepared::Packed;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};

const HTML: &str = include_str!("../pages/openapi.html");
const SCRIPT: &str = include_str!("../pages/openapi.js");

/// The archive with the parts of Swagger UI, which `build.rs` makes.
const SWAGGER_UI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/swagger_ui.zip"));

/// The page may load from this server only and send requests to this server only. The System Console shows it in a frame.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

/// Large static bodies. The first request for one of them makes all of them, on a background thread.
static LARGE: OnceCell<Large> = OnceCell::const_new();

struct Large {
    document: Result<Packed, serde_json::Error>,
    /// The parts of Swagger UI that the page needs: name, type, body.
    parts: Vec<(&'static str, &'static str, Packed)>,
}

impl Large {
    fn make(table: &[Route]) -> Self {
        let wanted = [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript")];
        let parts = wanted.into_iter().filter_map(|(name, kind)| Some((name, kind, Packed::new(unpacked(name)?))));
        Self { document: document(table).map(Packed::new), parts: parts.collect() }
    }

    async fn get(router: &Router) -> Result<&'static Self, AppError> {
        let make = || {
            let table = router.table();
            background::compute(move || Self::make(table))
        };
        LARGE.get_or_try_init(make).await.or_fail("api.marshal_error")
    }
}

pub(super) const SHOW: Operation = Description::new(Tag::System, "GetOpenAPI", "Returns this document.")
    .responses(&[Response::json(200, Type::Object, "OpenAPI 3.1.")])
    .handled_by(handler!(show));

/// `GET /openapi.json`: returns the description of the API.
pub(super) async fn show(request: Request, router: Data<Router>) -> Result<HttpResponse, AppError> {
    let made = Large::get(&router).await?.document.as_ref();
    let document = made.map_err(|cause| AppError::new("api.marshal_error").because(cause.to_string()))?;
    Ok(packed(&request, document))
}

pub(super) const PAGE: Operation = Operation::undescribed(handler!(page));

/// `GET /openapi`: returns the page.
pub(super) async fn page(request: Request) -> HttpResponse {
    let mut answer = file("text/html");
    add_policy(&mut answer, POLICY, request.config());
    answer.body(HTML)
}

pub(super) const PART: Operation = Operation::undescribed(handler!(part));

/// `GET /openapi/{file}`: returns a file that the page loads.
pub(super) async fn part(request: Request, router: Data<Router>) -> Result<HttpResponse, AppError> {
    let name = request.path("file");
    if name == "openapi.js" {
        return Ok(file("text/javascript").body(SCRIPT));
    }
    let found = Large::get(&router).await?.parts.iter().find(|(known, ..)| *known == name);
    let (_, kind, body) = found.ok_or_else(|| AppError::new("api.context.404.app_error"))?;
    Ok(packed_as(&request, body, &mut file(kind)))
}

fn file(kind: &str) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        answer.insert_header((CONTENT_TYPE, kind));
    }
    answer
}

/// Returns a file of the archive. The archive has it in a folder named after its version.
fn unpacked(name: &str) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI)).ok()?;
    let end = format!("/dist/{name}");
    let path = archive.file_names().flatten().find(|path| path.ends_with(&end))?.into_owned();
    let mut text = Vec::new();
    archive.by_name(&path).ok()?.read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_what_the_page_loads() {
        let large = Large::make(&[]);
        let names: Vec<&str> = large.parts.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["swagger-ui.css", "swagger-ui-bundle.js"]);
    }
}
