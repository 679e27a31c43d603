use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::super::arbitrary::{patches, settings_of};
use super::super::merge::{patched, replaced};
use super::super::proposal::{ChangeMode, Decision, DecisionContext, Proposal, decide};
use super::super::table::{defaults, placed};
use super::*;

/// The sections whose numbers the server itself reads. Arbitrary numbers would not be valid there.
const TYPED: [&str; 6] =
    ["ServiceSettings", "SqlSettings", "LogSettings", "PasswordSettings", "RateLimitSettings", "FileSettings"];

/// Switches that no rule checks.
const SWITCHES: [&str; 5] = [
    "PrivacySettings.ShowEmailAddress",
    "PrivacySettings.ShowFullName",
    "TeamSettings.EnableCustomBrand",
    "TeamSettings.EnableUserDeactivation",
    "SupportSettings.EnableAskCommunityLink",
];

fn free(mut document: Document) -> Document {
    for section in TYPED {
        document.remove(section);
    }
    document
}

/// Returns the document that a server without pinned values stores.
fn stored(patch: &Document) -> Document {
    let document = patched(&defaults(), patch, &|_| true);
    let bare = Config::compose(Some(version(document)), Overrides::new()).unwrap();
    bare.storable(&bare.document, &Document::new())
}

fn version(document: Document) -> Stored {
    Stored::new("version".to_owned(), document)
}

/// Returns the settings of a patch as pinned values.
fn pinned(patch: &Document) -> Overrides {
    let leaves = placed().filter(|setting| setting.kind != Kind::Object);
    let values = leaves.filter_map(|setting| Some((setting.path.clone(), given(patch, &setting.path)?.clone())));
    values.map(|(path, value)| (path, Override { value, place: String::new() })).collect()
}

/// Generates a change that every rule allows.
fn changes() -> impl Strategy<Value = Document> {
    let some = subsequence(SWITCHES.to_vec(), 0..=SWITCHES.len());
    (some, any::<bool>(), select(vec!["one", "two", "three"])).prop_map(|(paths, is_on, name)| {
        let switched = paths.into_iter().map(|path| (path, Value::from(is_on)));
        settings_of(Document::new(), switched.chain([("TeamSettings.SiteName", json!(name))]))
    })
}

/// Generates keys that are no settings, in places where settings are.
fn newer() -> impl Strategy<Value = Document> {
    let places =
        ["Newer", "NewerSettings.Token", "TeamSettings.Newer", "MessageExportSettings.GlobalRelaySettings.Newer"];
    let values = select(vec![Value::Null, json!(""), json!(0), json!(["a"]), json!({}), json!({ "Enable": true })]);
    let values = proptest::collection::vec(values, places.len());
    (subsequence(places.to_vec(), 0..=places.len()), values)
        .prop_map(|(places, values)| settings_of(Document::new(), places.into_iter().zip(values)))
}

/// Returns `document` without the sections of `other`.
fn without(document: Document, other: &Document) -> Document {
    document.into_iter().filter(|(section, _)| !other.contains_key(section)).collect()
}

fn decided(running: &Config, mode: ChangeMode, body: Document) -> Decision {
    let context = DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, value| value.to_string()),
    };
    decide(
        running,
        &Proposal {
            mode,
            body,
            may_write: Arc::new(|_| true),
            may_read: Arc::new(|_| true),
            is_local: false,
            may_keep_secrets: true,
        },
        &context,
    )
    .unwrap()
}

#[test]
fn what_is_mended_to_fit_a_pinned_value_is_not_stored() {
    let cases = [
        (
            "LocalizationSettings.DefaultClientLocale",
            json!("fr"),
            "LocalizationSettings.AvailableLocales",
            json!("de,en"),
        ),
        ("FileSettings.DriverName", json!("local"), "FileSettings.Directory", json!("files")),
    ];
    for (path, value, mended, kept) in cases {
        let base = settings_of(defaults(), [("FileSettings.DriverName", json!("amazons3")), (mended, kept)]);
        let base = stored(&base);
        let overrides = pinned(&settings_of(Document::new(), [(path, value)]));
        let running = Config::compose(Some(version(base.clone())), overrides).unwrap();
        assert_ne!(given(&running.document, mended), given(&base, mended), "{mended} is mended");
        let patch = settings_of(
            Document::new(),
            [
                ("TeamSettings.SiteName", json!("one")),
                ("PluginSettings.PluginStates", json!({ "another": { "Enable": true } })),
            ],
        );
        for body in [patch.clone(), patched(&running.document, &patch, &|_| true)] {
            let wanted = patched(&running.document, &body, &|_| true);
            let kept = running.storable(&wanted, &Document::new());
            assert_eq!(kept, stored(&patched(&base, &patch, &|_| true)), "{mended}");
        }
    }
}

#[test]
fn a_document_names_the_engine_that_pinned_settings_choose() {
    let base = stored(&Document::new());
    assert_eq!(given(&base, "SqlSettings.DriverName"), Some(&json!("sqlite")));
    for (source, engine) in [("postgres://db/chat", "postgres"), ("own.db", "sqlite")] {
        let overrides = pinned(&settings_of(Document::new(), [("SqlSettings.DataSource", json!(source))]));
        let running = Config::compose(Some(version(base.clone())), overrides.clone()).unwrap();
        let named = running.storable(&running.document, &Document::new());
        assert_eq!(named, settings_of(base.clone(), [("SqlSettings.DriverName", json!(engine))]));
        let later = Config::compose(Some(version(named.clone())), overrides).unwrap();
        assert_eq!(later.storable(&later.document, &Document::new()), named);
        let mut partial = settings_of(Document::new(), [("TeamSettings.SiteName", json!("one"))]);
        running.name_engine(&mut partial);
        assert_eq!(given(&partial, "SqlSettings"), None, "a document that names none is copied as it is");
    }
}

#[test]
fn a_document_names_the_engine_of_its_own_data_source() {
    let settings = |source: &str, driver: &str| {
        let sql = [("SqlSettings.DataSource", json!(source)), ("SqlSettings.DriverName", json!(driver))];
        settings_of(Document::new(), sql)
    };
    let without_driver = settings_of(Document::new(), [("SqlSettings.DataSource", json!("postgres://db/chat"))]);
    for base in [without_driver, settings("postgres://db/chat", "sqlite")] {
        let running = Config::compose(Some(version(base)), Overrides::new()).unwrap();
        let named = running.storable(&running.document, &Document::new());
        assert_eq!(given(&named, "SqlSettings.DriverName"), Some(&json!("postgres")));
        let later = Config::compose(Some(version(named.clone())), Overrides::new()).unwrap();
        assert_eq!(later.storable(&later.document, &Document::new()), named);
        let mut file = settings("own.db", "sqlite");
        running.name_engine(&mut file);
        assert_eq!(file, settings("own.db", "sqlite"));
    }
    // A file in place of the address, also where the document keeps the name of the other engine.
    for source in ["own.db", "/srv/chat/data/own.db"] {
        let running =
            Config::compose(Some(version(settings("postgres://db/chat", "postgres"))), Overrides::new()).unwrap();
        let patch = settings_of(Document::new(), [("SqlSettings.DataSource", json!(source))]);
        let moved = running.storable(&patched(&running.document, &patch, &|_| true), &Document::new());
        assert_eq!(given(&moved, "SqlSettings.DriverName"), Some(&json!("sqlite")), "{source}");
    }
    for source in ["host=db dbname=chat", "", "********"] {
        let running = Config::compose(Some(version(settings(source, "postgres"))), Overrides::new()).unwrap();
        let named = running.storable(&running.document, &Document::new());
        assert_eq!(given(&named, "SqlSettings.DriverName"), Some(&json!("postgres")), "{source}");
    }
    // The pinned data source counts, and the stored name of the engine is in force with it.
    let pinned = pinned(&settings_of(Document::new(), [("SqlSettings.DataSource", json!("own.db"))]));
    let running = Config::compose(Some(version(settings("postgres://db/chat", "sqlite"))), pinned).unwrap();
    let named = running.storable(&running.document, &Document::new());
    assert_eq!(given(&named, "SqlSettings.DriverName"), Some(&json!("sqlite")));
}

#[test]
fn a_pinned_file_leaves_the_engine_beside_the_stored_address() {
    let settings = |source: &str, driver: &str| {
        let sql = [("SqlSettings.DataSource", json!(source)), ("SqlSettings.DriverName", json!(driver))];
        settings_of(Document::new(), sql)
    };
    let base = settings("postgres://db/chat", "postgres");
    let running = Config::compose(Some(version(base.clone())), pinned(&settings("trial.db", "sqlite"))).unwrap();
    let patch = settings_of(Document::new(), [("TeamSettings.SiteName", json!("one"))]);
    let saved = running.storable(&patched(&running.document, &patch, &|_| true), &Document::new());
    assert_eq!(given(&saved, "SqlSettings.DriverName"), Some(&json!("postgres")));
    let mut copied = base.clone();
    running.name_engine(&mut copied);
    assert_eq!(copied, base);
    let mut of_file = settings("own.db", "postgres");
    running.name_engine(&mut of_file);
    assert_eq!(of_file, settings("own.db", "sqlite"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_pinned_leaves_no_trace_in_what_is_stored(patch in patches(), overrides in patches()) {
        let stored = stored(&free(patch));
        let config = Config::compose(Some(version(stored.clone())), pinned(&free(overrides))).unwrap();
        prop_assert_eq!(config.storable(&config.document, &Document::new()), stored.clone());
        let sent_back = replaced(&config.document, &config.document, &|_| true);
        prop_assert_eq!(config.storable(&sent_back, &Document::new()), stored);
    }

    #[test]
    fn a_change_stores_the_same_whatever_else_is_pinned(patch in patches(), overrides in patches(), body in changes()) {
        let stored = stored(&free(patch));
        let elsewhere = without(free(overrides), &body);
        let [pinned, bare] = [pinned(&elsewhere), Overrides::new()].map(|overrides| {
            let config = Config::compose(Some(version(stored.clone())), overrides).unwrap();
            config.storable(&patched(&config.document, &body, &|_| true), &Document::new())
        });
        prop_assert_eq!(pinned, bare);
    }

    #[test]
    fn what_is_no_longer_pinned_is_as_it_was(patch in patches(), overrides in patches()) {
        let stored = stored(&free(patch));
        let before = Config::compose(Some(version(stored.clone())), Overrides::new()).unwrap();
        let pinned = Config::compose(Some(version(stored)), pinned(&free(overrides))).unwrap();
        let after = Config::compose(Some(version(pinned.storable(&pinned.document, &Document::new()))), Overrides::new()).unwrap();
        prop_assert_eq!(after.document, before.document);
    }

    #[test]
    fn what_is_no_setting_is_kept_by_every_change(extra in newer(), body in changes()) {
        let document = with_extras(stored(&Document::new()), &extra);
        let running = Config::compose(Some(version(document.clone())), Overrides::new()).unwrap();
        prop_assert_eq!(extras(&running.document), Document::new());
        for mode in [ChangeMode::Patch, ChangeMode::Replace] {
            let changed = decided(&running, mode, body.clone()).config;
            prop_assert_eq!(extras(&changed.stored.clone().unwrap().document), extra.clone());
            let back = decided(&changed, ChangeMode::Restore, document.clone()).config;
            prop_assert_eq!(extras(&back.stored.unwrap().document), extra.clone());
        }
    }

    #[test]
    fn a_version_that_is_put_back_is_as_it_was(first in changes(), second in changes()) {
        let start = Config::compose(None, Overrides::new()).unwrap();
        let first = decided(&start, ChangeMode::Patch, first).config;
        let second = decided(&first, ChangeMode::Patch, second).config;
        let earlier = first.stored.clone().unwrap().document;
        let back = decided(&second, ChangeMode::Restore, earlier.clone()).config;
        prop_assert_eq!(&back.stored.clone().unwrap().document, &earlier);
        prop_assert_eq!(back.document, first.document);
    }
}

#[test]
fn a_stored_value_that_does_not_fit_is_named_by_its_setting_and_shown_unless_it_may_be_secret() {
    for (stored, expected) in [
        (
            json!({ "EmailSettings": { "SMTPPassword": 987_654_321, "SMTPServer": ["shown"] } }),
            "EmailSettings.SMTPPassword must be a string, found a whole number\n\
             EmailSettings.SMTPServer must be a string, found a list: [\"shown\"]",
        ),
        (json!({ "EmailSettings": "canary" }), "EmailSettings must be a section, found a string"),
        (
            json!({ "TeamSettings": { "MaxUsersPerTeam": "many" } }),
            "TeamSettings.MaxUsersPerTeam must be a whole number, found a string: \"many\"",
        ),
    ] {
        let stored = version(stored.as_object().unwrap().clone());
        let refused = Config::compose(Some(stored), Overrides::new()).unwrap_err().to_string();
        let (mut told, mut wanted): (Vec<&str>, Vec<&str>) = (refused.lines().collect(), expected.lines().collect());
        told.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
    }
    let foreign: serde_json::Error = serde_json::from_str::<u64>("-987654321").unwrap_err();
    let text = wrong_types(&defaults(), &foreign);
    assert!(text.starts_with("invalid value, expected u64"), "{text}");
}
