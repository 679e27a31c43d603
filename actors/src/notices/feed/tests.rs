use semver::Version;
use serde_json::{Map, json};

use super::*;
use crate::notices::conditions::{Client, Facts};

fn entry(id: &str) -> Value {
    json!({ "id": id, "localizedMessages": { "en": { "title": "Hello", "description": "World" } } })
}

fn read(entries: &Value) -> Feed {
    Feed::read(entries.to_string().as_bytes()).unwrap()
}

/// Returns the notice that a user in a browser gets.
fn shown(notice: &Notice, locale: &str, viewing: Option<(i64, i64)>) -> Option<Value> {
    let reader = Reader {
        client: Client::Web,
        client_version: "1.0.0",
        is_system_admin: true,
        is_team_admin: true,
        preference: &|_, _| None,
    };
    let (version, config) = (Version::new(1, 0, 0), Map::new());
    let site = Site { version: &version, sku: "", is_cloud: false, config: &config, now_s: 100_000 };
    let viewing = viewing.map(|(count, last_s)| Viewing { notice_id: notice.id.clone(), count, last_s });
    let shown = notice.shown(locale, viewing.as_ref(), &reader, &site, &Facts::default()).unwrap();
    shown.map(|shown| serde_json::to_value(shown).unwrap())
}

#[test]
fn entries_that_cannot_be_used_are_left_out_and_their_ids_are_kept() {
    let mut without_english = entry("german");
    without_english["localizedMessages"] = json!({ "de": { "title": "Hallo" } });
    let mut broken = entry("broken");
    broken["conditions"] = json!({ "displayDate": "soon" });
    let long = "n".repeat(27);
    let feed = read(&json!([
        entry("good"), 5, null, {}, { "id": 5 }, { "id": "bare" }, without_english, broken, entry(""), entry(&long),
        entry("a\u{0}b"), entry("also good"),
    ]));
    let usable: Vec<&str> = feed.notices.iter().map(Notice::id).collect();
    assert_eq!(usable, ["good", "also good"]);
    assert_eq!(feed.refused.len(), 10);
    assert!(feed.refused[6].starts_with("entry 8 (\"broken\"): \"soon\" is not a range"), "{:?}", feed.refused);
    for id in ["good", "also good", "bare", "german", "broken", &long] {
        assert!(feed.ids.iter().any(|known| known == id), "{id}");
    }
}

#[test]
fn what_is_no_list_is_no_feed_and_an_empty_one_is() {
    for text in ["", "null", "{}", "\"x\"", "[", "<html>", "[]x"] {
        assert!(Feed::read(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(Feed::read(b" [ ] ").unwrap(), Feed::default());
}

#[test]
fn of_a_feed_without_end_the_beginning_is_used() {
    let entries: Vec<Value> = (0..1001).map(|number| entry(&format!("n{number}"))).collect();
    let feed = read(&json!(entries));
    assert_eq!((feed.notices.len(), feed.ids.len()), (1000, 1000));
    assert_eq!(feed.refused, ["the feed has 1001 entries; only the first 1000 are used"]);
}

#[test]
fn a_notice_is_shown_in_the_words_of_the_contract() {
    let feed = read(&json!([
        entry("bare"),
        { "id": "whole", "repeatable": true, "conditions": { "audience": "teamadmin" }, "localizedMessages": { "en": {
            "title": "T", "description": "D", "image": "I", "action": "url", "actionParam": "P", "actionText": "A",
        } } },
        { "id": "admin", "conditions": { "audience": "sysadmin" }, "localizedMessages": { "en": {} } },
    ]));
    let texts: Vec<String> = feed.notices.iter().map(|notice| shown(notice, "", None).unwrap().to_string()).collect();
    let expected = [
        json!({ "description": "World", "title": "Hello", "id": "bare", "sysAdminOnly": false, "teamAdminOnly": false }),
        json!({ "action": "url", "actionParam": "P", "actionText": "A", "description": "D", "image": "I", "title": "T",
            "id": "whole", "sysAdminOnly": false, "teamAdminOnly": true }),
        json!({ "description": "", "title": "", "id": "admin", "sysAdminOnly": true, "teamAdminOnly": false }),
    ];
    assert_eq!(texts, expected.map(|expected| expected.to_string()));
}

#[test]
fn the_text_is_in_the_closest_language_and_else_in_english() {
    let feed = read(&json!([{ "id": "n", "localizedMessages": {
        "en": { "title": "en" }, "de": { "title": "de" }, "pt-BR": { "title": "pt-BR" }, "zh_TW": { "title": "zh-TW" },
    } }]));
    for (locale, title) in [
        ("en", "en"),
        ("", "en"),
        ("fr", "en"),
        ("en-AU", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("de_AT", "de"),
        ("pt-br", "pt-BR"),
        ("pt_BR", "pt-BR"),
        ("pt", "en"),
        ("zh-TW", "zh-TW"),
        ("-", "en"),
    ] {
        assert_eq!(shown(&feed.notices[0], locale, None).unwrap()["title"], title, "{locale}");
    }
}

#[test]
fn once_is_enough_unless_it_may_be_repeated_after_an_hour_and_three_times_more() {
    let mut repeatable = entry("again");
    repeatable["repeatable"] = json!(true);
    let mut never_null = entry("null");
    never_null["repeatable"] = json!(null);
    let feed = read(&json!([entry("once"), repeatable, never_null]));
    let [once, again, null] = feed.notices.as_slice() else { panic!("{feed:?}") };
    for (viewing, is_shown_once, is_shown_again) in [
        (None, true, true),
        (Some((0, 0)), true, true),
        (Some((1, 0)), false, true),
        (Some((3, 96_400)), false, true),
        (Some((3, 96_401)), false, false),
        (Some((1, 100_000)), false, false),
        (Some((1, 200_000)), false, false),
        (Some((4, 0)), false, false),
    ] {
        assert_eq!(shown(once, "", viewing).is_some(), is_shown_once, "{viewing:?}");
        assert_eq!(shown(null, "", viewing).is_some(), is_shown_once, "{viewing:?}");
        assert_eq!(shown(again, "", viewing).is_some(), is_shown_again, "{viewing:?}");
    }
}
