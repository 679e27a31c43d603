//! Headers of responses to changes: lists of settings.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use quarterdeck_actors::config::ineffective::Ineffective;

/// The header that lists unknown keys of the body.
pub(super) const UNKNOWN: HeaderName = HeaderName::from_static("x-config-unknown");

/// The header that lists settings whose placeholder stands for no stored value, and settings of plugins that are gone.
pub(super) const UNSET: HeaderName = HeaderName::from_static("x-config-unset");

/// The header that lists secrets that are now sent to another place and were not entered again.
pub(super) const SECRETS_KEPT: HeaderName = HeaderName::from_static("x-config-secrets-kept");

/// Names the settings of a change that was taken back that stay, because they were changed since.
pub(super) const NOT_TAKEN_BACK: HeaderName = HeaderName::from_static("x-config-not-taken-back");

/// The header that lists the settings that keep the value of another change, because the document has the value that
/// its author was shown before that change.
pub(super) const MERGED: HeaderName = HeaderName::from_static("x-config-merged");

/// The header that lists settings that a change names and that keep their value, or whose stored value is not used. Each
/// path is followed by a semicolon and the reason.
const INEFFECTIVE: HeaderName = HeaderName::from_static("x-config-ineffective");

/// The characters that are escaped in a list: spaces separate the paths, and a semicolon separates a path from its
/// reason.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b';');

/// The largest length of a list, in characters. Clients refuse headers that are much longer.
const MAX_LIST_CHARACTERS: usize = 4096;

/// Lists paths in a header.
pub(super) fn tell(answer: &mut HttpResponse, name: HeaderName, places: &[String]) {
    tell_each(answer, name, places.iter().map(|place| escaped(place)));
}

/// Lists the settings that a change does not apply, each with its reason.
pub(super) fn tell_ineffective(answer: &mut HttpResponse, ineffective: &[Ineffective]) {
    let with_reason = |one: &Ineffective| format!("{};{}", escaped(&one.path), escaped(&one.reason.word()));
    tell_each(answer, INEFFECTIVE, ineffective.iter().map(with_reason));
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, UNSAFE).to_string()
}

/// Lists entries in a header. An ellipsis replaces those that do not fit.
fn tell_each(answer: &mut HttpResponse, name: HeaderName, entries: impl Iterator<Item = String>) {
    let mut list = String::new();
    for place in entries {
        if list.len() + place.len() > MAX_LIST_CHARACTERS {
            list.push_str(" ...");
            break;
        }
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(&place);
    }
    if let Ok(value) = HeaderValue::from_str(&list)
        && !list.is_empty()
    {
        answer.headers_mut().insert(name, value);
    }
}
