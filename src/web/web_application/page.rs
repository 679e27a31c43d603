//! The page of a web application, and the path of the site in it.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;

use super::{FILES, tag_of};
use crate::base::site_path::SitePath;
use crate::settings::named_file::text;
use crate::web::prepared::Packed;

/// The largest page that is served, in bytes.
const MAX_PAGE_BYTES: u64 = 1 << 20;

/// The rule for scripts in the page's own policy, which the hash of the added script completes.
const SCRIPT_RULE: &str = "script-src 'self'";

/// `root.html` as browsers get it.
pub(super) struct Page {
    pub(super) body: Packed,
    /// The entity tag.
    pub(super) tag: String,
    /// The content security policy, without the rule about frames.
    pub(super) policy: String,
}

impl Page {
    /// Reads the page, for a site with this path.
    pub(super) fn read(path: &Path, site: &SitePath) -> Result<Self, String> {
        let text = text(path, MAX_PAGE_BYTES).map_err(|cause| format!("root.html: {cause}"))?;
        let script = (!site.is_root()).then(|| format!("window.publicPath='{}'", target(site)));
        let hash = script.as_ref().map(|script| BASE64.encode(digest(&SHA256, script.as_bytes()).as_ref()));
        let allowed = hash.map_or_else(|| SCRIPT_RULE.to_owned(), |hash| format!("{SCRIPT_RULE} 'sha256-{hash}'"));
        let text = match script {
            Some(script) => with_script(&placed(site, &text), &script).replace(SCRIPT_RULE, &allowed),
            None => text,
        };
        Ok(Self { tag: tag_of(text.as_bytes()), body: Packed::new(text.into_bytes()), policy: allowed })
    }
}

/// Returns a text that names files of the application, for a site with this path. Other bytes stay as they are.
pub(super) fn at(site: &SitePath, content: Vec<u8>) -> Vec<u8> {
    if site.is_root() {
        return content;
    }
    match String::from_utf8(content) {
        Ok(text) => placed(site, &text).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Returns the path of the files of the application. Characters that end a text in HTML, CSS or a script are encoded: an
/// administrator without the right to change the page may change the path.
fn target(site: &SitePath) -> String {
    let encoded = |text: String, (character, code): (char, &str)| text.replace(character, code);
    [('\'', "%27"), ('"', "%22"), ('(', "%28"), (')', "%29"), ('<', "%3C"), ('>', "%3E"), ('\\', "%5C"), (';', "%3B")]
        .into_iter()
        .fold(site.link(FILES), encoded)
}

/// Puts the path of the site before the paths of files.
fn placed(site: &SitePath, text: &str) -> String {
    let target = target(site);
    ["\"", "'", "("]
        .iter()
        .fold(text.to_owned(), |text, before| text.replace(&format!("{before}{FILES}"), &format!("{before}{target}")))
}

/// Adds a script in front of the first one, which reads the variable that it sets.
fn with_script(text: &str, script: &str) -> String {
    let at = ["<script", "</head>"].iter().find_map(|mark| text.find(mark)).unwrap_or(0);
    let (before, after) = text.split_at(at);
    format!("{before}<script>{script}</script>{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "<html><head><meta http-equiv=\"Content-Security-Policy\" content=\"script-src 'self'\">\
                        <link href='/static/a.css'><script src=\"/static/main.1.js\"></script></head></html>";

    fn read(site: &str) -> Page {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.html");
        std::fs::write(&path, ROOT).unwrap();
        Page::read(&path, &SitePath::of(site)).unwrap()
    }

    #[test]
    fn at_the_root_the_page_stays_as_it_is() {
        let page = read("https://chat.example");
        assert_eq!(page.body.plain, ROOT.as_bytes());
        assert_eq!(page.policy, "script-src 'self'");
        assert_eq!(page.tag, read("").tag);
    }

    #[test]
    fn no_path_ends_the_script_or_a_text_of_the_page() {
        let page = read("https://chat.example/x';a=new(Object);'\"<b>");
        let text = String::from_utf8(page.body.plain.to_vec()).unwrap();
        let (_, script) = text.split_once("<script>").unwrap();
        let (script, _) = script.split_once("</script>").unwrap();
        assert!(script.starts_with("window.publicPath='/x%27%3Ba=new%28Object%29%3B%27"), "{script}");
        assert!(
            !script.trim_start_matches("window.publicPath='").trim_end_matches('\'').contains(['\'', '(', ';', '<'])
        );
    }

    #[test]
    fn below_a_path_files_are_named_with_it_and_scripts_learn_of_it() {
        let page = read("https://chat.example/team");
        let text = String::from_utf8(page.body.plain.to_vec()).unwrap();
        assert!(
            text.contains("href='/team/static/a.css'") && text.contains("src=\"/team/static/main.1.js\""),
            "{text}"
        );
        let script = "<script>window.publicPath='/team/static/'</script><script src";
        assert!(text.contains(script), "{text}");
        let hash = BASE64.encode(digest(&SHA256, b"window.publicPath='/team/static/'").as_ref());
        assert!(text.contains(&format!("script-src 'self' 'sha256-{hash}'")), "{text}");
        assert!(page.policy.ends_with(&format!("'sha256-{hash}'")));
        assert_ne!(page.tag, read("").tag);
        let style = at(&SitePath::of("https://x/team"), b"a { src: url(/static/f.woff2) }".to_vec());
        assert_eq!(style, b"a { src: url(/team/static/f.woff2) }");
        assert_eq!(at(&SitePath::of("https://x/team"), vec![0xff]), [0xff]);
    }
}
