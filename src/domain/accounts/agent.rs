//! The description of the program that opened a session.

/// A client program, parsed from the `User-Agent` header, so that users recognise their sessions in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) platform: &'static str,
    pub(super) os: String,
    /// The name and version, such as `Firefox/128.0`.
    pub(super) browser: String,
    pub(super) is_mobile: bool,
}

const MOBILE_WORDS: [&str; 5] = ["Mobile", "Android", "iOS", "iPhone", "iPad"];

/// Words of the header, with the platform and the system that each one means. The first match wins.
const SYSTEMS: [(&str, &str, &str); 8] = [
    ("iPhone", "iPhone", "iOS"),
    ("iPad", "iPad", "iOS"),
    ("iOS", "iPhone", "iOS"),
    ("Android", "Linux", "Android"),
    ("Windows", "Windows", "Windows"),
    ("Macintosh", "Macintosh", "Mac OS"),
    ("Darwin", "Macintosh", "Mac OS"),
    ("Linux", "Linux", "Linux"),
];

/// Products in the header, with their common names. The first match wins, because browsers also name each other.
const BROWSERS: [(&str, &str); 9] = [
    ("Mattermost", "Desktop App"),
    ("mmctl", "mmctl"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Version", "Safari"),
    ("curl", "curl"),
    ("python-requests", "python-requests"),
];

/// The limit of a version, in bytes. Longer ones are cut, because clients choose the header's length.
const MAX_VERSION_BYTES: usize = 32;

impl Agent {
    pub(super) fn of(header: &str) -> Self {
        let system = SYSTEMS.iter().find(|(word, _, _)| header.contains(word));
        let browser = BROWSERS.iter().find_map(|(product, name)| Some(format!("{name}/{}", version(header, product)?)));
        Self {
            platform: system.map_or("Unknown", |(_, platform, _)| platform),
            os: system.map_or_else(String::new, |(_, _, os)| (*os).to_owned()),
            browser: browser.unwrap_or_else(|| "Unknown/0.0".to_owned()),
            is_mobile: MOBILE_WORDS.iter().any(|word| header.contains(word)),
        }
    }
}

fn version<'a>(header: &'a str, product: &str) -> Option<&'a str> {
    let after = header.split_once(&format!("{product}/"))?.1;
    let version = after.split([' ', ';', ')']).next()?;
    version.get(..version.floor_char_boundary(MAX_VERSION_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_and_telephones_are_told_apart() {
        let firefox = Agent::of("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
        let expected =
            Agent { platform: "Linux", os: "Linux".to_owned(), browser: "Firefox/128.0".to_owned(), is_mobile: false };
        assert_eq!(firefox, expected);
        let phone =
            Agent::of("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1");
        assert_eq!((phone.platform, phone.browser.as_str(), phone.is_mobile), ("iPhone", "Safari/17.0", true));
        assert_eq!(Agent::of("").browser, "Unknown/0.0");
    }
}
