//! Operating systems and the platforms that they run on.

use super::Version;

/// The platform of programs that name none.
pub(super) const UNKNOWN: &str = "Unknown";

/// The names of versions of Windows, by the number that programs write.
const WINDOWS: [((u32, u32), &str); 7] = [
    ((5, 0), "Windows 2000"),
    ((5, 1), "Windows XP"),
    ((5, 2), "Windows XP x64 Edition"),
    ((6, 0), "Windows Vista"),
    ((6, 1), "Windows 7"),
    ((6, 2), "Windows 8"),
    ((6, 3), "Windows 8.1"),
];

/// Returns the platform, the system and its version. `agent` is in lower case.
pub(super) fn of(agent: &str) -> (&'static str, &'static str, Version) {
    let has = |words: &[&str]| words.iter().any(|word| agent.contains(word));
    let comment = comment(agent);
    let first = comment.split(';').next().unwrap_or_default();
    let named = |platform, os| (platform, os, Version::default());
    match first {
        "android" | "x11" | "linux" => return named("Linux", like_linux(agent)),
        "bb10" | "playbook" => return named("BlackBerry", "BlackBerry"),
        _ => {}
    }
    for (word, platform) in [("ipad", "iPad"), ("iphone", "iPhone"), ("ipod", "iPod")] {
        if first.starts_with(word) {
            return (platform, "iOS", of_ios(comment));
        }
    }
    if first.starts_with("macintosh") || (has(&["cfnetwork"]) && has(&["darwin"]) && !has(&["windows ", "linux"])) {
        let version = Version::after(agent, "os x ").unwrap_or_default();
        return ("Macintosh", if has(&["os x"]) { "Mac OS" } else { "" }, version);
    }
    if has(&["blackberry", "playbook"]) {
        return named("BlackBerry", "BlackBerry");
    }
    if comment.contains("windows phone ") {
        let version = ["windows phone os ", "windows phone "].iter().find_map(|mark| Version::after(comment, mark));
        return ("Windows Phone", if version.is_some() { "Windows Phone" } else { "" }, version.unwrap_or_default());
    }
    if has(&["windows ", "microsoft-cryptoapi"]) {
        return windows(agent);
    }
    if has(&["kindle/"]) {
        return named("Linux", "Kindle");
    }
    if has(&["linux"]) {
        return named("Linux", like_linux(agent));
    }
    if has(&["webos", "hpwos"]) {
        return named("Linux", "webOS");
    }
    if has(&["nintendo", "playstation", "vita", "psp"]) {
        return named(UNKNOWN, "");
    }
    if has(&["android"]) { named("Linux", like_linux(agent)) } else { named(UNKNOWN, "") }
}

/// Returns the text in the first parentheses, or all of it without them.
fn comment(agent: &str) -> &str {
    let begin = agent.find('(').map_or(0, |at| at + 1);
    let rest = agent.get(begin..).unwrap_or_default();
    rest.split(')').next().unwrap_or_default()
}

fn like_linux(agent: &str) -> &'static str {
    let systems: [(&[&str], &str); 4] = [
        (&["kindle"], "Kindle"),
        (&["android", "googletv"], "Android"),
        (&["cros"], "Chrome OS"),
        (&["webos", "hpwos"], "webOS"),
    ];
    let found = systems.iter().find(|(words, _)| words.iter().any(|word| agent.contains(word)));
    found.map_or("Linux", |(_, name)| name)
}

fn of_ios(comment: &str) -> Version {
    let marked = ["cpu iphone os ", "cpu os "].iter().find_map(|mark| Version::after(comment, mark));
    marked.or_else(|| Version::parse(comment)).unwrap_or_default()
}

fn windows(agent: &str) -> (&'static str, &'static str, Version) {
    if agent.contains("xbox") {
        return (UNKNOWN, "", Version::default());
    }
    if let Some(version) = Version::after(agent, "windows nt ") {
        let known = WINDOWS.iter().find(|(number, _)| *number == (version.major, version.minor));
        let otherwise = if version.major == 10 { "Windows 10" } else { "Windows" };
        return ("Windows", known.map_or(otherwise, |(_, name)| name), version);
    }
    let is_xp = agent.contains("windows xp");
    ("Windows", if is_xp { "Windows XP" } else { "" }, Version::default())
}
