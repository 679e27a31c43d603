use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::json;

use super::super::arbitrary::{patches, settings_of};
use super::super::proposal::{Decision, Manner, Proposal, Surroundings, decide};
use super::super::table::placed;
use super::*;

/// The sections that the server itself reads as numbers; any number would not do there.
const TYPED: [&str; 6] =
    ["ServiceSettings", "SqlSettings", "LogSettings", "PasswordSettings", "RateLimitSettings", "FileSettings"];

/// Switches that no rule looks at.
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

/// What a server stores that has nothing pinned.
fn stored(patch: &Document) -> Document {
    let document = patched(&defaults(Mode::Update), patch, &|_| true);
    let bare = Config::compose(Some(version(document)), Overrides::new()).unwrap();
    bare.storable(&bare.document, &Document::new())
}

fn version(document: Document) -> Stored {
    Stored { id: "version".to_owned(), document }
}

/// The settings that a patch names, as pinned values.
fn pinned(patch: &Document) -> Overrides {
    let leaves = placed().filter(|setting| setting.kind != Kind::Object);
    let values = leaves.filter_map(|setting| Some((setting.path.clone(), given(patch, &setting.path)?.clone())));
    values.map(|(path, value)| (path, Override { value, place: String::new() })).collect()
}

/// A change that every rule admits.
fn changes() -> impl Strategy<Value = Document> {
    let some = subsequence(SWITCHES.to_vec(), 0..=SWITCHES.len());
    (some, any::<bool>(), select(vec!["one", "two", "three"])).prop_map(|(paths, is_on, name)| {
        let switched = paths.into_iter().map(|path| (path, Value::from(is_on)));
        settings_of(Document::new(), switched.chain([("TeamSettings.SiteName", json!(name))]))
    })
}

/// Keys that no setting has, in places where settings are.
fn newer() -> impl Strategy<Value = Document> {
    let places =
        ["Newer", "NewerSettings.Token", "TeamSettings.Newer", "MessageExportSettings.GlobalRelaySettings.Newer"];
    let values = select(vec![Value::Null, json!(""), json!(0), json!(["a"]), json!({}), json!({ "Enable": true })]);
    let values = proptest::collection::vec(values, places.len());
    (subsequence(places.to_vec(), 0..=places.len()), values)
        .prop_map(|(places, values)| settings_of(Document::new(), places.into_iter().zip(values)))
}

fn decided(running: &Config, manner: Manner, body: Document) -> Decision {
    let around = Surroundings {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        fingerprint: Arc::new(|_, value| value.to_string()),
    };
    decide(running, &Proposal { manner, body, may_write: Arc::new(|_| true), is_local: false }, &around).unwrap()
}

/// Without the locales: those that are offered always hold the default one, pinned or not.
fn without_locales(mut document: Document) -> Document {
    document.remove("LocalizationSettings");
    free(document)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_pinned_leaves_no_trace_in_what_is_stored(patch in patches(), overrides in patches()) {
        let stored = stored(&free(patch));
        let config = Config::compose(Some(version(stored.clone())), pinned(&without_locales(overrides))).unwrap();
        prop_assert_eq!(config.storable(&config.document, &Document::new()), stored);
    }

    #[test]
    fn what_is_no_longer_pinned_is_as_it_was(patch in patches(), overrides in patches()) {
        let stored = stored(&free(patch));
        let before = Config::compose(Some(version(stored.clone())), Overrides::new()).unwrap();
        let pinned = Config::compose(Some(version(stored)), pinned(&without_locales(overrides))).unwrap();
        let after = Config::compose(Some(version(pinned.storable(&pinned.document, &Document::new()))), Overrides::new()).unwrap();
        prop_assert_eq!(after.document, before.document);
    }

    #[test]
    fn what_is_no_setting_is_kept_by_every_change(extra in newer(), body in changes()) {
        let document = with_extras(stored(&Document::new()), &extra);
        let running = Config::compose(Some(version(document.clone())), Overrides::new()).unwrap();
        prop_assert_eq!(extras(&running.document), Document::new());
        for manner in [Manner::Patch, Manner::Replace] {
            let changed = decided(&running, manner, body.clone()).config;
            prop_assert_eq!(extras(&changed.stored.clone().unwrap().document), extra.clone());
            let back = decided(&changed, Manner::Restore, document.clone()).config;
            prop_assert_eq!(extras(&back.stored.unwrap().document), extra.clone());
        }
    }

    #[test]
    fn a_version_that_is_put_back_is_as_it_was(first in changes(), second in changes()) {
        let start = Config::compose(None, Overrides::new()).unwrap();
        let first = decided(&start, Manner::Patch, first).config;
        let second = decided(&first, Manner::Patch, second).config;
        let earlier = first.stored.clone().unwrap().document;
        let back = decided(&second, Manner::Restore, earlier.clone()).config;
        prop_assert_eq!(&back.stored.clone().unwrap().document, &earlier);
        prop_assert_eq!(back.document, first.document);
    }
}
