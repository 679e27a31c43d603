//! Finds words that look like tokens: session tokens and personal access tokens have the form of ids.

use std::borrow::Cow;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::id::is_id;

/// The length of a token in base64, in characters. Shorter words cannot contain one.
const MIN_ENCODED_CHARACTERS: usize = 35;

/// Returns `text` without tokens, and counts them. A word after `id=` is kept.
pub(super) fn without_tokens<'a>(text: &'a str, count: &mut u64) -> Cow<'a, str> {
    let is_part = |one: char| one.is_ascii_alphanumeric() || matches!(one, '+' | '/' | '-' | '_');
    let text = replaced(text, count, is_part, &|_, word| holds_token(word));
    let is_token = |before: &str, word: &str| is_token(word) && !before.ends_with("id=");
    match text {
        Cow::Borrowed(text) => replaced(text, count, |one| one.is_ascii_alphanumeric(), &is_token),
        Cow::Owned(text) => {
            Cow::Owned(replaced(&text, count, |one| one.is_ascii_alphanumeric(), &is_token).into_owned())
        }
    }
}

/// Returns `text` with a placeholder for each word that `is_meant` accepts. That function also gets the text before it.
fn replaced<'a>(
    text: &'a str,
    count: &mut u64,
    is_part: impl Fn(char) -> bool,
    is_meant: &dyn Fn(&str, &str) -> bool,
) -> Cow<'a, str> {
    let mut clean = String::new();
    let (mut kept, mut at) = (0, 0);
    for word in text.split(|one| !is_part(one)) {
        let end = at + word.len();
        if is_meant(text.get(..at).unwrap_or_default(), word) {
            *count += 1;
            clean.push_str(text.get(kept..at).unwrap_or_default());
            clean.push_str(PLACEHOLDER);
            kept = end;
        }
        // The character that ends a word may have several bytes.
        at = end + text.get(end..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    if kept == 0 {
        return text.into();
    }
    clean.push_str(text.get(kept..).unwrap_or_default());
    clean.into()
}

fn is_token(word: &str) -> bool {
    is_id(word) && !word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Returns true if a word is base64 of a text with a token in it, such as a name and a password.
fn holds_token(word: &str) -> bool {
    if word.len() < MIN_ENCODED_CHARACTERS {
        return false;
    }
    let decoded =
        [BASE64_NOPAD, BASE64URL_NOPAD].into_iter().find_map(|encoding| encoding.decode(word.as_bytes()).ok());
    let text = decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    text.split(|one: char| !one.is_ascii_alphanumeric()).any(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "abcdefghijklmnopqrstuvwxy1";

    fn clean(text: &str) -> (String, u64) {
        let mut count = 0;
        (without_tokens(text, &mut count).into_owned(), count)
    }

    #[test]
    fn a_token_goes_unless_it_is_called_an_id() {
        let found = clean(&format!("ü{TOKEN}é token={TOKEN} request.id={TOKEN} {TOKEN}x"));
        assert_eq!(found, (format!("ü{PLACEHOLDER}é token={PLACEHOLDER} request.id={TOKEN} {TOKEN}x"), 2));
    }

    #[test]
    fn a_token_in_base64_goes_with_what_is_around_it() {
        for hidden in [TOKEN.to_owned(), format!("user:{TOKEN}"), format!("{TOKEN}:x-oauth")] {
            let encoded = data_encoding::BASE64.encode(hidden.as_bytes());
            let (text, count) = clean(&format!("Basic {encoded} after"));
            assert!(text.starts_with(&format!("Basic {PLACEHOLDER}")) && text.ends_with(" after"), "{text}");
            assert_eq!(count, 1);
        }
        let path = "src/some/very/long/path/that/is/no/base64/at/all";
        assert_eq!(clean(path), (path.to_owned(), 0));
    }
}
