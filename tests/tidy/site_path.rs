//! A site may have a path. So what a browser gets is relative, or begins with the path of the site.

use std::path::{Path, PathBuf};

use super::bounds::shipped;

/// Files that redirect or make cookies, with the reason why the path of the site is right there.
const SENDERS: [(&str, &str); 5] = [
    ("src/web/cookies.rs", "each cookie takes the path from `SitePath`"),
    ("src/web/path.rs", "`pipeline/redirect.rs` puts the path of the site in front"),
    ("src/web/pipeline/redirect.rs", "it uses `SitePath::link`"),
    ("src/web/routes/images.rs", "the address of an image is complete"),
    ("src/web/routes/manual_test.rs", "it uses `SitePath::link`"),
];

#[test]
fn a_new_redirect_or_cookie_minds_the_path_of_the_site() {
    for (path, text) in shipped() {
        let is_known = SENDERS.iter().any(|(known, _)| *known == path);
        let sends = ["header((LOCATION", "insert(LOCATION", "Cookie::build("].iter().any(|word| text.contains(word));
        assert!(is_known || !sends || !path.starts_with("src/web/"), "{path}: use `SitePath::link`, and name it here");
    }
}

#[test]
fn links_of_pages_are_relative() {
    let mut folders = ["src/web/console", "src/web/pages"].map(|folder| root().join(folder)).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (more, found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        folders.extend(more.into_iter().filter(|folder| !folder.ends_with("vendor")));
        files.extend(found);
    }
    assert!(files.len() > 20, "{files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for link in ["href=\"/", "src=\"/", "action=\"/", "url: '/", "fetch('/", "fetch(`/", "import('/", "from '/"] {
            assert!(!text.contains(link), "{} has an absolute link: {link}", path.display());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
