//! Leaves out what browsers do not need: comments of modules (lines that begin with `//`, and `/** … */`), and white space
//! at both ends of lines. A text that spans lines is markup or a list of words, where the amount of white space does not
//! count.

/// The begin and the end of a comment with types.
const TYPES: (&str, &str) = ("/**", "*/");

/// Returns a module without its comments and indentation.
pub(super) fn stripped(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        let (left, goes_on) = outside(line, is_inside);
        let is_comment = left.trim_start().starts_with("//");
        let had_code = !line.trim().is_empty() && !left.trim().is_empty();
        if had_code && !is_comment {
            result.push_str(left.trim());
            result.push('\n');
        }
        is_inside = goes_on;
    }
    result
}

/// Returns the part of a line outside of comments with types, and if one goes on in the next line.
fn outside(line: &str, mut is_inside: bool) -> (String, bool) {
    let mut left = String::new();
    let mut rest = line;
    loop {
        let mark = if is_inside { TYPES.1 } else { TYPES.0 };
        let Some((before, after)) = rest.split_once(mark) else { break };
        if !is_inside {
            left.push_str(before);
        }
        (is_inside, rest) = (!is_inside, after);
    }
    if !is_inside {
        left.push_str(rest);
    }
    (left, is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stays_and_comments_go() {
        let text = "// A page.\n\n/**\n * @typedef {object} One\n */\n\nexport function a(/** @type {any} */ b) {\n  // Why.\n  \
                    return /** @type {any} */ (b).c; // beside\n}\n/** The rest. @type {One} */\nexport const d = \"http://x\";\n";
        let expected = "export function a( b) {\nreturn  (b).c; // beside\n}\nexport const d = \"http://x\";\n";
        assert_eq!(stripped(text), expected);
    }
}
