//! Percent-encoded text of addresses.

use percent_encoding::percent_decode_str;

/// Decodes a part of a path or of an address. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}
