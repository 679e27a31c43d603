//! Checks of the form of texts: keys, names, times, versions and addresses.

use semver::Version;

pub(super) fn has_at_least_32_bytes(text: &str) -> bool {
    text.len() >= 32
}

pub(super) fn has_at_most_30_bytes(text: &str) -> bool {
    text.len() <= 30
}

/// Returns true if a path has no white space at either end. A slash at its end may have been added by a correction, so
/// white space before it counts too.
pub(super) fn is_trimmed(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.trim() == path
}

pub(super) fn has_no_parent_step(path: &str) -> bool {
    !path.contains("..")
}

/// Returns true if no entry of a comma-separated list begins with a dash, which would exclude instead of include it.
pub(super) fn has_no_entry_with_dash(list: &str) -> bool {
    !list.split(',').any(|entry| entry.trim_start().starts_with('-'))
}

pub(super) fn is_azure_account(name: &str) -> bool {
    let has_right_length = (3..=24).contains(&name.len());
    has_right_length && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Returns true if `text` has the form `field=value`, with exactly one equals sign.
pub(super) fn is_field_and_value(text: &str) -> bool {
    text.matches('=').count() == 1
}

pub(super) fn is_uuid(text: &str) -> bool {
    let is_hex_of = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths = [8, 4, 4, 4, 12];
    text.split('-').count() == lengths.len()
        && text.split('-').zip(lengths).all(|(part, length)| is_hex_of(part, length))
}

/// Returns true if `text` is a time of day: an hour of one or two digits, a colon, and a minute of two digits.
pub(super) fn is_hour_and_minute(text: &str) -> bool {
    let Some((hour, minute)) = text.split_once(':') else { return false };
    let has_right_lengths = (1..=2).contains(&hour.len()) && minute.len() == 2;
    has_right_lengths && number(hour).is_some_and(|hour| hour < 24) && number(minute).is_some_and(|minute| minute < 60)
}

/// Returns true if `text` is a semantic version (<https://semver.org>).
pub(super) fn is_version(text: &str) -> bool {
    Version::parse(text).is_ok()
}

fn number(digits: &str) -> Option<u64> {
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    if are_digits { digits.parse().ok() } else { None }
}

/// Returns true if `text` is a host name: labels of letters, digits, underscores and inner hyphens, separated by dots.
pub(super) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_framed_well = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        is_framed_well
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Returns true if `text` is the domain of mail addresses: a host name of at least two labels, the last one of letters.
pub(super) fn is_mail_domain(text: &str) -> bool {
    let Some((_, last)) = text.rsplit_once('.') else { return false };
    is_host_name(text) && last.len() >= 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns true if `text` is a mail address in lower case, without a display name or other text.
pub(super) fn is_lower_case_address(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |atom: &str| {
        let is_right = |character: char| character.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character);
        !atom.is_empty() && atom.chars().all(is_right)
    };
    name.split('.').all(is_atom) && is_host_name(domain) && text.to_lowercase() == text
}

pub(super) fn is_known_cipher(name: &str) -> bool {
    CIPHERS.contains(&name)
}

/// The cipher suites that a document may name. A listener may support fewer of them.
const CIPHERS: &[&str] = &[
    "TLS_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
];

#[cfg(test)]
mod tests {
    use super::super::tests::assert_form;
    use super::*;

    #[test]
    fn a_time_of_the_day_has_a_minute_of_two_digits() {
        assert_form(
            is_hour_and_minute,
            &["3:04", "03:04", "23:59", "0:00"],
            &["", "03:4", "24:00", "12:60", "1", "1:002", "+1:00", "001:00", "1:0x", "12:00:00"],
        );
    }

    #[test]
    fn a_version_is_three_numbers_and_perhaps_labels() {
        assert_form(
            is_version,
            &["5.0.0", "0.10.2", "5.1.0-rc.1", "5.1.0+build", "5.1.0-a-b+c", "5.1.0-rc.0+007"],
            &["", "5", "5.0", "v5.0.0", "5.0.0.0", "05.0.0", "5.0.x", "5.0.0-", "5.0.0-a b", "5.0.0-01", " 5.0.0"],
        );
    }

    #[test]
    fn a_uuid_is_hexadecimal_in_five_parts() {
        assert_form(
            is_uuid,
            &["01234567-89ab-cdef-0123-456789ABCDEF"],
            &[
                "",
                "0123456789abcdef0123456789abcdef",
                "0123456-789ab-cdef-0123-456789abcdef",
                "01234567-89ab-cdef-0123-456789abcdeg",
            ],
        );
    }

    #[test]
    fn a_mail_domain_has_two_labels_and_ends_in_letters() {
        assert_form(
            is_mail_domain,
            &["example.com", "a.b-c.example.org", "x.museum"],
            &["", "example", "@example.com", ".com", "a..com", "-a.com", "a-.com", "a.c", "a.c0m", "a b.com", "a.com."],
        );
    }

    #[test]
    fn a_bare_address_is_lower_case_and_has_no_name_before_it() {
        assert_form(
            is_lower_case_address,
            &["help@example.com", "a.b+c@localhost", "é@example.com"],
            &[
                "",
                "help",
                "@example.com",
                "help@",
                "Help@example.com",
                "help <help@example.com>",
                "a b@c.d",
                "a..b@c.d",
                "a@b@c",
            ],
        );
    }

    #[test]
    fn a_dash_is_found_in_every_entry() {
        assert_form(has_no_entry_with_dash, &["", "a-b,c"], &["-a", "a,-b", "a, -b"]);
    }
}
