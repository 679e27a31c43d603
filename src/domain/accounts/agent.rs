//! The description of the program that opened a session, in the words of Mattermost.

mod browser;
mod system;

use browser::Version;

/// A client program, parsed from the `User-Agent` header, so that users recognise their sessions in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) platform: &'static str,
    pub(super) os: &'static str,
    /// The name and version, such as `Firefox/128.0`.
    pub(super) browser: String,
    pub(super) is_mobile: bool,
}

const MOBILE_WORDS: [&str; 5] = ["Mobile", "Android", "iOS", "iPhone", "iPad"];

/// Products that write their own version.
const VERSIONED: [&str; 4] = ["Mattermost Mobile/", "Mattermost/", "mmctl/", "Franz/"];

/// The limit of a product's own version, in bytes. Longer ones are cut, because clients choose the header's length.
const MAX_VERSION_BYTES: usize = 128;

/// The number of bytes of the header that are parsed.
const MAX_PARSED_BYTES: usize = 1024;

impl Agent {
    pub(super) fn of(header: &str) -> Self {
        let parsed = header.get(..header.floor_char_boundary(MAX_PARSED_BYTES)).unwrap_or_default().to_lowercase();
        let browser = browser::name_of(&parsed);
        let (mut platform, mut os, version_of_os) = system::of(&parsed);
        if browser == browser::CRAWLER {
            (platform, os) = (system::UNKNOWN, "");
        }
        if platform == system::UNKNOWN && header.contains("Mattermost Mobile/") {
            (platform, os) = mobile_app(header);
        }
        let version = browser::version_of(browser, &parsed, version_of_os);
        let name = product(header).unwrap_or_else(|| browser::shown(browser, version));
        let version = own_version(header).map_or_else(|| version.to_string(), str::to_owned);
        Self {
            platform,
            os,
            browser: format!("{name}/{version}"),
            is_mobile: MOBILE_WORDS.iter().any(|word| header.contains(word)),
        }
    }
}

/// Returns the name of a client of the server itself.
fn product(header: &str) -> Option<&'static str> {
    let is_mobile = header.contains("Mattermost Mobile");
    if header.contains("Electron") || (header.contains("Mattermost") && !is_mobile) {
        Some("Desktop App")
    } else if is_mobile {
        Some("Mobile App")
    } else {
        header.contains("mmctl").then_some("mmctl")
    }
}

fn mobile_app(header: &str) -> (&'static str, &'static str) {
    if header.contains("iPhone") {
        ("iPhone", "iOS")
    } else if header.contains("iPad") {
        ("iPad", "iOS")
    } else {
        ("Linux", "Android")
    }
}

fn own_version(header: &str) -> Option<&str> {
    let version = VERSIONED.iter().find_map(|product| header.split_once(product)?.1.split_whitespace().next())?;
    version.get(..version.floor_char_boundary(MAX_VERSION_BYTES))
}

impl Version {
    /// Returns the version that follows the first `mark`, if it begins with a digit.
    fn after(text: &str, mark: &str) -> Option<Self> {
        let (_, rest) = text.split_once(mark)?;
        Self::parse(rest)
    }
}

#[cfg(test)]
mod tests;
