//! The folder of a web application: the files in it, and the reasons to refuse it.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::places::set_places;
use tracing::warn;

use crate::settings::named_file::contents;
use crate::store::embedded_folder;

/// The most files that an application may have.
const MAX_FILES: usize = 20_000;

/// The most folders inside one another.
const MAX_DEPTH: usize = 16;

/// The largest file that is served, in bytes. Files stay in memory after the first request.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The largest size of all files together, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The page of the application.
const PAGE: &str = "root.html";

/// Endings of names that no file of a web application has, but data, keys and configuration of a server have.
const FOREIGN_ENDINGS: [&str; 9] =
    [".db", ".db-wal", ".db-shm", ".sqlite", ".key", ".pem", ".toml", ".mattermost-license", ".log"];

/// Names of files with the configuration.
const FOREIGN_NAMES: [&str; 2] = ["config.json", "mattermost.log"];

/// The kind of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) media: &'static str,
    /// True if gzip makes it smaller.
    pub(super) is_text: bool,
    /// True if it names other files of the application by their paths.
    pub(super) names_files: bool,
}

const fn text(media: &'static str) -> Kind {
    Kind { media, is_text: true, names_files: false }
}

const fn style(media: &'static str) -> Kind {
    Kind { media, is_text: true, names_files: true }
}

const fn binary(media: &'static str) -> Kind {
    Kind { media, is_text: false, names_files: false }
}

/// The kinds of files by the ends of their names.
const KINDS: [(&str, Kind); 24] = [
    (".js", text("text/javascript; charset=utf-8")),
    (".mjs", text("text/javascript; charset=utf-8")),
    (".css", style("text/css; charset=utf-8")),
    (".html", style("text/html; charset=utf-8")),
    (".json", style("application/json")),
    (".webmanifest", style("application/manifest+json")),
    (".map", text("application/json")),
    (".svg", text("image/svg+xml")),
    (".txt", text("text/plain; charset=utf-8")),
    (".wasm", text("application/wasm")),
    (".ttf", text("font/ttf")),
    (".otf", text("font/otf")),
    (".eot", text("application/vnd.ms-fontobject")),
    (".woff", binary("font/woff")),
    (".woff2", binary("font/woff2")),
    (".png", binary("image/png")),
    (".jpg", binary("image/jpeg")),
    (".jpeg", binary("image/jpeg")),
    (".gif", binary("image/gif")),
    (".webp", binary("image/webp")),
    (".ico", binary("image/vnd.microsoft.icon")),
    (".mp3", binary("audio/mpeg")),
    (".mp4", binary("video/mp4")),
    (".webm", binary("video/webm")),
];

/// Scripts that keep their names when they change.
const CHANGING: [&str; 2] = ["remote_entry.js", "sw.js"];

/// The minimum length of a hash in a name.
const MIN_HASH_DIGITS: usize = 8;

/// The time for which a browser uses its copy of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caching {
    /// A year, since the name has a hash of the content.
    Unchanging,
    /// A year, unless the user reloads the page.
    Year,
    /// Until the browser has asked if the file has changed.
    Asking,
}

/// A file of the application.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The folder of the application, without links in its path.
    root: PathBuf,
    pub(super) kind: Kind,
    pub(super) caching: Caching,
}

/// The files of an application.
pub(super) struct Listed {
    /// The folder, without links in its path.
    pub(super) root: PathBuf,
    pub(super) page: PathBuf,
    /// By their paths below the folder.
    pub(super) files: HashMap<String, Found>,
}

/// Returns the places of the server's own data. `others` are those that no setting names.
pub(super) fn own_places(config: &Config, others: &[PathBuf]) -> Vec<PathBuf> {
    let set = set_places(&config.document).map(|(_, place)| PathBuf::from(place));
    set.chain(embedded_folder(&config.view.sql)).chain(others.iter().cloned()).collect()
}

/// Lists a folder. Links and hidden files are left out. Refuses a folder without a page, one that is too large, and one
/// in which the server keeps data.
pub(super) fn list(directory: &Path, own_places: &[PathBuf]) -> Result<Listed, String> {
    let root = fs::canonicalize(directory).map_err(|cause| cause.to_string())?;
    if let Some(place) = own_places.iter().find(|place| is_below(&root, place)) {
        return Err(format!("the server keeps data in it, at {}", place.display()));
    }
    let page = root.join(PAGE);
    let is_page = fs::symlink_metadata(&page).is_ok_and(|metadata| metadata.is_file());
    if !is_page {
        return Err(format!("there is no file {PAGE} in it"));
    }
    let mut listing = Listing { root, files: HashMap::new(), bytes: 0, links: 0 };
    listing.add(&listing.root.clone(), "", 0)?;
    if listing.links > 0 {
        warn!(links = listing.links, "links in the folder of the web application are not served");
    }
    Ok(Listed { root: listing.root, page, files: listing.files })
}

/// Returns the content of a file. Refuses it if a link leads out of the folder now.
pub(super) fn content(found: &Found) -> Result<Vec<u8>, String> {
    let path = fs::canonicalize(&found.path).map_err(|cause| cause.to_string())?;
    if !path.starts_with(&found.root) {
        return Err("a link leads out of the folder".to_owned());
    }
    contents(&path, MAX_FILE_BYTES).map_err(|cause| cause.to_string())
}

struct Listing {
    root: PathBuf,
    files: HashMap<String, Found>,
    bytes: u64,
    links: usize,
}

impl Listing {
    fn add(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("its folders are more than {MAX_DEPTH} deep"));
        }
        for entry in fs::read_dir(folder).map_err(|cause| cause.to_string())? {
            let entry = entry.map_err(|cause| cause.to_string())?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = fs::symlink_metadata(entry.path()).map_err(|cause| cause.to_string())?;
            let place = format!("{prefix}{name}");
            if metadata.is_symlink() {
                self.links += 1;
            } else if is_foreign(&name) {
                return Err(format!("{place} is not a file of a web application, but data or configuration"));
            } else if metadata.is_dir() && !name.starts_with('.') {
                self.add(&entry.path(), &format!("{place}/"), depth + 1)?;
            } else if metadata.is_file() && !name.starts_with('.') && metadata.len() <= MAX_FILE_BYTES {
                self.put(place, &name, entry.path(), metadata.len())?;
            }
        }
        Ok(())
    }

    fn put(&mut self, place: String, name: &str, path: PathBuf, bytes: u64) -> Result<(), String> {
        let Some((_, kind)) = KINDS.iter().find(|(end, _)| name.ends_with(end)) else { return Ok(()) };
        self.bytes += bytes;
        if self.files.len() >= MAX_FILES || self.bytes > MAX_BYTES {
            return Err(format!("it has more than {MAX_FILES} files, or more than {MAX_BYTES} bytes"));
        }
        let found = Found { path, root: self.root.clone(), kind: *kind, caching: caching(name, *kind) };
        self.files.insert(place, found);
        Ok(())
    }
}

/// Returns how a file of this name is cached. Documents in HTML and JSON without a hash in their names change with each
/// version of the application.
fn caching(name: &str, kind: Kind) -> Caching {
    let is_document = kind.names_files && !kind.media.starts_with("text/css");
    if has_hash(name) {
        Caching::Unchanging
    } else if is_document || CHANGING.contains(&name) {
        Caching::Asking
    } else {
        Caching::Year
    }
}

/// Returns true if a part of the name is a hash: hexadecimal digits, among them letters and decimal digits.
fn has_hash(name: &str) -> bool {
    let is_hash = |part: &str| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.len() >= MIN_HASH_DIGITS
            && part.bytes().all(is_digit)
            && part.contains(|digit: char| digit.is_ascii_digit())
            && part.contains(|digit: char| digit.is_ascii_lowercase())
    };
    name.split(['.', '-', '_']).any(is_hash)
}

fn is_foreign(name: &str) -> bool {
    FOREIGN_NAMES.contains(&name) || FOREIGN_ENDINGS.iter().any(|end| name.ends_with(end))
}

/// Returns true if a place is in a folder, or is that folder. `folder` has no links in its path.
pub(crate) fn is_below(folder: &Path, place: impl AsRef<Path>) -> bool {
    resolved(place.as_ref()).starts_with(folder)
}

/// Returns a path without links and dots. The part that does not exist yet stays as it is written.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            other @ (Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::Normal(_)) => {
                plain.push(other);
            }
        }
        plain = fs::canonicalize(&plain).unwrap_or(plain);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("root.html", "<html>"), ("main.abc.js", "1"), ("images/a.png", "2"), (".env", "secret")] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn refusal(folder: &Path, own: &[PathBuf]) -> String {
        list(folder, own).err().unwrap_or_default()
    }

    #[test]
    fn files_are_listed_without_hidden_ones_and_links() {
        let folder = folder();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd.txt")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("remote_entry.js"), "3").unwrap();
        let listed = list(folder.path(), &[]).unwrap();
        let mut names: Vec<&String> = listed.files.keys().collect();
        names.sort();
        assert_eq!(names, ["images/a.png", "main.abc.js", "remote_entry.js", "root.html"]);
    }

    #[test]
    fn a_file_is_cached_as_its_name_and_kind_say() {
        let of = |name: &str| {
            let (_, kind) = KINDS.iter().find(|(end, _)| name.ends_with(end)).unwrap();
            caching(name, *kind)
        };
        for name in ["main.0a1b2c3d.js", "de.62d1c0bd0c4dbd40c7a3.json", "62d1c0bd0c4dbd40c7a3.png", "a-0a1b2c3d.css"] {
            assert_eq!(of(name), Caching::Unchanging, "{name}");
        }
        for name in ["de.json", "root.html", "manifest.webmanifest", "remote_entry.js", "report.20260101.json"] {
            assert_eq!(of(name), Caching::Asking, "{name}");
        }
        for name in ["main.js", "main.abc.js", "icon.png", "defacade.png", "site.css"] {
            assert_eq!(of(name), Caching::Year, "{name}");
        }
    }

    #[test]
    fn a_file_that_became_a_link_out_of_the_folder_is_not_read() {
        let folder = folder();
        let listed = list(folder.path(), &[]).unwrap();
        let found = &listed.files["main.abc.js"];
        assert_eq!(content(found).unwrap(), b"1");
        fs::remove_file(&found.path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &found.path).unwrap();
        assert!(content(found).is_err());
    }

    #[test]
    fn a_folder_with_data_or_without_a_page_is_refused() {
        let folder = folder();
        let path = folder.path();
        assert!(refusal(&path.join("none"), &[]).contains("No such file"));
        for own in [path.to_owned(), path.join("data/files"), path.join("x/../data")] {
            assert!(refusal(path, std::slice::from_ref(&own)).contains("keeps data"), "{}", own.display());
        }
        assert_eq!(refusal(path, &[path.parent().unwrap().to_owned()]), "");
        for name in ["config.toml", "config.json", "quarterdeck.db", "audit.key", "images/cert.pem"] {
            fs::write(path.join(name), "x").unwrap();
            assert!(refusal(path, &[]).contains(name), "{name}");
            fs::remove_file(path.join(name)).unwrap();
        }
        fs::remove_file(path.join("root.html")).unwrap();
        assert!(refusal(path, &[]).contains("no file root.html"));
        std::os::unix::fs::symlink("/etc/passwd", path.join("root.html")).unwrap();
        assert!(refusal(path, &[]).contains("no file root.html"));
    }
}
