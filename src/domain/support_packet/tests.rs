use time::macros::datetime;

use super::*;

fn licensed(company: &str) -> License {
    let document = json!({ "customer": { "company": company }, "features": { "users": 1 } });
    License::read(document.to_string().as_bytes()).unwrap()
}

#[test]
fn the_name_of_the_file_tells_the_company_as_far_as_names_can() {
    let at = datetime!(2026-02-03 04:05:06 UTC);
    let cases = [
        ("Example", "mm_support_packet_Example_2026-02-03T04-05.zip"),
        (" ..A/B \"C\", Inc.. ", "mm_support_packet_A_B__C___Inc_2026-02-03T04-05.zip"),
        ("..", "mm_support_packet_2026-02-03T04-05.zip"),
        ("Ü\r\n", "mm_support_packet_____2026-02-03T04-05.zip"),
    ];
    for (company, expected) in cases {
        assert_eq!(file_name(Some(&licensed(company)), at), expected);
    }
    let longest = file_name(Some(&licensed(&"x".repeat(200))), at);
    assert_eq!(longest.matches('x').count(), MAX_COMPANY_CHARACTERS);
    assert_eq!(file_name(None, at), "mm_support_packet_2026-02-03T04-05.zip");
}

#[test]
fn texts_that_look_like_other_types_stay_texts() {
    let texts = ["yes", "n", "off", "null", "~", "1", "0x1f", "1e3", "", " a\nb", "- a: #", "x\u{85}"];
    let document = json!({ "texts": texts });
    let text = yaml_serde::to_string(&document).unwrap();
    assert_eq!(yaml_serde::from_str::<Value>(&text).unwrap(), document);
}
