//! Finds the known name that is most similar to a mistyped one.

/// The number of characters for each of which one more edit is allowed, beside the first.
const CHARACTERS_PER_EDIT: usize = 5;

/// The maximum length of a name for which a known one is suggested, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// Returns the most similar known name, if it is only a few edits away.
///
/// The edits are compared with the length of the last part of the name, because a long section that is right says
/// nothing about the rest.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    let name = name.to_lowercase();
    let last = name.rsplit(['.', '_']).next().unwrap_or_default().chars().count();
    let allowed = 1 + last / CHARACTERS_PER_EDIT;
    let distances = known.map(|known| (strsim::osa_distance(&known.to_lowercase(), &name), known));
    distances.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = [
        "ServiceSettings.ListenAddress",
        "ServiceSettings.SiteURL",
        "SqlSettings.DataSource",
        "MM_TEAMSETTINGS_SITENAME",
    ];

    #[test]
    fn a_slip_finds_the_name_that_was_meant() {
        for (name, meant) in [
            ("ServiceSettings.ListenAdress", KNOWN[0]),
            ("servicesettings.sitURL", KNOWN[1]),
            ("ServiceSettings.SiteLRU", KNOWN[1]),
            ("SqlSetting.DataSource", KNOWN[2]),
            ("MM_TEAMSETTINGS_SITENAM", KNOWN[3]),
        ] {
            assert_eq!(nearest(name, KNOWN.into_iter()), Some(meant), "{name}");
        }
    }

    #[test]
    fn a_name_that_only_shares_its_section_finds_nothing() {
        for name in
            ["ServiceSettings.Port", "ServiceSettings.ListenPort", "MM_TEAMSETTINGS_ICON", "MM_HOSTNAME", "a", ""]
        {
            assert_eq!(nearest(name, KNOWN.into_iter()), None, "{name}");
        }
    }
}
