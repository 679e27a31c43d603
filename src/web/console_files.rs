//! The files of the System Console: embedded in a release, linked, named after their content, and compressed once.
//!
//! The folder `console/` holds small modules. Browsers get those that every page needs as one file, `start.js`, so that few
//! requests open the console; the modules of a page become another file, which is loaded when the page is opened.
//! A debug build reads the folder at the first request: a changed file needs a new start, but no build.

mod linking;
mod numbering;
mod styles;

use std::collections::{BTreeMap, HashMap};
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::background;
use quarterdeck_actors::error::{AppError, OrFail};
use tokio::sync::OnceCell;

use crate::web::prepared::Packed;

/// The files of the folder in a release; empty in a debug build.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/console_files.rs"));

/// The path below which browsers find the files.
pub(crate) const FILES_PATH: &str = "/quarterdeck/assets";

/// The first module. It and everything that it imports become one file.
const ENTRY: &str = "start.js";

/// The page.
const PAGE: &str = "index.html";

/// The folder whose style sheets become one file, in the order of their names.
const STYLES: (&str, &str) = ("styles/", "console.css");

/// The number of characters of the hash in the addresses of files.
const HASH_CHARACTERS: usize = 16;

/// The ends of the names of modules.
const SCRIPTS: [&str; 2] = [".js", ".mjs"];

/// The types of the files.
const TYPES: [(&str, &str); 5] = [
    (".js", "text/javascript; charset=utf-8"),
    (".mjs", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".txt", "text/plain; charset=utf-8"),
];

static FILES: OnceCell<ConsoleFiles> = OnceCell::const_new();

/// The files as browsers get them.
pub(crate) struct ConsoleFiles {
    /// The hash of all files. It is part of every address, so a file never changes under its address.
    pub(crate) hash: String,
    page: String,
    files: HashMap<String, ConsoleFile>,
}

/// A file with its type.
pub(crate) struct ConsoleFile {
    pub(crate) media: &'static str,
    pub(crate) body: Packed,
}

impl ConsoleFiles {
    /// Returns the files. The first call makes them, on a background thread.
    pub(crate) async fn get() -> Result<&'static Self, AppError> {
        let make = || async {
            let made = background::compute(|| Self::make(read()?)).await.or_fail("api.marshal_error")?;
            made.map_err(|cause| AppError::new("api.marshal_error").because(cause.to_string()))
        };
        FILES.get_or_try_init(make).await
    }

    /// Returns the page for an address. `site` leads from there to the site, and `console` to the console. `setup` says how
    /// the caller creates the first account; it is empty if there are accounts.
    pub(crate) fn page(&self, site: &str, console: &str, setup: &str) -> String {
        let files = format!("{site}{}/{}", FILES_PATH.trim_start_matches('/'), self.hash);
        let page = self.page.replace("{site}", site).replace("{console}", console);
        page.replace("{setup}", setup).replace("{files}", &files)
    }

    /// Returns the file with the name `HASH/NAME`; `None` for another hash.
    pub(crate) fn file(&self, name: &str) -> Option<&ConsoleFile> {
        let (hash, name) = name.split_once('/')?;
        self.files.get(name).filter(|_| hash == self.hash)
    }

    fn make(mut sources: BTreeMap<String, String>) -> io::Result<Self> {
        let page = sources.remove(PAGE).ok_or_else(|| io::Error::other("there is no page"))?;
        let styles = sources.iter().filter(|(name, _)| name.starts_with(STYLES.0));
        let styles = styles::joined(styles.map(|(_, text)| text.as_str()));
        sources.retain(|name, _| !name.starts_with(STYLES.0));
        let is_module = |name: &str| SCRIPTS.iter().any(|end| name.ends_with(end));
        let (modules, mut others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            sources.into_iter().partition(|(name, _)| is_module(name));
        others.insert(STYLES.1.to_owned(), styles);
        let linked = linking::linked(&modules, ENTRY).map_err(io::Error::other)?;
        others.extend(numbering::numbered(modules.keys(), linked));
        let mut all = page.clone();
        for (name, text) in &others {
            all.extend([name.as_str(), "\0", text, "\0"]);
        }
        let mut hash = HEXLOWER.encode(digest(&SHA256, all.as_bytes()).as_ref());
        hash.truncate(HASH_CHARACTERS);
        let file = |(name, text): (String, String)| {
            let (_, media) = TYPES.iter().find(|(end, _)| name.ends_with(end))?;
            Some((name, ConsoleFile { media, body: Packed::new(text.into_bytes()) }))
        };
        Ok(Self { hash, page, files: others.into_iter().filter_map(file).collect() })
    }
}

/// Returns the files by name.
fn read() -> io::Result<BTreeMap<String, String>> {
    if !EMBEDDED.is_empty() {
        return Ok(EMBEDDED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect());
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/console");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let is_served = name == PAGE || TYPES.iter().any(|(end, _)| name.ends_with(end));
            if is_served {
                found.insert(name, std::fs::read_to_string(&path)?);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest size of all files together that pages load, after gzip, in bytes.
    const BUDGET_BYTES: usize = 150_000;

    /// The licences of the libraries, which no page loads.
    const LICENCES: &str = "vendor/licences.txt";

    #[test]
    fn all_files_are_linked_and_stay_within_the_budget() {
        let made = ConsoleFiles::make(read().unwrap()).unwrap();
        let sizes: BTreeMap<&str, usize> =
            made.files.iter().map(|(name, file)| (name.as_str(), file.body.gzip().len())).collect();
        let sum: usize = sizes.iter().filter(|(name, _)| **name != LICENCES).map(|(_, size)| size).sum();
        assert!(sum <= BUDGET_BYTES, "{sum} bytes: {sizes:?}");
        assert!(sizes.contains_key(ENTRY) && sizes.contains_key(STYLES.1), "{sizes:?}");
        let again = ConsoleFiles::make(read().unwrap()).unwrap();
        assert_eq!((again.hash.len(), again.hash), (HASH_CHARACTERS, made.hash));
    }

    #[test]
    fn each_module_is_in_one_file() {
        let made = ConsoleFiles::make(read().unwrap()).unwrap();
        let texts = made.files.iter().filter(|(name, _)| SCRIPTS.iter().any(|end| name.ends_with(end)));
        let texts: Vec<String> = texts.map(|(_, file)| String::from_utf8(file.body.plain.to_vec()).unwrap()).collect();
        let modules = read().unwrap().into_keys().filter(|name| SCRIPTS.iter().any(|end| name.ends_with(end)));
        for (number, name) in modules.enumerate() {
            let begin = format!("$modules[{number}] = (");
            let count: usize = texts.iter().map(|text| text.matches(&begin).count()).sum();
            assert_eq!(count, 1, "{name}");
        }
    }

    #[test]
    fn a_file_is_found_under_its_hash_only() {
        let made = ConsoleFiles::make(read().unwrap()).unwrap();
        assert!(made.file(&format!("{}/start.js", made.hash)).is_some());
        for name in ["start.js", "/start.js", "0000000000000000/start.js", ""] {
            assert!(made.file(name).is_none(), "{name}");
        }
        let page = made.page("../../", "../../", "");
        assert!(page.contains(&format!("src=\"../../quarterdeck/assets/{}/start.js\"", made.hash)), "{page}");
        assert!(!page.contains('{'), "{page}");
    }

    #[test]
    fn no_file_of_the_console_is_longer_than_300_lines() {
        for (name, text) in read().unwrap().iter().filter(|(name, _)| !name.starts_with("vendor/")) {
            let lines = text.lines().count();
            assert!(lines <= 300, "{name} has {lines} lines: split it by idea");
        }
    }
}
