use super::*;

fn record() -> Record {
    Record {
        at: "2026-01-02 03:04:05.006 Z".to_owned(),
        level: Level::WARN,
        message: "low\non fuel".to_owned(),
        caller: "routes/users.rs:12".to_owned(),
        fields: vec![
            ("http.status", Value::from(404)),
            ("request.id", Value::from("abc")),
            ("level", Value::from("mine")),
            ("note", Value::from("ä b\u{1b}[31m")),
        ],
    }
}

fn line(format: &Format) -> String {
    String::from_utf8(format.line(&record())).unwrap()
}

#[test]
fn a_json_line_has_the_keys_of_mattermost_first_and_its_fields_flat() {
    let expected = concat!(
        r#"{"timestamp":"2026-01-02 03:04:05.006 Z","level":"warn","msg":"low\non fuel","caller":"routes/users.rs:12","#,
        r#""http.status":404,"request.id":"abc","field.level":"mine","note":"ä b\u001b[31m"}"#,
        "\n"
    );
    assert_eq!(line(&Format::new(true, false, 100)), expected);
}

#[test]
fn a_plain_line_stays_one_line_and_colours_only_the_level() {
    let rest = concat!(
        r#" [2026-01-02 03:04:05.006 Z] low\non fuel caller=routes/users.rs:12 "#,
        r#"http.status=404 request.id=abc level=mine note="ä b\u{1b}[31m""#,
        "\n"
    );
    assert_eq!(line(&Format::new(false, false, 100)), format!("warn {rest}"));
    assert_eq!(line(&Format::new(false, true, 100)), format!("\u{1b}[33mwarn \u{1b}[0m{rest}"));
}

#[test]
fn long_values_are_cut_at_a_number_of_characters() {
    let cut: Value = serde_json::from_str(&line(&Format::new(true, false, 3))).unwrap();
    assert_eq!((cut["msg"].as_str(), cut["note"].as_str()), (Some("low"), Some("ä b")));
    assert_eq!(cut["timestamp"], "2026-01-02 03:04:05.006 Z");
}

#[test]
fn the_time_is_written_as_the_clients_read_it() {
    let at = time::macros::datetime!(2026-01-02 03:04:05.006 UTC);
    assert_eq!(at.format(TIME).unwrap(), "2026-01-02 03:04:05.006 Z");
}

#[test]
fn a_caller_is_the_last_folder_and_the_name() {
    assert_eq!(short("/home/x/registry/actix-server-2.6.0/src/builder.rs"), "src/builder.rs");
    assert_eq!(short("src/routes/users.rs"), "routes/users.rs");
    assert_eq!(short("src/lib.rs"), "src/lib.rs");
    assert_eq!(short("lib.rs"), "lib.rs");
}
