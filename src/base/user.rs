//! An account: its validation and its defaults. `view` is what different readers see of it.

pub(crate) mod view;

use std::collections::BTreeMap;

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::locales::is_supported;
use quarterdeck_actors::secret::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::cleaning::cleaned;
use super::locale;

pub(crate) const MAX_EMAIL_CHARACTERS: usize = 128;
const MAX_NAME_CHARACTERS: usize = 64;
const MAX_POSITION_CHARACTERS: usize = 128;

/// The widths of the database columns of the login service and of the id there.
const MAX_SERVICE_BYTES: usize = 32;
const MAX_AUTH_DATA_BYTES: usize = 128;
const MAX_USERNAME_CHARACTERS: usize = 64;

/// The largest length of all role names with the spaces between them, in bytes: the width of the database column.
pub(crate) const MAX_ROLES_BYTES: usize = 256;

const RESERVED_USERNAMES: [&str; 4] = ["all", "channel", "matterbot", "system"];

#[expect(clippy::struct_excessive_bools, reason = "the table has these columns")]
/// An account, as stored. Times are Unix milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) update_at: i64,
    pub(crate) delete_at: i64,
    pub(crate) username: String,
    pub(crate) password: Secret,
    pub(crate) auth_data: Option<String>,
    pub(crate) auth_service: String,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) nickname: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) position: String,
    pub(crate) roles: String,
    pub(crate) allow_marketing: bool,
    pub(crate) props: BTreeMap<String, String>,
    pub(crate) notify_props: BTreeMap<String, String>,
    pub(crate) last_password_update: i64,
    pub(crate) last_picture_update: i64,
    pub(crate) failed_attempts: i64,
    pub(crate) locale: String,
    pub(crate) mfa_active: bool,
    pub(crate) mfa_secret: Secret,
    pub(crate) timezone: BTreeMap<String, String>,
    pub(crate) remote_id: Option<String>,
    pub(crate) is_bot: bool,
    pub(crate) bot_description: String,
    pub(crate) bot_last_icon_update: i64,
}

/// The fields of an account that a client may send. Other fields are ignored.
#[derive(Debug, Default, Clone, Deserialize, ToSchema)]
#[schema(as = UserDraft)]
pub(crate) struct Profile {
    /// The account's id; only for a change.
    pub(crate) id: Option<String>,
    /// The name; 1 to 64 characters.
    pub(crate) username: Option<String>,
    /// The e-mail address.
    pub(crate) email: Option<String>,
    /// The password.
    #[schema(value_type = Option<String>)]
    pub(crate) password: Option<Secret>,
    /// The nickname.
    pub(crate) nickname: Option<String>,
    /// The first name.
    pub(crate) first_name: Option<String>,
    /// The last name.
    pub(crate) last_name: Option<String>,
    /// The position in the company.
    pub(crate) position: Option<String>,
    /// The language.
    pub(crate) locale: Option<String>,
    /// True if the e-mail address is verified; only administrators may say so.
    pub(crate) email_verified: Option<bool>,
    /// True if the user accepts marketing mail.
    pub(crate) allow_marketing: Option<bool>,
    /// The login service; only for a new account, and only administrators may name one. The account then has no
    /// password.
    pub(crate) auth_service: Option<String>,
    /// The id at that login service.
    pub(crate) auth_data: Option<String>,
    /// Free properties.
    pub(crate) props: Option<BTreeMap<String, String>>,
    /// The notification settings.
    pub(crate) notify_props: Option<BTreeMap<String, String>>,
    /// The time zone settings.
    pub(crate) timezone: Option<BTreeMap<String, String>>,
}

impl User {
    /// Replaces the given fields; the others stay.
    pub(crate) fn apply(&mut self, profile: Profile) {
        let lower = |text: String| in_lower_case(&text);
        replace(&mut self.username, profile.username.map(cleaned).map(lower));
        replace(&mut self.email, profile.email.map(lower));
        replace(&mut self.nickname, profile.nickname.map(cleaned));
        replace(&mut self.first_name, profile.first_name.map(cleaned));
        replace(&mut self.last_name, profile.last_name.map(cleaned));
        replace(&mut self.position, profile.position);
        replace(&mut self.locale, profile.locale);
        replace(&mut self.props, profile.props);
        // An account always has notification settings: an empty map would switch all notifications off.
        replace(&mut self.notify_props, profile.notify_props.filter(|map| !map.is_empty()));
        replace(&mut self.timezone, profile.timezone);
    }

    /// Fills the fields that a new account leaves empty.
    pub(crate) fn fill_defaults(&mut self, config: &Config) {
        if self.username.is_empty() {
            self.username = format!("a{}", self.id);
        }
        if !is_supported(&self.locale) {
            self.locale.clone_from(&config.view.localization.default_client_locale);
        }
        if self.notify_props.is_empty() {
            self.notify_props = map(&NOTIFY_PROPS);
        }
        if self.timezone.is_empty() {
            self.timezone = map(&TIMEZONE);
        }
    }

    /// Refuses an account with an invalid field. An address or a locale that is the same in `old` is not judged again,
    /// because it may be older than the rule.
    pub(crate) fn check(&self, old: &Self) -> Result<(), AppError> {
        let auth_data = self.auth_data.as_deref().unwrap_or_default();
        let is_elsewhere = !self.auth_service.is_empty();
        let rules = [
            ("username", is_username(&self.username)),
            ("email", (self.email == old.email && !self.email.is_empty()) || is_email(&self.email)),
            ("nickname", self.nickname.chars().count() <= MAX_NAME_CHARACTERS),
            ("position", self.position.chars().count() <= MAX_POSITION_CHARACTERS),
            ("first_name", self.first_name.chars().count() <= MAX_NAME_CHARACTERS),
            ("last_name", self.last_name.chars().count() <= MAX_NAME_CHARACTERS),
            ("auth_data", auth_data.len() <= MAX_AUTH_DATA_BYTES),
            ("auth_data_type", (auth_data.is_empty() || is_elsewhere) && self.auth_service.len() <= MAX_SERVICE_BYTES),
            ("locale", self.locale == old.locale || locale::is_known(&self.locale)),
        ];
        match rules.iter().find(|(_, is_met)| !is_met) {
            Some((field, _)) => Err(AppError::new(format!("model.user.is_valid.{field}.app_error"))),
            None => Ok(()),
        }
    }

    /// Returns the fields of a new account that the audit trail records.
    pub(crate) fn made(&self) -> Value {
        json!({ "id": self.id, "username": self.username, "email": self.email, "roles": self.roles })
    }

    /// Returns true if the account belongs to another server.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote_id.as_deref().is_some_and(|remote| !remote.is_empty())
    }

    /// Returns the name by which the user is shown. `form` is a value of `TeamSettings.TeammateNameDisplay`.
    pub(crate) fn display_name(&self, form: &str) -> String {
        let names = [self.first_name.as_str(), self.last_name.as_str()];
        let full_name = names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
        let candidates = match form {
            "nickname_full_name" => [&self.nickname, &full_name],
            "full_name" => [&full_name, &full_name],
            _ => [&self.username, &self.username],
        };
        candidates.into_iter().find(|name| !name.is_empty()).unwrap_or(&self.username).clone()
    }

    /// Returns true if the account has the role `name`.
    pub(crate) fn has_role(&self, name: &str) -> bool {
        self.roles.split(' ').any(|role| role == name)
    }
}

/// Returns a username or email address in the form in which it is stored.
pub(crate) fn in_lower_case(text: &str) -> String {
    text.trim().to_lowercase()
}

fn replace<T>(field: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *field = given;
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const NOTIFY_PROPS: [(&str, &str); 12] = [
    ("channel", "true"),
    ("comments", "never"),
    ("desktop", "mention"),
    ("desktop_sound", "true"),
    ("desktop_threads", "all"),
    ("email", "true"),
    ("email_threads", "all"),
    ("first_name", "false"),
    ("mention_keys", ""),
    ("push", "mention"),
    ("push_status", "online"),
    ("push_threads", "all"),
];

const TIMEZONE: [(&str, &str); 3] =
    [("automaticTimezone", ""), ("manualTimezone", ""), ("useAutomaticTimezone", "true")];

/// Returns true for a valid username: 1 to 64 of `a-z 0-9 . - _`, except names that mentions use.
pub(crate) fn is_username(name: &str) -> bool {
    let has_length = (1..=MAX_USERNAME_CHARACTERS).contains(&name.len());
    let has_alphabet =
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte));
    has_length && has_alphabet && !RESERVED_USERNAMES.contains(&name)
}

/// Returns true for a valid role name: 1 to 64 of `a-z 0-9 _`.
pub(crate) fn is_role_name(name: &str) -> bool {
    let has_alphabet = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (1..=MAX_NAME_CHARACTERS).contains(&name.len()) && has_alphabet
}

/// Returns true for a valid email address: one `@` between two texts, no dot at the ends of a text or beside another one,
/// and no characters that break a mail header.
pub(crate) fn is_email(text: &str) -> bool {
    let is_dotted_well = |part: &str| part.split('.').all(|atom| !atom.is_empty());
    let has_parts = text
        .split_once('@')
        .is_some_and(|(name, host)| is_dotted_well(name) && is_dotted_well(host) && !host.contains('@'));
    let is_plain = text
        .chars()
        .all(|character| !character.is_whitespace() && !character.is_control() && !"<>()[],;:\\\"".contains(character));
    has_parts && is_plain && text.len() <= MAX_EMAIL_CHARACTERS && text == text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_shown_by_the_first_name_of_the_form_that_is_there() {
        let user = |nickname: &str, first_name: &str, last_name: &str| {
            let [nickname, first_name, last_name] = [nickname, first_name, last_name].map(str::to_owned);
            User { username: "bert".to_owned(), nickname, first_name, last_name, ..User::default() }
        };
        let all = user("Bertie", "Bert", "Berg");
        for (form, user, shown) in [
            ("username", &all, "bert"),
            ("full_name", &all, "Bert Berg"),
            ("nickname_full_name", &all, "Bertie"),
            ("nickname_full_name", &user("", "", "Berg"), "Berg"),
            ("full_name", &user("Bertie", "Bert", ""), "Bert"),
            ("full_name", &user("Bertie", "", ""), "bert"),
            ("nickname_full_name", &user("", "", ""), "bert"),
            ("", &all, "bert"),
        ] {
            assert_eq!(user.display_name(form), shown, "{form}");
        }
    }

    #[test]
    fn usernames_keep_to_their_alphabet_and_leave_the_reserved_names_alone() {
        for name in ["a", "anna.b-c_9", &"x".repeat(64)] {
            assert!(is_username(name), "{name}");
        }
        for name in ["", "Anna", "a b", "ä", "system", "all", &"x".repeat(65)] {
            assert!(!is_username(name), "{name}");
        }
    }

    #[test]
    fn an_address_has_two_parts_and_cannot_break_a_header() {
        for email in ["a@b", "anna+tag@chat.example", "a.b.c@d.e", "a/b@chat.example", "zoë@chat.example"] {
            assert!(is_email(email), "{email}");
        }
        for email in ["", "a", "@b", "a@", "a@b@c", "A@b", "a@b\r\nbcc:x@y", "a b@c", "<a@b>"] {
            assert!(!is_email(email), "{email:?}");
        }
        for email in ["john..doe@example.com", "email.@domain.com", ".a@b", "a@b..c", "a@.b", "a@b.", "a@.", ".@b"] {
            assert!(!is_email(email), "{email:?}");
        }
    }

    #[test]
    fn notification_settings_never_vanish_and_names_lose_characters_that_cannot_be_seen() {
        let mut user = User { notify_props: map(&NOTIFY_PROPS), ..User::default() };
        let profile = Profile {
            username: Some("an\u{2028}NA".to_owned()),
            last_name: Some("\u{FEFF}Berg".to_owned()),
            notify_props: Some(BTreeMap::new()),
            ..Profile::default()
        };
        user.apply(profile);
        assert_eq!((user.username.as_str(), user.last_name.as_str()), ("anna", "Berg"));
        assert_eq!(user.notify_props, map(&NOTIFY_PROPS));
    }

    #[test]
    fn an_address_and_a_locale_that_are_older_than_their_rules_stay_until_they_change() {
        let old = User {
            username: "anna".to_owned(),
            email: "an..na@b".to_owned(),
            locale: "zzzzz".to_owned(),
            ..User::default()
        };
        old.check(&old).unwrap();
        let refused = old.check(&User::default()).unwrap_err();
        assert_eq!(refused.id, "model.user.is_valid.email.app_error");
        let refused = User { email: "a@b".to_owned(), locale: "xx".to_owned(), ..old.clone() }.check(&old).unwrap_err();
        assert_eq!(refused.id, "model.user.is_valid.locale.app_error");
    }
}
