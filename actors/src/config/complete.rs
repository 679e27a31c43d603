//! Checks that a document has all settings of a section.

use super::document::{Document, given};
use super::table::placed;

/// Returns the first setting of `section` that is absent from the document or has a value of the wrong type.
pub fn missing(document: &Document, section: &str) -> Option<&'static str> {
    let in_section = |path: &str| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    let mut wanted = placed().filter(|setting| in_section(&setting.path) && !setting.omit_when_null);
    let is_there = |path: &str, setting: &super::table::Setting| {
        given(document, path).is_some_and(|value| setting.kind.admits(value))
    };
    wanted.find(|setting| !is_there(&setting.path, setting)).map(|setting| setting.path.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::document::{insert, remove};
    use super::super::table::defaults;
    use super::*;

    #[test]
    fn a_section_with_every_setting_is_complete() {
        assert_eq!(missing(&defaults(), "EmailSettings"), None);
    }

    #[test]
    fn the_first_setting_that_is_absent_null_or_of_another_kind_is_named() {
        let whole = defaults();
        let mut absent = whole.clone();
        remove(&mut absent, "EmailSettings.SMTPPort");
        assert_eq!(missing(&absent, "EmailSettings"), Some("EmailSettings.SMTPPort"));
        for other in [json!(null), json!(10025)] {
            let mut changed = whole.clone();
            insert(&mut changed, "EmailSettings.SMTPPort", other);
            assert_eq!(missing(&changed, "EmailSettings"), Some("EmailSettings.SMTPPort"));
            assert_eq!(missing(&changed, "EmailSetting"), None, "no section is the beginning of another");
        }
        assert!(missing(&Document::new(), "EmailSettings").is_some());
    }
}
