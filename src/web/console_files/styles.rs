//! Joins the style sheets into one, without comments and without the white space that browsers ignore.

/// White space beside a mark, and the mark alone. A space before a colon or between selectors has a meaning and stays.
const MARKS: [(&str, &str); 7] =
    [(" {", "{"), ("{ ", "{"), (" }", "}"), ("; ", ";"), (": ", ":"), (", ", ","), (";}", "}")];

/// Returns the style sheets as one.
pub(super) fn joined<'a>(sheets: impl Iterator<Item = &'a str>) -> String {
    sheets.flat_map(|sheet| without_comments(sheet).lines().map(compact).collect::<Vec<_>>()).collect()
}

fn without_comments(sheet: &str) -> String {
    let mut parts = sheet.split("/*");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("*/").map_or("", |(_, rest)| rest))
}

/// Returns a line without its indentation, and without its end if a mark is there. Texts between quotation marks stay as
/// they are.
fn compact(line: &str) -> String {
    let line = line.trim();
    let outside = |part: &str| MARKS.iter().fold(part.to_owned(), |text, (from, to)| text.replace(from, to));
    let parts = line.split('"').enumerate();
    let parts: Vec<String> =
        parts.map(|(index, part)| if index % 2 == 0 { outside(part) } else { part.to_owned() }).collect();
    let end = if line.is_empty() || line.ends_with([';', '{', '}', ',']) { "" } else { "\n" };
    parts.join("\"") + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_keep_their_meaning() {
        let sheet = "/* Rows, { of } things. */\n.row > a, .row :is(b, i) {\n  margin: 0 1px;\n}\n\n@media (max-width: 599px) and (hover) {\n  \
                     td::before { content: attr(data-label) \": \"; color: var(--muted); grid-area: 1 /\n 2; }\n}\n";
        let expected = concat!(
            ".row > a,.row :is(b,i){margin:0 1px;}@media (max-width:599px) and (hover){",
            "td::before{content:attr(data-label) \": \";color:var(--muted);grid-area:1 /\n2}}"
        );
        assert_eq!(joined([sheet, ""].into_iter()), expected);
    }
}
