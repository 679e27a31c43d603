//! Entity tags in the headers `If-Match` and `If-None-Match`.

use actix_web::http::header::{HeaderMap, HeaderName};
use quarterdeck_actors::steps::walked;

/// The tags that a request names in one of these headers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Named<'a> {
    /// `*`: every version.
    Any,
    Tags(Vec<&'a str>),
}

impl<'a> Named<'a> {
    /// Reads the header `name`, which may come more than once; `None` if it is absent.
    ///
    /// Tags are compared without `W/` and quotes: proxies that compress a response make its tag weak, and Mattermost
    /// sends tags without quotes.
    pub(crate) fn of(headers: &'a HeaderMap, name: HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).map(|line| line.to_str().unwrap_or_default()).peekable();
        lines.peek()?;
        let tags: Vec<&str> = lines.flat_map(tags).collect();
        Some(if tags.contains(&"*") { Self::Any } else { Self::Tags(tags.into_iter().map(bare).collect()) })
    }

    /// Returns true if `tag` is named.
    pub(crate) fn matches(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.contains(&bare(tag)),
        }
    }
}

/// Splits a list at the commas outside of quotes.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    walked(list.len());
    let mut is_quoted = false;
    let parts = list.split(move |character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    });
    parts.map(str::trim).filter(|tag| !tag.is_empty())
}

/// Returns a tag without the mark of a weak one and without quotes.
fn bare(tag: &str) -> &str {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderValue, IF_NONE_MATCH};

    use super::*;

    fn matches(lines: &[&'static str], tag: &str) -> bool {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IF_NONE_MATCH, HeaderValue::from_static(line));
        }
        Named::of(&headers, IF_NONE_MATCH).is_some_and(|named| named.matches(tag))
    }

    #[test]
    fn lists_weak_forms_and_the_star_match() {
        for line in ["\"a\"", "W/\"a\"", "a", "\"b\", \"a\"", "b , W/\"a\",", "*", "\"x,y\",\"a\"", "\"b\",*"] {
            for tag in ["\"a\"", "a", "W/\"a\""] {
                assert!(matches(&[line], tag), "{line} {tag}");
            }
        }
        assert!(matches(&["\"b\"", "\"a\""], "a"));
        for line in ["\"b\"", "", ",", "\"a, b\"", "W/", "\"*\"", "A"] {
            assert!(!matches(&[line], "a"), "{line}");
        }
        assert!(matches(&["\"x,y\""], "\"x,y\"") && !matches(&[], "a"));
    }
}
