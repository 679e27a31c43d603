//! Formats a mail. lettre writes the headers; control characters are replaced before, because lettre fails on them.

use super::failure::Problem;
use super::html;
use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use quarterdeck_actors::config::view::EmailSettings;
use quarterdeck_actors::id::new_id;

/// The maximum length of the text, in bytes. Names and addresses in the settings can be long.
const MAX_TEXT_BYTES: usize = 32 * 1024;

/// A mail to one recipient. It is sent as text and as HTML with the same content.
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
            // Other mail programs answer it with no notice of absence (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Precedence", "bulk"));
        if let Some(reply_to) = given(&settings.reply_to_address) {
            let reply_to = address(&reply_to, "ReplyToAddress is not a mail address")?;
            message = message.reply_to(Mailbox::new(given(&settings.feedback_name), reply_to));
        }
        if let Some(organization) = given(&settings.feedback_organization) {
            message = message.raw_header(header("Organization", organization));
        }
        let text = bounded(&mail.text);
        let html = html::document(&mail.subject, text);
        let message = message.multipart(MultiPart::alternative_plain_html(text.to_owned(), html));
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

/// Returns a header that the server writes itself, or whose value is a setting.
fn header(name: &'static str, value: impl Into<String>) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.into())
}

/// Returns the text, cut at the limit.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
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
    fn a_letter_says_that_no_person_wrote_it_and_has_its_text_twice() {
        let letter = letter(&settings(&[]), "anna@chat.example").unwrap();
        let headers = headers(&letter);
        for line in ["Auto-Submitted: auto-generated", "Precedence: bulk", "MIME-Version: 1.0"] {
            assert!(headers.iter().any(|header| header == line), "{line}: {headers:?}");
        }
        assert!(headers.iter().any(|header| header.starts_with("Content-Type: multipart/alternative;")), "{headers:?}");
        let text = String::from_utf8(letter.message).unwrap();
        let parts =
            ["Content-Type: text/plain; charset=utf-8", "Hello,\r\nworld.", "Content-Type: text/html; charset=utf-8"];
        let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
        assert!(text.contains("<p>Hello,<br>\r\nworld.</p>"), "{text}");
    }

    #[test]
    fn a_letter_is_bounded() {
        let mail =
            Mail { to: "anna@chat.example".to_owned(), subject: "A test".to_owned(), text: "ä<".repeat(100_000) };
        let letter = Letter::new(&settings(&[]), "chat.example", &mail).unwrap();
        // Each character may take some bytes more in its encoding, and in HTML.
        assert!(letter.message.len() < 12 * MAX_TEXT_BYTES, "{}", letter.message.len());
    }

    #[test]
    fn no_setting_adds_a_header() {
        let evil = "x\r\nBcc: eve@evil.example\r\n\r\nbody";
        let letter =
            letter(&settings(&[("FeedbackName", evil), ("FeedbackOrganization", evil)]), "anna@chat.example").unwrap();
        let headers = headers(&letter);
        assert!(!headers.iter().any(|line| line.to_lowercase().starts_with("bcc")), "{headers:?}");
        assert_eq!(headers.len(), 11, "{headers:?}");
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
