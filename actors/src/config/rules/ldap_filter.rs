//! Checks the syntax of LDAP filters (RFC 4515), without a directory.

/// The maximum depth of nested filters, because the check is recursive.
const MAX_DEPTH: usize = 50;

/// Returns true if `text` is exactly one filter.
pub(super) fn is_filter(text: &str) -> bool {
    after_filter(text, MAX_DEPTH) == Some("")
}

/// Returns the text after the filter at the start of `text`.
fn after_filter(text: &str, depth: usize) -> Option<&str> {
    let inner = text.strip_prefix('(')?;
    let depth = depth.checked_sub(1)?;
    let end = if let Some(list) = inner.strip_prefix(['&', '|']) {
        after_list(list, depth)?
    } else if let Some(negated) = inner.strip_prefix('!') {
        after_filter(negated, depth)?
    } else {
        after_item(inner)?
    };
    end.strip_prefix(')')
}

/// Returns the text after a list of filters. An empty list is valid: it stands for true or false (RFC 4526).
fn after_list(mut text: &str, depth: usize) -> Option<&str> {
    while text.starts_with('(') {
        text = after_filter(text, depth)?;
    }
    Some(text)
}

fn after_item(text: &str) -> Option<&str> {
    let (item, _) = text.split_once(')')?;
    let (left, value) = item.split_once('=')?;
    let (attribute, has_patterns) = match left.strip_suffix(['~', '<', '>']) {
        Some(attribute) => (attribute, false),
        None => (left, !left.contains(':')),
    };
    let is_left = match left.strip_suffix(':') {
        Some(extended) => is_extended(extended),
        None => is_attribute(attribute),
    };
    (is_left && is_value(value, has_patterns)).then(|| text.get(item.len()..)).flatten()
}

/// Returns true for `attribute`, `attribute:dn`, `attribute:rule`, `attribute:dn:rule`, or the last two without the
/// attribute.
fn is_extended(text: &str) -> bool {
    let mut parts = text.split(':');
    let attribute = parts.next().unwrap_or_default();
    let rules: Vec<&str> = parts.collect();
    let rule = match rules.as_slice() {
        ["dn"] | [] => None,
        ["dn", rule] | [rule] => Some(*rule),
        _ => return false,
    };
    let names_something = !attribute.is_empty() || rule.is_some();
    names_something && (attribute.is_empty() || is_attribute(attribute)) && rule.is_none_or(is_attribute)
}

/// Returns true for a name or a number with dots, with or without options after semicolons.
fn is_attribute(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.;".contains(&byte))
}

/// Returns true if each star, parenthesis, backslash and NUL is written as a backslash and two hexadecimal digits. With
/// `has_patterns`, stars are allowed.
fn is_value(text: &str, has_patterns: bool) -> bool {
    let has_bare_specials = text.contains(['(', '\0']) || (text.contains('*') && !has_patterns);
    let mut after_escapes = text.split('\\').skip(1);
    let is_escaped_well = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    !has_bare_specials && after_escapes.all(is_escaped_well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_the_standard_are_filters() {
        let right = [
            "(cn=Babs Jensen)",
            "(!(cn=Tim Howes))",
            "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
            "(o=univ*of*mich*)",
            "(seeAlso=)",
            "(cn:caseExactMatch:=Fred Flintstone)",
            "(cn:=Betty Rubble)",
            "(sn:dn:2.4.6.8.10:=Barney Rubble)",
            "(o:dn:=Ace Industry)",
            "(:1.2.3:=Wilma Flintstone)",
            "(:dn:2.4.6.8.10:=Dino)",
            r"(o=Parens R Us \28for all your parenthetical needs\29)",
            "(memberOf:1.2.840.113556.1.4.1941:=cn=x,dc=example)",
            "(sn=Lučić)",
            "(mail;lang-de~=x)",
            "(uidNumber>=1000)",
            "(&)",
        ];
        for filter in right {
            assert!(is_filter(filter), "{filter} is right");
        }
    }

    #[test]
    fn a_filter_with_a_slip_is_none() {
        let deep = format!("{}(a=b){}", "(!".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
        let wrong = [
            "",
            "cn=x",
            "(cn=x",
            "(cn=x))",
            "(cn=x)(cn=y)",
            "()",
            "(cn)",
            "(=x)",
            "(!cn=x)",
            "(!(a=b)(c=d))",
            "(&(a=b)c=d)",
            "(c n=x)",
            r"(cn=\2)",
            r"(cn=\zz)",
            "(cn=a(b)",
            "(cn>=a*)",
            "(:=x)",
            "(:dn:=x)",
            "(a:b:c:=x)",
            " (cn=x)",
            &deep,
        ];
        for filter in wrong {
            assert!(!is_filter(filter), "{filter} is wrong");
        }
    }
}
