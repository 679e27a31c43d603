//! A web application that is served beside the API: a folder with `root.html` and the files that it loads.
//!
//! `Quarterdeck.WebClientDirectory` names the folder. It is listed once, at the start: only files that were there then
//! are served, so that nothing that comes into the folder later is public.

mod file;
mod folder;
mod page;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::Config;
use tracing::info;

use crate::base::site_path::SitePath;
use crate::web::answer::outgoing::Outgoing;
use crate::web::entity_tag::Named;
use crate::web::frames::add_policy;
use crate::web::prepared::Packed;
use crate::web::request::accepts_gzip;
use file::{Body, Content, File, Reader};
use folder::Caching;
pub(crate) use folder::is_below;
use page::Page;

/// The path below which the application's files are.
const FILES: &str = "/static/";

/// The path of this server's own page while an application has the front page.
pub(crate) const OWN_PAGE: &str = "/quarterdeck/console";

/// The directive for files whose names contain a hash of their content, so that a browser needs no newer copy.
const UNCHANGING: HeaderValue = HeaderValue::from_static("max-age=31556926, public, immutable");

/// The directive for files such as pictures. A browser asks again if the user reloads the page.
const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31556926, public");

/// The directive for files that keep their names when they change, so that a browser asks each time.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache, max-age=31556926, public");

const NOT_SNIFFED: (HeaderName, HeaderValue) = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// A web application. Its files are read when they are first asked for and stay in memory.
pub(crate) struct WebApplication {
    /// Without links in its path.
    folder: Arc<PathBuf>,
    page: Page,
    site_path: SitePath,
    reader: Arc<Reader>,
    files: HashMap<String, Arc<File>>,
}

/// A part of the application that a request asks for.
pub(crate) enum Part<'a> {
    /// The page, which shows the place that the path names.
    Page,
    File(&'a Arc<File>),
}

impl WebApplication {
    /// Returns the application in the folder that the option names; `None` without the option. Refuses a folder that is
    /// no application, or that holds data of the server. `others` are places of such data that no setting of the API
    /// names.
    pub(crate) fn open(
        directory: Option<&Path>,
        others: &[PathBuf],
        config: &Config,
        site_path: &SitePath,
    ) -> Result<Option<Self>, String> {
        let Some(directory) = directory else { return Ok(None) };
        let described = |cause: String| format!("Quarterdeck.WebClientDirectory {}: {cause}", directory.display());
        let listed = folder::list(directory, &folder::own_places(config, others)).map_err(described)?;
        let page = Page::read(&listed.page, site_path).map_err(described)?;
        let files = listed.files.into_iter();
        let files = files.map(|(name, found)| (name, File::new(found))).collect();
        let reader = Reader::new(site_path.clone());
        Ok(Some(Self { folder: Arc::new(listed.root), page, site_path: site_path.clone(), reader, files }))
    }

    /// Returns the folder with the files.
    pub(crate) fn folder(&self) -> Arc<PathBuf> {
        self.folder.clone()
    }

    /// Logs that the application is served.
    pub(crate) fn announce(&self) {
        info!(files = self.files.len(), "a web application is served; the page of this server is at {OWN_PAGE}");
    }

    /// Returns the part that a request asks for. `path` is its clean path: one that no route serves, or that of the front
    /// page. Returns `None` for paths of the API and for files that do not exist.
    pub(crate) fn part(&self, path: &str) -> Option<Part<'_>> {
        let path = self.site_path.below(path).unwrap_or(path);
        let is_api = ["/api", "/quarterdeck"].iter().any(|own| {
            let rest = path.strip_prefix(own);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if is_api {
            return None;
        }
        match path.strip_prefix(FILES) {
            Some(name) => self.files.get(name).map(Part::File),
            None => Some(Part::Page),
        }
    }

    /// Returns the response with a part. Returns `None` for a file that cannot be read.
    pub(crate) async fn answer(&self, http: &HttpRequest, config: &Config, part: Part<'_>) -> Option<HttpResponse> {
        match part {
            Part::Page => Some(self.page.answer(http, config)),
            Part::File(file) => self.file(http, config, file).await,
        }
    }

    async fn file(&self, http: &HttpRequest, config: &Config, file: &Arc<File>) -> Option<HttpResponse> {
        let Content { body, tag } = file.content(&self.reader).await?;
        let cached = match file.found.caching {
            Caching::Unchanging => UNCHANGING,
            Caching::Year => A_YEAR,
            Caching::Asking => ASK_AGAIN,
        };
        let (mut answer, is_known) = begun(http, tag, cached);
        if is_known {
            return Some(answer.finish());
        }
        answer.insert_header((CONTENT_TYPE, file.found.kind.media)).insert_header(NOT_SNIFFED);
        Some(match body {
            Body::Packed(packed) => send(http, config, packed, &mut answer),
            Body::Plain(bytes) => answer.body(Outgoing::bytes(bytes.clone())),
        })
    }
}

/// Begins a response with an entity tag. Its status is 304 if the client has the content, which the second value says.
fn begun(http: &HttpRequest, tag: &str, cached: HeaderValue) -> (HttpResponseBuilder, bool) {
    let is_known = Named::of(http.headers(), IF_NONE_MATCH).is_some_and(|named| named.matches(tag));
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((CACHE_CONTROL, cached)).insert_header((ETAG, tag));
    (answer, is_known)
}

/// Returns the entity tag of a content.
fn tag_of(content: &[u8]) -> String {
    let tag = HEXLOWER.encode(digest(&SHA256, content).as_ref());
    format!("\"{}\"", tag.get(..32).unwrap_or(&tag))
}

fn send(http: &HttpRequest, config: &Config, packed: &Packed, answer: &mut HttpResponseBuilder) -> HttpResponse {
    answer.append_header((VARY, HeaderValue::from_static("Accept-Encoding")));
    if accepts_gzip(http, config) {
        answer.insert_header((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        answer.body(Outgoing::bytes(packed.gzip().clone()))
    } else {
        answer.body(Outgoing::bytes(packed.plain.clone()))
    }
}

impl Page {
    /// Returns the page, or status 304 if the client has it.
    fn answer(&self, http: &HttpRequest, config: &Config) -> HttpResponse {
        let (mut answer, is_known) = begun(http, &self.tag, ASK_AGAIN);
        // A browser replaces the policy of its copy by that of a response with status 304.
        add_policy(&mut answer, &self.policy, config);
        if is_known {
            return answer.finish();
        }
        answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).insert_header(NOT_SNIFFED);
        send(http, config, &self.body, &mut answer)
    }
}
