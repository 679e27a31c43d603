//! The line of a value in a JSON text, for errors about files that people write.

use quarterdeck_actors::spelling::is_same;

/// Returns the line, counted from 1, of the value at a JSON pointer; `None` if the text has no such value.
///
/// A key is found in another letter case as well, if none is exactly the one that is searched for. Of equal keys the last
/// one counts, as in every parsed document.
pub(crate) fn line_of(text: &str, pointer: &str) -> Option<usize> {
    let steps = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
    let mut scanner = Scanner { rest: text };
    for step in steps {
        scanner.enter(&step)?;
    }
    scanner.skip_space();
    let before = text.get(..text.len() - scanner.rest.len())?;
    Some(before.matches('\n').count() + 1)
}

/// The rest of a JSON text. The text need not be valid: where it is not, the search ends.
struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(['\u{feff}', ' ', '\t', '\n', '\r']);
    }

    /// Takes this character if it comes next.
    fn take(&mut self, wanted: char) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// Moves to the member or element with this name or number.
    fn enter(&mut self, step: &str) -> Option<()> {
        if self.take('{').is_some() {
            let (mut exact, mut alike) = (None, None);
            while let Some(key) = self.member() {
                if key == step {
                    exact = Some(self.rest);
                } else if is_same(&key, step) {
                    alike = Some(self.rest);
                }
                let is_last = self.skip_value().and_then(|()| self.take(',')).is_none();
                if is_last {
                    break;
                }
            }
            self.rest = exact.or(alike)?;
            return Some(());
        }
        self.take('[')?;
        for _ in 0..step.parse::<usize>().ok()? {
            self.skip_value()?;
            self.take(',')?;
        }
        Some(())
    }

    /// Takes the key of a member and the colon after it.
    fn member(&mut self) -> Option<String> {
        let key = self.string()?;
        self.take(':').map(|()| key)
    }

    fn string(&mut self) -> Option<String> {
        self.skip_space();
        let text = self.rest;
        let mut is_escaped = false;
        let inner = text.strip_prefix('"')?;
        let end = inner.find(|character| {
            let is_end = character == '"' && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            is_end
        })?;
        let (string, rest) = text.split_at_checked(end + 2)?;
        self.rest = rest;
        serde_json::from_str(string).ok()
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.skip_space();
            match self.rest.chars().next()? {
                '"' => drop(self.string()?),
                '{' | '[' => {
                    depth += 1;
                    self.rest = self.rest.get(1..)?;
                }
                '}' | ']' => {
                    depth = depth.checked_sub(1)?;
                    self.rest = self.rest.get(1..)?;
                }
                ',' | ':' => self.rest = self.rest.get(1..)?,
                _ => self.rest = self.rest.trim_start_matches(|next: char| !",:]} \t\n\r".contains(next)),
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}{\n  \"a\": {\"x\": [1, {\"y\": \"}\\\"\"}],\n    \"b/c\": true,\n\"d\":\n\n-1.5e3},\n \"e\": [\n0,\n1]}";

    #[test]
    fn a_value_is_found_on_its_line() {
        for (pointer, line) in
            [("", 1), ("/a", 2), ("/a/x/1/y", 2), ("/a/b~1c", 3), ("/a/d", 6), ("/e/0", 8), ("/e/1", 9)]
        {
            assert_eq!(line_of(TEXT, pointer), Some(line), "{pointer}");
        }
    }

    #[test]
    fn a_key_in_another_letter_case_is_found_and_of_equal_keys_the_last() {
        let text = "{\n\"A\": 1,\n\"b\": {\"X\": 1},\n\"a\": {\"x\":\n2},\n\"B\": 3,\n\"a\": {\"x\": 4}}";
        for (pointer, line) in [("/A", 2), ("/a", 7), ("/a/X", 7), ("/b/x", 3), ("/B", 6)] {
            assert_eq!(line_of(text, pointer), Some(line), "{pointer}");
        }
        assert_eq!(line_of("{\"SiteName\": 1, \"x", "/sitename"), Some(1), "the rest of the text is broken");
    }

    #[test]
    fn what_is_not_there_has_no_line_and_broken_text_ends_the_search() {
        for pointer in ["/b", "/a/y", "/e/2", "/e/x", "/a/d/z"] {
            assert_eq!(line_of(TEXT, pointer), None, "{pointer}");
        }
        for text in ["", "{", "{\"a", "{\"a\" 1", "[}", "{\"b\":]", "{\"b\": 1,,"] {
            assert_eq!(line_of(text, "/a/b"), None, "{text}");
        }
    }
}
