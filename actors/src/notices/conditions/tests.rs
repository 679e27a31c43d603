use serde_json::json;

use super::*;

/// A user without special roles in a browser, on an installation with all facts known.
struct Case {
    client: Client,
    client_version: &'static str,
    admin: (bool, bool),
    sku: &'static str,
    is_cloud: bool,
    facts: Facts,
}

fn ordinary() -> Case {
    let facts = Facts { posts: 100, users: 10, postgres: read_version("14.5") };
    Case { client: Client::Web, client_version: "5.7.1", admin: (false, false), sku: "", is_cloud: false, facts }
}

impl Case {
    fn meets(&self, conditions: &Value) -> Result<bool, NoVersion> {
        let conditions: Conditions = Deserialize::deserialize(conditions).unwrap();
        let config = json!({
            "ServiceSettings": { "EnableDeveloper": false, "ReadTimeout": 300, "SiteURL": "http://chat.example" },
            "TeamSettings": { "CustomBrandText": null, "Ratio": 2.5 },
        });
        let version = read_version("11.6.0").unwrap();
        let preferences = [("display", "use_military_time", "true"), ("tips", "seen", "")];
        let preference = |category: &str, name: &str| {
            let found = preferences.iter().find(|known| (known.0, known.1) == (category, name));
            found.map(|(_, _, value)| *value)
        };
        let (is_system_admin, is_team_admin) = self.admin;
        let reader = Reader {
            client: self.client,
            client_version: self.client_version,
            is_system_admin,
            is_team_admin,
            preference: &preference,
        };
        let site = Site {
            version: &version,
            sku: self.sku,
            is_cloud: self.is_cloud,
            config: config.as_object().unwrap(),
            // 2026-03-10, in the afternoon.
            now_s: 1_773_150_000,
        };
        conditions.are_met(&reader, &site, &self.facts)
    }

    #[track_caller]
    fn expect(&self, conditions: &Value, is_met: bool) {
        assert_eq!(self.meets(conditions), Ok(is_met), "{conditions}");
    }
}

#[test]
fn what_is_absent_or_null_or_unknown_is_no_condition() {
    let nothing = json!({ "clientType": null, "mobileVersion": null, "displayDate": null, "serverVersion": null,
        "sku": null, "audience": null, "numberOfUsers": null, "deprecating_dependency": null, "serverConfig": null,
        "userConfig": null, "instanceType": null });
    for conditions in [json!({}), nothing, json!({ "desktopVersion": [], "serverConfig": {} }), json!({ "moon": 1 })] {
        ordinary().expect(&conditions, true);
    }
}

#[test]
fn each_kind_of_client_is_meant_by_its_names() {
    let clients = [
        ("web", &["all", "web"][..]),
        ("desktop", &["all", "desktop"]),
        ("mobile-android", &["all", "mobile", "mobile-android"]),
        ("mobile-ios", &["all", "mobile", "mobile-ios"]),
    ];
    for (name, meant_by) in clients {
        let case = Case { client: Client::named(name).unwrap(), ..ordinary() };
        for kind in ["all", "desktop", "mobile", "mobile-android", "mobile-ios", "web"] {
            case.expect(&json!({ "clientType": kind }), meant_by.contains(&kind));
        }
    }
    for name in ["", "all", "mobile", "Web", "web "] {
        assert_eq!(Client::named(name), None, "{name}");
    }
}

#[test]
fn the_version_of_a_client_fits_every_range_for_its_kind() {
    for (client, own, other) in [
        (Client::Web, "desktopVersion", "mobileVersion"),
        (Client::Desktop, "desktopVersion", "mobileVersion"),
        (Client::Android, "mobileVersion", "desktopVersion"),
        (Client::Ios, "mobileVersion", "desktopVersion"),
    ] {
        let case = Case { client, ..ordinary() };
        case.expect(&json!({ own: [">=5.0.0", "<6.0.0"], other: [">9.0.0"] }), true);
        case.expect(&json!({ own: [">=5.0.0", "<5.7.1"] }), false);
        case.expect(&json!({ own: ["<5.0.0 || 5.7.x"] }), true);
    }
}

#[test]
fn a_client_without_a_version_is_refused_by_what_is_meant_for_its_kind() {
    for version in ["", "five", "5.7.1.2"] {
        let case = Case { client_version: version, ..ordinary() };
        assert_eq!(case.meets(&json!({})), Err(NoVersion), "{version}");
        assert_eq!(case.meets(&json!({ "clientType": "web", "sku": "e20" })), Err(NoVersion), "{version}");
        case.expect(&json!({ "clientType": "mobile" }), false);
    }
    Case { client_version: "5.7", ..ordinary() }.expect(&json!({ "desktopVersion": ["5.7.0"] }), true);
}

#[test]
fn the_day_and_the_version_of_the_server_fit() {
    let case = ordinary();
    case.expect(&json!({ "displayDate": "= 2026-03-10T00:00:00Z" }), true);
    case.expect(&json!({ "displayDate": ">= 2026-03-01T00:00:00Z < 2026-03-10T00:00:00Z" }), false);
    case.expect(&json!({ "serverVersion": [">=11.0.0", "11.6.x"] }), true);
    case.expect(&json!({ "serverVersion": [">=11.0.0", "<11.6.0"] }), false);
    Case { is_cloud: true, ..ordinary() }.expect(&json!({ "serverVersion": ["<1.0.0"] }), true);
}

#[test]
fn what_was_bought_is_named_in_any_case_and_nothing_has_two_names() {
    for (bought, meant_by) in
        [("", &["all", "e0", "team"][..]), ("E20", &["all", "e20", "E20"]), ("professional", &["all", "professional"])]
    {
        let case = Case { sku: bought, ..ordinary() };
        for sku in ["all", "e0", "team", "e10", "e20", "E20", "professional"] {
            case.expect(&json!({ "sku": sku }), meant_by.contains(&sku));
        }
    }
}

#[test]
fn an_audience_is_everybody_or_one_kind() {
    for (admin, meant_by) in [
        ((false, false), &["all", "member"][..]),
        ((false, true), &["all", "teamadmin"]),
        ((true, false), &["all", "sysadmin"]),
        ((true, true), &["all", "sysadmin", "teamadmin"]),
    ] {
        let case = Case { admin, ..ordinary() };
        for audience in ["all", "member", "sysadmin", "teamadmin"] {
            case.expect(&json!({ "audience": audience }), meant_by.contains(&audience));
        }
    }
}

#[test]
fn counts_are_reached_or_not_known() {
    for (name, count) in [("numberOfUsers", 10), ("numberOfPosts", 100)] {
        ordinary().expect(&json!({ name: count }), true);
        ordinary().expect(&json!({ name: count + 1 }), false);
        Case { facts: Facts::default(), ..ordinary() }.expect(&json!({ name: count + 1 }), true);
    }
}

#[test]
fn a_dependency_that_is_too_old_decides_alone() {
    let dependency = |name: &str, minimum: &str| json!({ "name": name, "minimum_version": minimum });
    for (name, minimum, is_met) in [
        ("postgres", "14.6", true),
        ("postgres", "15.0.0", true),
        ("postgres", "14.5.0", false),
        ("postgres", "13.0.0", false),
        ("elasticsearch", "99.0.0", false),
        ("sqlite", "99.0.0", false),
        ("mysql", "99.0.0", false),
    ] {
        let alone = json!({ "deprecating_dependency": dependency(name, minimum) });
        ordinary().expect(&alone, is_met);
        let with_more = json!({ "deprecating_dependency": dependency(name, minimum), "instanceType": "cloud",
            "serverConfig": { "No.Setting": 1 }, "userConfig": { "no.preference": "" } });
        ordinary().expect(&with_more, is_met);
        let below_more = json!({ "deprecating_dependency": dependency(name, minimum), "audience": "sysadmin" });
        ordinary().expect(&below_more, false);
    }
    let embedded = Case { facts: Facts::default(), ..ordinary() };
    embedded.expect(&json!({ "deprecating_dependency": dependency("postgres", "99.0.0") }), false);
}

#[test]
fn settings_have_these_values_whatever_their_kind() {
    for (path, value, is_met) in [
        ("ServiceSettings.EnableDeveloper", json!(false), true),
        ("ServiceSettings.EnableDeveloper", json!(true), false),
        ("ServiceSettings.EnableDeveloper", json!("false"), false),
        ("ServiceSettings.SiteURL", json!("http://chat.example"), true),
        ("ServiceSettings.SiteURL", json!("http://CHAT.example"), false),
        ("ServiceSettings.ReadTimeout", json!(300), true),
        ("ServiceSettings.ReadTimeout", json!(300.0), true),
        ("ServiceSettings.ReadTimeout", json!(301), false),
        ("ServiceSettings.ReadTimeout", json!("300"), false),
        ("TeamSettings.Ratio", json!(2.5), true),
        ("TeamSettings.CustomBrandText", json!(null), false),
        ("ServiceSettings.Unknown", json!(1), false),
        ("Unknown", json!(1), false),
        ("ServiceSettings.SiteURL.Deeper", json!(1), false),
    ] {
        ordinary().expect(&json!({ "serverConfig": { path: value } }), is_met);
    }
    let both =
        json!({ "serverConfig": { "ServiceSettings.ReadTimeout": 300, "ServiceSettings.EnableDeveloper": true } });
    ordinary().expect(&both, false);
}

#[test]
fn preferences_have_these_values() {
    for (key, value, is_met) in [
        ("display.use_military_time", "true", true),
        ("display.use_military_time", "false", false),
        ("tips.seen", "", true),
        ("tips.other", "", false),
        ("other.seen", "", false),
    ] {
        ordinary().expect(&json!({ "userConfig": { key: value } }), is_met);
    }
    ordinary().expect(&json!({ "userConfig": { "tips.seen": "", "tips.other": "" } }), false);
}

#[test]
fn an_installation_is_hosted_or_not() {
    for (is_cloud, meant_by) in [(false, ["both", "onprem"]), (true, ["both", "cloud"])] {
        let case = Case { is_cloud, ..ordinary() };
        for kind in ["both", "cloud", "onprem"] {
            case.expect(&json!({ "instanceType": kind }), meant_by.contains(&kind));
        }
    }
}

#[test]
fn what_can_never_be_evaluated_is_refused_when_it_is_read() {
    for broken in [
        json!({ "clientType": "tv" }),
        json!({ "audience": "aliens" }),
        json!({ "instanceType": "moon" }),
        json!({ "desktopVersion": "5.x" }),
        json!({ "desktopVersion": ["five"] }),
        json!({ "mobileVersion": [5] }),
        json!({ "serverVersion": [""] }),
        json!({ "displayDate": "soon" }),
        json!({ "numberOfUsers": "5" }),
        json!({ "numberOfPosts": 1.5 }),
        json!({ "deprecating_dependency": { "name": "postgres" } }),
        json!({ "deprecating_dependency": { "name": "postgres", "minimum_version": "new" } }),
        json!({ "serverConfig": ["x"] }),
        json!({ "userConfig": { "tips": "x" } }),
        json!({ "userConfig": { "tips.a.b": "x" } }),
        json!({ "userConfig": { "tips.seen": true } }),
    ] {
        assert!(serde_json::from_value::<Conditions>(broken.clone()).is_err(), "{broken}");
    }
}
