//! Checks that a document has all settings of a section, and completes it for a caller who may not read all of them.

use serde_json::Value;

use super::document::{Document, found, given};
use super::table::{Setting, placed};

/// Replaces null with the value in force for each setting of `section` that the caller may not read, because such a
/// caller gets null for them. Returns the paths of these settings.
pub fn fill_unreadable(
    document: &mut Document,
    section: &str,
    running: &Document,
    may_read: &dyn Fn(&Setting) -> bool,
) -> Vec<&'static str> {
    let unreadable = of_section(section).filter(|setting| !may_read(setting));
    let fill = |setting: &'static Setting| {
        let null = found(document, &setting.path).filter(|value| value.is_null())?;
        *null = given(running, &setting.path).cloned().unwrap_or(Value::Null);
        Some(setting.path.as_str())
    };
    unreadable.filter_map(fill).collect()
}

/// Returns the first setting of `section` that is absent from the document or has a value of the wrong type.
pub fn missing(document: &Document, section: &str) -> Option<&'static str> {
    let mut wanted = of_section(section).filter(|setting| !setting.omit_when_null);
    let is_there =
        |path: &str, setting: &Setting| given(document, path).is_some_and(|value| setting.kind.admits(value));
    wanted.find(|setting| !is_there(&setting.path, setting)).map(|setting| setting.path.as_str())
}

fn of_section(section: &str) -> impl Iterator<Item = &'static Setting> {
    let in_section = move |path: &str| path.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    placed().filter(move |setting| in_section(&setting.path))
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
    fn null_stands_for_the_value_in_force_only_where_the_caller_may_not_read_it() {
        let running = defaults();
        let mut submitted = running.clone();
        for path in ["EmailSettings.SMTPPort", "EmailSettings.FeedbackName", "FileSettings.DriverName"] {
            insert(&mut submitted, path, json!(null));
        }
        remove(&mut submitted, "EmailSettings.SMTPServerTimeout");
        insert(&mut submitted, "EmailSettings.LoginButtonColor", json!("red"));
        let filled = fill_unreadable(&mut submitted, "EmailSettings", &running, &|setting| {
            setting.path == "EmailSettings.FeedbackName"
        });
        assert_eq!(filled, ["EmailSettings.SMTPPort"]);
        assert_eq!(given(&submitted, "EmailSettings.SMTPPort"), given(&running, "EmailSettings.SMTPPort"));
        for path in ["EmailSettings.FeedbackName", "EmailSettings.SMTPServerTimeout", "FileSettings.DriverName"] {
            assert_eq!(given(&submitted, path), None, "{path}");
        }
        assert_eq!(given(&submitted, "EmailSettings.LoginButtonColor"), Some(&json!("red")));
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
