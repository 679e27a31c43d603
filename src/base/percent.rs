//! Decodes percent-encoded text of URLs.

use percent_encoding::percent_decode_str;

/// Decodes a part of a URL. Invalid UTF-8 becomes U+FFFD.
pub(crate) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}
