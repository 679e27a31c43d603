//! Tests of the format of a mix.

use super::*;

const SMALL: &str = r#"
format = 1
about = "A ping."

[load]
rate = 100

[[request]]
name = "ping"
path = "/api/v4/system/ping"
"#;

#[test]
fn a_small_mix_has_defaults() {
    let mix = Mix::read(SMALL).unwrap();
    let request = &mix.requests[0];
    assert_eq!((request.method, request.auth, request.think_time()), (Method::Get, Auth::None, Duration::ZERO));
    assert!(request.expect.is_empty() && request.weight.is_none() && mix.changes.is_none());
}

#[test]
fn an_error_names_its_line() {
    let cases = [
        ("format = 1", "format = 2", "line 2", "format 2 is not known"),
        ("rate = 100", "rate = -1", "line 6", "not between 0.01"),
        ("rate = 100", "rate = 100\nrtae = 5", "line 7", "unknown field `rtae`"),
        ("/api/v4/system/ping", "api/v4", "line 10", "begins with a slash"),
        ("/api/v4/system/ping", "/${oops}", "line 10", "`${oops}` is not a variable"),
        ("\"ping\"", "\"a ping\"", "line 9", "`a ping` is not a name"),
        ("name = \"ping\"", "name = \"ping\"\nweight = 0", "line 10", "not between 1"),
        ("name = \"ping\"", "name = \"ping\"\nthink = \"5\"", "line 10", "is not a duration"),
        ("name = \"ping\"", "name = \"ping\"\nthink = \"2h\"", "line 10", "is not between"),
        ("rate = 100", "rate = 100\ntimeout = \"0s\"", "line 7", "is not between"),
        ("rate = 100", "rate = 100\nduration = \"25h\"", "line 7", "is not between"),
        ("[load]", "fail_if = [\"p99>1\"]\n[load]", "line 5", "is not a condition"),
        ("name = \"ping\"", "name = \"ping\"\nmethod = \"FETCH\"", "line 10", "unknown variant `FETCH`"),
        ("name = \"ping\"", "name = \"ping\"\nexpect = [99]", "line 10", "99 is not the status"),
        ("name = \"ping\"", "name = \"ping\"\nheaders = { Host = \"a\" }", "line 10", "writes the header Host"),
        ("name = \"ping\"", "name = \"ping\"\nheaders = { A = \"b\\r\\nc: d\" }", "line 10", "line end"),
        ("rate = 100", "rate = 100\nburst = 0", "line 7", "not between 1"),
        ("name = \"ping\"", "name = \"ping\"\nsocket = { stay = \"1s\" }", "line 10", "unknown field `stay`"),
        ("about = \"A ping.\"", "about = \"A ping.", "line 3", ""),
    ];
    for (old, new, line, cause) in cases {
        let refused = Mix::read(&SMALL.replacen(old, new, 1)).unwrap_err();
        assert!(refused.contains(line) && refused.contains(cause), "{new}: {refused}");
    }
}

#[test]
fn rules_about_several_values_name_the_request() {
    let cases = [
        (SMALL.replace("rate = 100", ""), "either rate or concurrency"),
        (SMALL.replace("rate = 100", "rate = 100\nconcurrency = 5"), "either rate or concurrency"),
        (SMALL.replace("rate = 100", "concurrency = 5\nburst = 5"), "a burst needs a rate"),
        (SMALL.replace("[load]", "[cluster]\nnodes = 1\n[load]"), "two nodes or more"),
        (SMALL.replace("name = \"ping\"", "name = \"ping\"\ndelivery = true"), "the delivery of ping needs"),
        (SMALL.replace("name = \"ping\"", "name = \"ping\"\nsocket = {}\nmethod = \"POST\""), "ping opens a socket"),
        (SMALL.replace("name = \"ping\"", "name = \"ping\"\nbackground = 5"), "not only background ones"),
        (format!("{SMALL}[[request]]\nname = \"ping\"\npath = \"/\"\n"), "two requests have the name ping"),
        (format!("{SMALL}[[request]]\nname = \"b\"\npath = \"/\"\nweight = 1\nbackground = 1\n"), "b has a weight"),
    ];
    for (text, cause) in cases {
        let refused = Mix::read(&text).unwrap_err();
        assert!(refused.contains(cause), "{refused}");
    }
}
