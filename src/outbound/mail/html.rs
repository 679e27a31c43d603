//! The HTML form of a mail. It is made from the text, so both say the same, and it loads nothing from other servers.

/// Returns the text as an HTML document: a paragraph for each block of lines, and a link for each line that is an
/// address of the web.
pub(super) fn document(subject: &str, text: &str) -> String {
    let blocks = text.split("\n\n").map(str::trim).filter(|block| !block.is_empty());
    let paragraphs: String = blocks.map(paragraph).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n</head>\n<body>\n\
         {paragraphs}</body>\n</html>\n",
        escaped(subject)
    )
}

fn paragraph(block: &str) -> String {
    let lines: Vec<String> = block.lines().map(line).collect();
    format!("<p>{}</p>\n", lines.join("<br>\n"))
}

fn line(line: &str) -> String {
    let (line, is_link) = (escaped(line.trim()), is_address(line.trim()));
    if is_link { format!("<a href=\"{line}\">{line}</a>") } else { line }
}

/// Returns true if the whole line is an address of the web.
fn is_address(line: &str) -> bool {
    let has_scheme = line.starts_with("https://") || line.starts_with("http://");
    has_scheme && !line.contains(|letter: char| letter.is_whitespace() || letter.is_control())
}

/// Returns the text with the characters that mean something in HTML as references, and control characters as spaces.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ if letter.is_control() => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_paragraphs_and_addresses_links() {
        let text = "Hello,\n\nyour link:\n\nhttps://chat.example/reset?token=a&b=1\n\none\ntwo\n";
        let expected = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>A &lt;test&gt;</title>\n\
                        </head>\n<body>\n<p>Hello,</p>\n<p>your link:</p>\n\
                        <p><a href=\"https://chat.example/reset?token=a&amp;b=1\">https://chat.example/reset?token=a&amp;b=1</a></p>\n\
                        <p>one<br>\ntwo</p>\n</body>\n</html>\n";
        assert_eq!(document("A <test>", text), expected);
    }

    #[test]
    fn no_text_becomes_markup() {
        let evil = "<img src=https://evil.example/a.png>\nhttps://evil.example/\"onclick='x' \u{7}\njavascript:alert(1)\n\
                    https://a.example\"><script>";
        let html = document("</title><script>", evil);
        for forbidden in ["<img", "<script", "href=\"javascript", "\"onclick", "\"><script", "\u{7}", "='x'"] {
            assert!(!html.contains(forbidden), "{forbidden}: {html}");
        }
        assert_eq!(html.matches("<a ").count(), 1, "{html}");
        assert!(html.contains("<a href=\"https://a.example&quot;&gt;&lt;script&gt;\">"), "{html}");
    }
}
