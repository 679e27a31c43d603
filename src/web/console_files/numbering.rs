//! Gives modules numbers instead of names in linked files: numbers are shorter, and imports repeat them.

use std::collections::BTreeMap;

use super::linking::TABLE;

/// Returns the linked files with `TABLE[NUMBER]` in the place of `TABLE["NAME"]`. The number of a module is its place among
/// the names in their order, and is the same in all files.
pub(super) fn numbered<'a>(
    names: impl Iterator<Item = &'a String>,
    files: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let numbers: BTreeMap<&str, usize> = names.map(String::as_str).zip(0..).collect();
    files.into_iter().map(|(file, text)| (file, with_numbers(&numbers, &text))).collect()
}

fn with_numbers(numbers: &BTreeMap<&str, usize>, text: &str) -> String {
    let mut pieces = text.split("[\"");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let is_table = result.trim_end_matches(|one: char| one.is_ascii_digit()).ends_with(TABLE);
        let place = piece.split_once("\"]").and_then(|(name, rest)| Some((numbers.get(name)?, rest)));
        match place.filter(|_| is_table) {
            Some((number, rest)) => result.extend(["[", &number.to_string(), "]", rest]),
            None => result.extend(["[\"", piece]),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_modules_in_a_table_get_numbers() {
        let names = ["a.js", "pages/b.js"].map(str::to_owned);
        let text = "$modules[\"a.js\"] = (() => {\nconst { c } = $modules12[\"pages/b.js\"];\nconst d = LOOKS[\"a.js\"] ?? $modules[\"other\"];";
        let files = BTreeMap::from([("start.js".to_owned(), text.to_owned())]);
        let expected =
            "$modules[0] = (() => {\nconst { c } = $modules12[1];\nconst d = LOOKS[\"a.js\"] ?? $modules[\"other\"];";
        assert_eq!(numbered(names.iter(), files)["start.js"], expected);
    }
}
