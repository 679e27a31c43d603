//! Browsers: their names, and how each writes its version.

use std::fmt;

/// A version of up to three numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: u32,
}

/// The name of all programs that read pages for search engines and the like.
pub(super) const CRAWLER: &str = "crawler";

/// The engine that names itself in nearly all browsers.
const ENGINE: &str = "applewebkit";

/// Words of browsers with that engine. The first match wins, because browsers also name each other.
const WITH_ENGINE: [(&[&str], &str); 10] = [
    (&["googlebot"], CRAWLER),
    (&["qq/", "qqbrowser/"], "other"),
    (&["opr/", "opios/"], "Opera"),
    (&["silk/"], "other"),
    (&["edg/", "edgios/", "edga/", "edge/", "iemobile/", "msie "], "Internet Explorer"),
    (&["ucbrowser/", "ucweb/"], "other"),
    (&["nintendobrowser/", "samsungbrowser/", "coc_coc_browser/"], "other"),
    (&["yabrowser/"], "other"),
    (&["chrome/", "crios/", "chromium/", "crmo/"], "Chrome"),
    (&["fxios"], "Firefox"),
];

/// Words of other browsers, in the order in which they are looked for.
const WITHOUT_ENGINE: [(&[&str], &str); 4] = [
    (&["msie", "trident"], "Internet Explorer"),
    (&["firefox", "iceweasel", "seamonkey", "icecat"], "Firefox"),
    (&["presto", "opera"], "Opera"),
    (&["bot", "spider", "bingpreview", "facebookexternalhit", "pingdom", "yandex", "yahoo", "phantomjs"], CRAWLER),
];

/// Returns the name of the browser; `Unknown` for other programs. `agent` is in lower case.
pub(super) fn name_of(agent: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| agent.contains(word));
    let first = |table: &[(&[&str], &'static str)]| table.iter().find(|(words, _)| has(words)).map(|(_, name)| *name);
    if has(&["blackberry", "playbook", "bb10", "rim "]) {
        return "BlackBerry";
    }
    let with_engine = || {
        let is_android = has(&["android"]) && has(&["version/"]) && !has(&["like android"]);
        let is_safari = has(&["like gecko"])
            && has(&["mozilla/"])
            && has(&["safari/"])
            && !has(&["linux", "android", "browser/", "os/"]);
        first(&WITH_ENGINE).filter(|name| *name != "Firefox" || !is_android).or_else(|| {
            if is_android {
                Some("Android")
            } else {
                (is_safari || has(&["iphone", "ipad", " gsa/"])).then_some("Safari")
            }
        })
    };
    let found = if agent.contains(ENGINE) { with_engine() } else { None };
    match found.or_else(|| first(&WITHOUT_ENGINE)) {
        Some("Firefox") if !has(&["gecko", "fxios"]) => "Unknown",
        Some(name) => name,
        None => "Unknown",
    }
}

/// Returns the name that is shown. Versions of Internet Explorer above 11 are Edge.
pub(super) fn shown(name: &'static str, version: Version) -> &'static str {
    match name {
        "Internet Explorer" if version.major > 11 => "Edge",
        CRAWLER | "other" => "Unknown",
        name => name,
    }
}

/// Returns the version of the browser, which Safari may take from the system.
pub(super) fn version_of(name: &str, agent: &str, of_system: Version) -> Version {
    let after = |marks: &[&str]| marks.iter().find_map(|mark| Version::after(agent, mark)).unwrap_or_default();
    if name == CRAWLER {
        return Version::default();
    }
    // Vendors of Android devices also write `version/` for Chrome.
    if let Some(version) = Version::after(agent, "version/").filter(|_| name != "Chrome") {
        return version;
    }
    match name {
        "Chrome" => after(&["chrome/", "crios/", "crmo/"]),
        "Firefox" => after(&["firefox/", "fxios/"]),
        "Opera" => after(&["opr/", "opios/", "opera/"]),
        "Safari" if (1..=3).contains(&of_system.major) => Version { major: of_system.major + 1, ..of_system },
        "Safari" => of_system,
        "Internet Explorer" => {
            let named = ["msie ", "edge/", "edgios/", "edga/", "edg/"];
            named.iter().find_map(|mark| Version::after(agent, mark)).unwrap_or_else(|| {
                let trident = after(&["trident/"]);
                let is_paired = (3..=7).contains(&trident.major);
                Version { major: trident.major + if is_paired { 4 } else { 0 }, ..trident }
            })
        }
        _ => Version::default(),
    }
}

impl Version {
    /// Reads up to three numbers with one character between them. Returns `None` if the text begins with none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut rest = text.chars().peekable();
        rest.peek().filter(|first| first.is_ascii_digit())?;
        let mut numbers = [0_u32; 3];
        for number in &mut numbers {
            while let Some(digit) = rest.peek().and_then(|letter| letter.to_digit(10)) {
                *number = number.saturating_mul(10).saturating_add(digit);
                rest.next();
            }
            rest.next();
        }
        let [major, minor, patch] = numbers;
        Some(Self { major, minor, patch })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { major, minor, patch } = self;
        if *patch == 0 { write!(formatter, "{major}.{minor}") } else { write!(formatter, "{major}.{minor}.{patch}") }
    }
}
