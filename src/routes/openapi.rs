//! The document that describes the API, and a page to read it and try it with.

use std::io::{Cursor, Read};
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_FRAME_OPTIONS};
use actix_web::web::Bytes;
use quarterdeck_actors::error::AppError;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

use crate::answer::JSON;
use crate::openapi::{Fault, document};
use crate::request::Request;

const PAGE: &str = include_str!("../console/openapi.html");
const SCRIPT: &str = include_str!("../console/openapi.js");

/// What the page loads comes from here, and what it asks goes here.
const POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document, made when it is first asked for.
static DOCUMENT: LazyLock<Result<Bytes, Fault>> = LazyLock::new(|| document().map(Bytes::from));

/// The parts of Swagger UI that the page needs, unpacked when the first is asked for.
static PARTS: LazyLock<Vec<(&'static str, &'static str, Bytes)>> = LazyLock::new(|| {
    let wanted = [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript")];
    wanted.into_iter().filter_map(|(name, kind)| Some((name, kind, unpacked(name)?))).collect()
});

/// `GET /openapi.json`: the document.
pub(super) async fn show() -> Result<HttpResponse, AppError> {
    let document = DOCUMENT.as_ref().map_err(|cause| AppError::new("api.marshal_error").because(cause.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, JSON)).body(document.clone()))
}

/// `GET /openapi`: the page.
pub(super) async fn page() -> HttpResponse {
    file("text/html", PAGE.into())
}

/// `GET /openapi/{file}`: what the page loads.
pub(super) async fn part(request: Request) -> Result<HttpResponse, AppError> {
    let name = request.path("file");
    if name == "openapi.js" {
        return Ok(file("text/javascript", SCRIPT.into()));
    }
    let found = PARTS.iter().find(|(known, ..)| *known == name);
    let (_, kind, body) = found.ok_or_else(|| AppError::new("api.context.404.app_error"))?;
    Ok(file(kind, body.clone()))
}

fn file(kind: &str, body: Bytes) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    if let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8")) {
        answer.insert_header((CONTENT_TYPE, kind));
    }
    answer.insert_header((CONTENT_SECURITY_POLICY, POLICY)).insert_header((X_FRAME_OPTIONS, "DENY")).body(body)
}

/// A file of the archive; the archive has it in a folder named by its version.
fn unpacked(name: &str) -> Option<Bytes> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED)).ok()?;
    let end = format!("/dist/{name}");
    let path = archive.file_names().flatten().find(|path| path.ends_with(&end))?.into_owned();
    let mut text = Vec::new();
    archive.by_name(&path).ok()?.read_to_end(&mut text).ok()?;
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_what_the_page_loads() {
        let names: Vec<&str> = PARTS.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, ["swagger-ui.css", "swagger-ui-bundle.js"]);
    }
}
