//! Formats a mail. lettre writes the headers; control characters are replaced before, because lettre fails on them.

use super::failure::Problem;
use lettre::address::Address;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};
use quarterdeck_actors::config::view::EmailSettings;
use quarterdeck_actors::id::new_id;

/// A plain-text mail to one recipient.
#[derive(Debug)]
pub(crate) struct Mail {
    /// The recipient's address.
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// A formatted message and its envelope addresses.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) message: Vec<u8>,
}

impl Letter {
    /// Formats `mail` with the sender of the settings; `host` is used in the message id.
    pub(super) fn new(settings: &EmailSettings, host: &str, mail: &Mail) -> Result<Self, Problem> {
        let from = address(&settings.feedback_email, "FeedbackEmail is not a mail address")?;
        let to = address(&mail.to, "your account has no valid mail address")?;
        let (sender, recipient) = (from.to_string(), to.to_string());
        let mut message = Message::builder()
            .from(Mailbox::new(given(&settings.feedback_name), from))
            .to(Mailbox::new(None, to))
            .subject(printable(&mail.subject))
            .date_now()
            .message_id(Some(format!("<{}@{host}>", new_id())))
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        if let Some(reply_to) = given(&settings.reply_to_address) {
            let reply_to = address(&reply_to, "ReplyToAddress is not a mail address")?;
            message = message.reply_to(Mailbox::new(given(&settings.feedback_name), reply_to));
        }
        if let Some(organization) = given(&settings.feedback_organization) {
            message = message.header(Organization(organization));
        }
        let message = message.body(mail.text.clone());
        let message = message.map_err(|cause| Problem::Setting(format!("the mail cannot be written ({cause})")))?;
        Ok(Self { from: sender, to: recipient, message: message.formatted() })
    }
}

/// Returns a setting as text for a header, or `None` when it is empty.
fn given(text: &str) -> Option<String> {
    Some(printable(text).trim().to_owned()).filter(|text| !text.is_empty())
}

/// Returns the text with control characters, including line breaks, replaced by spaces.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn address(text: &str, problem: &str) -> Result<Address, Problem> {
    text.trim().parse().map_err(|_| Problem::setting(problem))
}

/// The `Organization` header (RFC 1036).
#[derive(Clone)]
struct Organization(String);

impl Header for Organization {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Organization")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;

    use super::*;

    fn settings(given: &[(&str, &str)]) -> EmailSettings {
        let overrides = given.iter().map(|(key, value)| (format!("EmailSettings.{key}"), (*value).into()));
        Config::from_overrides(overrides).unwrap().view.email.clone()
    }

    fn letter(settings: &EmailSettings, to: &str) -> Result<Letter, Problem> {
        let mail = Mail { to: to.to_owned(), subject: "A test".to_owned(), text: "Hello,\nworld.\n".to_owned() };
        Letter::new(settings, "chat.example", &mail)
    }

    fn headers(letter: &Letter) -> Vec<String> {
        let text = String::from_utf8(letter.message.clone()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_letter_has_the_headers_that_the_settings_ask_for() {
        let given = [("FeedbackName", "Bücher"), ("FeedbackOrganization", "The Crew"), ("ReplyToAddress", "")];
        let letter = letter(&settings(&given), "anna@chat.example").unwrap();
        let headers = headers(&letter);
        assert!(headers.contains(&"Organization: The Crew".to_owned()), "{headers:?}");
        assert!(headers.iter().any(|line| line.starts_with("From: =?utf-8?b?")), "{headers:?}");
        assert!(headers.iter().any(|line| line.starts_with("Message-ID: <") && line.ends_with("@chat.example>")));
        assert!(headers.iter().any(|line| line.starts_with("Date: ")), "{headers:?}");
        assert!(!headers.iter().any(|line| line.starts_with("Reply-To")), "{headers:?}");
    }

    #[test]
    fn no_setting_adds_a_header() {
        let evil = "x\r\nBcc: eve@evil.example\r\n\r\nbody";
        let letter =
            letter(&settings(&[("FeedbackName", evil), ("FeedbackOrganization", evil)]), "anna@chat.example").unwrap();
        let headers = headers(&letter);
        assert!(!headers.iter().any(|line| line.to_lowercase().starts_with("bcc")), "{headers:?}");
        assert_eq!(headers.len(), 10, "{headers:?}");
    }

    #[test]
    fn any_character_can_stand_in_a_name() {
        let all: Vec<char> = (0..0x3000).chain(0x1_f600..0x1_f640).filter_map(char::from_u32).collect();
        let mut settings = settings(&[]);
        for some in all.chunks(7) {
            for text in [some.iter().collect::<String>(), format!("a{} z", some.iter().collect::<String>())] {
                text.clone_into(&mut settings.feedback_name);
                settings.feedback_organization = text;
                letter(&settings, "anna@chat.example").unwrap();
            }
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_the_name_of_its_setting() {
        let evil = "a@b.example>\r\nRCPT TO:<eve@evil.example";
        for (key, value) in [("FeedbackEmail", ""), ("FeedbackEmail", evil), ("ReplyToAddress", "nobody")] {
            let refused = letter(&settings(&[(key, value)]), "anna@chat.example").unwrap_err().to_string();
            assert!(refused.starts_with(key), "{refused}");
        }
        assert_eq!(letter(&settings(&[]), evil).unwrap_err().to_string(), "your account has no valid mail address");
    }
}
