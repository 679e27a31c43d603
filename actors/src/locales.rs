//! The languages that clients are available in.

/// The locales that clients are translated into.
pub const SUPPORTED: [&str; 22] = [
    "de", "en", "en-AU", "es", "fr", "it", "hu", "nl", "pl", "pt-BR", "ro", "sv", "vi", "tr", "bg", "ru", "uk", "fa",
    "ko", "zh-CN", "zh-TW", "ja",
];

/// The locale that takes the place of one that is not supported.
pub const FALLBACK: &str = "en";

/// Returns true if clients are available in this locale.
pub fn is_supported(locale: &str) -> bool {
    SUPPORTED.contains(&locale)
}
