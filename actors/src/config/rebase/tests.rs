use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::super::arbitrary::{documents, settings_of};
use super::super::overrides::Overrides;
use super::super::proposal::{ChangeMode, Decision, decide};
use super::super::secrets::PLACEHOLDER;
use super::super::testing::named;
use super::super::{Override, Stored};
use super::*;

const NAME: &str = "TeamSettings.SiteName";
const LIMIT: &str = "TeamSettings.MaxUsersPerTeam";
const PASSWORD: &str = "EmailSettings.SMTPPassword";
const SCHEMES: &str = "DisplaySettings.CustomURLSchemes";
const REPLICAS: &str = "SqlSettings.DataSourceReplicas";
const PLUGINS: &str = "PluginSettings.Plugins";
const STATES: &str = "PluginSettings.PluginStates";
const CUSTOMER: &str = "MessageExportSettings.GlobalRelaySettings.CustomerType";

/// Makes the configuration of a stored version with these settings.
fn version(values: &[(&str, Value)]) -> Config {
    pinned_version(values, Overrides::new())
}

fn pinned_version(values: &[(&str, Value)], overrides: Overrides) -> Config {
    let document = settings_of(Document::new(), values.iter().map(|(path, value)| (*path, value.clone())));
    Config::compose(Some(Stored::new("id".to_owned(), document)), overrides).unwrap()
}

fn replacing(body: Document) -> Proposal {
    let all = Proposal::unlimited(ChangeMode::Replace, body);
    Proposal { is_local: false, ..all }
}

/// Decides on the document that a reader of `base` got, after these changes by the reader.
fn decided(base: &Config, running: &Config, changes: &[(&str, Value)]) -> Result<Decision, AppError> {
    let body = settings_of(base.masked(), changes.iter().map(|(path, value)| (*path, value.clone())));
    decide(running, &rebased(&replacing(body), base, running)?.proposal, &named("").context)
}

/// Returns the values of these settings after the decision.
fn values<const PATHS: usize>(decision: &Decision, paths: [&str; PATHS]) -> [Value; PATHS] {
    paths.map(|path| given(&decision.config.document, path).cloned().unwrap_or_default())
}

fn changed(decision: &Decision) -> Vec<&str> {
    decision.changes.iter().map(|change| change.path.as_str()).collect()
}

#[test]
fn changes_of_different_settings_are_both_kept_and_of_the_same_one_the_later_document_wins() {
    let base = version(&[(NAME, json!("one")), (LIMIT, json!(5))]);
    let running = version(&[(NAME, json!("two")), (LIMIT, json!(5))]);
    let other = decided(&base, &running, &[(LIMIT, json!(6))]).unwrap();
    assert_eq!(values(&other, [NAME, LIMIT]), [json!("two"), json!(6)]);
    assert_eq!(changed(&other), [LIMIT]);
    let same = decided(&base, &running, &[(NAME, json!("three"))]).unwrap();
    assert_eq!(values(&same, [NAME]), [json!("three")]);
    assert!(decided(&base, &running, &[]).unwrap().changes.is_empty(), "nothing is reverted");
    assert!(decided(&base, &running, &[(NAME, json!("two"))]).unwrap().changes.is_empty(), "both made one change");
}

#[test]
fn a_setting_that_is_left_out_becomes_its_default_only_if_it_was_another_one() {
    let base = version(&[(NAME, json!("one"))]);
    let running = version(&[(NAME, json!("two")), (LIMIT, json!(7)), (PASSWORD, json!("new"))]);
    let body = settings_of(Document::new(), [("TeamSettings.CustomBrandText", json!("text"))]);
    let rebased = rebased(&replacing(body), &base, &running).unwrap();
    let decision = decide(&running, &rebased.proposal, &named("").context).unwrap();
    // The name was not the default, and the limit was.
    assert_eq!(values(&decision, [NAME, LIMIT, PASSWORD]), [json!("Mattermost"), json!(7), json!("new")]);
}

#[test]
fn a_placeholder_keeps_the_secret_of_another_change_and_a_text_replaces_it() {
    let base = version(&[(PASSWORD, json!("old"))]);
    let running = version(&[(PASSWORD, json!("new"))]);
    let kept = decided(&base, &running, &[(NAME, json!("one"))]).unwrap();
    assert_eq!(values(&kept, [PASSWORD, NAME]), [json!("new"), json!("one")]);
    // The author entered a text, also if it is the earlier one.
    for entered in ["old", "other"] {
        let decision = decided(&base, &running, &[(PASSWORD, json!(entered))]).unwrap();
        assert_eq!(values(&decision, [PASSWORD]), [json!(entered)]);
    }
    let first = decided(&version(&[]), &running, &[(NAME, json!("one"))]).unwrap();
    assert_eq!(values(&first, [PASSWORD]), [json!("new")], "there was none before");
}

#[test]
fn the_settings_that_keep_the_value_of_another_change_are_told_to_those_who_read_them() {
    let base = version(&[(NAME, json!("one")), (LIMIT, json!(5)), (SCHEMES, json!([])), (STATES, json!({ "a": {} }))]);
    let running = version(&[(NAME, json!("two")), (LIMIT, json!(6)), (STATES, json!({ "a": { "Enable": true } }))]);
    let body = || settings_of(base.masked(), [(LIMIT, json!(7)), (SCHEMES, json!(["git"]))]);
    let told = rebased(&replacing(body()), &base, &running).unwrap().merged;
    assert_eq!(told, [STATES, NAME]);
    let unread = Proposal { may_read: Arc::new(|setting| setting.path != NAME), ..replacing(body()) };
    assert_eq!(rebased(&unread, &base, &running).unwrap().merged, [STATES]);
}

#[test]
fn a_list_is_one_setting() {
    let base = version(&[(SCHEMES, json!(["git"])), (REPLICAS, json!(["a"]))]);
    let running = version(&[(SCHEMES, json!(["git", "svn"])), (REPLICAS, json!(["b", "c"]))]);
    let kept = decided(&base, &running, &[]).unwrap();
    assert!(kept.changes.is_empty());
    let wins = decided(&base, &running, &[(SCHEMES, json!(["hg"])), (REPLICAS, json!(["d"]))]).unwrap();
    assert_eq!(values(&wins, [SCHEMES, REPLICAS]), [json!(["hg"]), json!(["d"])]);
}

#[test]
fn a_placeholder_in_a_list_that_both_changed_is_refused() {
    let base = version(&[(REPLICAS, json!(["a"]))]);
    let running = version(&[(REPLICAS, json!(["b", "c"]))]);
    // By its position, the placeholder would mean the first element of the other change.
    let refused = decided(&base, &running, &[(REPLICAS, json!([PLACEHOLDER, "d"]))]).unwrap_err();
    assert_eq!(refused.id, "api.config.ambiguous_secret.app_error");
    assert_eq!(refused.failures[0].pointer, "/SqlSettings/DataSourceReplicas/0");
    let unchanged = version(&[(REPLICAS, json!(["a"])), (NAME, json!("two"))]);
    let added = decided(&base, &unchanged, &[(REPLICAS, json!([PLACEHOLDER, "d"]))]).unwrap();
    assert_eq!(values(&added, [REPLICAS, NAME]), [json!(["a", "d"]), json!("two")]);
}

fn plugins(value: Value) -> Config {
    version(&[(PLUGINS, value)])
}

#[test]
fn plugins_and_their_keys_are_merged_one_by_one() {
    let base = plugins(json!({ "one": { "Name": "a", "Token": "t", "Old": 1 }, "two": { "Name": "a" }, "gone": {} }));
    let running = plugins(json!({
        "one": { "Name": "b", "Token": "u" }, "two": { "Name": "a" }, "new": { "Name": "n" },
    }));
    let kept = decided(&base, &running, &[]).unwrap();
    assert!(kept.changes.is_empty(), "{:?}", changed(&kept));
    let submitted = |one: Value| json!({ "one": one, "two": { "Name": "c" }, "gone": {} });
    let as_shown = submitted(json!({ "Name": "a", "Token": PLACEHOLDER, "Old": 1 }));
    let merged = decided(&base, &running, &[(PLUGINS, as_shown)]).unwrap();
    let expected = json!({
        "one": { "Name": "b", "Token": "u" }, "two": { "Name": "c" }, "new": { "Name": "n" },
    });
    assert_eq!(values(&merged, [PLUGINS]), [expected]);
    // A token could go to an address that its author never chose.
    let changed = submitted(json!({ "Name": "a", "Token": "of the author", "Old": 1 }));
    assert_eq!(decided(&base, &running, &[(PLUGINS, changed)]).unwrap_err().id, CONFLICT);
}

#[test]
fn a_secret_and_the_host_that_it_is_sent_to_are_not_changed_by_two_authors() {
    const HOST: &str = "EmailSettings.SMTPServer";
    const SECRET: &str = "EmailSettings.SMTPPassword";
    let base = version(&[(HOST, json!("mail.corp")), (SECRET, json!("old"))]);
    let elsewhere = version(&[(HOST, json!("elsewhere")), (SECRET, json!("dummy"))]);
    let refused = decided(&base, &elsewhere, &[(SECRET, json!("typed for mail.corp"))]).unwrap_err();
    assert_eq!(refused.id, CONFLICT);
    let renewed = version(&[(HOST, json!("mail.corp")), (SECRET, json!("new"))]);
    let refused = decided(&base, &renewed, &[(HOST, json!("elsewhere"))]).unwrap_err();
    assert_eq!(refused.id, CONFLICT, "the new secret was not typed for that host");
    // Changes of other settings are merged, and the same change of both is none.
    let named = version(&[(HOST, json!("mail.corp")), (SECRET, json!("old")), (NAME, json!("two"))]);
    let merged = decided(&base, &named, &[(SECRET, json!("typed"))]).unwrap();
    assert_eq!(values(&merged, [HOST, SECRET, NAME]), [json!("mail.corp"), json!("typed"), json!("two")]);
}

#[test]
fn what_is_refused_tells_no_secret() {
    const HOST: &str = "EmailSettings.SMTPServer";
    let base = version(&[(HOST, json!("mail.corp")), (PASSWORD, json!("stored"))]);
    let elsewhere = version(&[(HOST, json!("elsewhere")), (PASSWORD, json!("stored"))]);
    let sent = |may_write: bool, secret: &str| {
        let changes = [(PASSWORD, json!(secret)), (NAME, json!("two"))];
        let proposal = replacing(settings_of(base.masked(), changes));
        let proposal = Proposal { may_write: Arc::new(move |setting| may_write || setting.path == NAME), ..proposal };
        rebased(&proposal, &base, &elsewhere).map(|rebased| rebased.merged).map_err(|refusal| refusal.id)
    };
    for secret in ["stored", "guessed"] {
        assert_eq!(sent(true, secret).unwrap_err(), CONFLICT, "a text is a change, whatever it says");
        assert_eq!(sent(false, secret), sent(false, PLACEHOLDER), "who may not write it changes nothing");
    }
    assert!(sent(false, "guessed").is_ok());
}

#[test]
fn a_plugin_that_one_side_removed_and_the_other_changed_is_as_the_document_says() {
    let base = plugins(json!({ "one": { "Name": "a" }, "two": { "Name": "a" } }));
    let running = plugins(json!({ "one": { "Name": "b" } }));
    let submitted = json!({ "one": null, "two": { "Name": "c" }, "never": null });
    let merged = decided(&base, &running, &[(PLUGINS, submitted)]).unwrap();
    assert_eq!(values(&merged, [PLUGINS]), [json!({ "two": { "Name": "c" } })]);
    let added_meanwhile = plugins(json!({ "one": { "Name": "a" }, "two": { "Name": "a" }, "never": {} }));
    let merged = decided(&base, &added_meanwhile, &[(PLUGINS, json!({ "never": null }))]).unwrap();
    assert_eq!(values(&merged, [PLUGINS])[0]["never"], json!({}), "the author had not seen it");
}

#[test]
fn a_placeholder_in_a_list_of_a_plugin_that_both_changed_is_refused() {
    let hosts = |hosts: Value| json!({ "one": { "Hosts": hosts } });
    let base = plugins(hosts(json!([{ "Token": "a" }])));
    let running = plugins(hosts(json!([{ "Token": "b" }, { "Token": "c" }])));
    let submitted = hosts(json!([{ "Token": PLACEHOLDER }, { "Token": "d" }]));
    assert_eq!(decided(&base, &running, &[(PLUGINS, submitted)]).unwrap_err().id, CONFLICT);
}

#[test]
fn the_states_of_plugins_are_merged_one_by_one() {
    let states = |states: Value| version(&[(STATES, states)]);
    let base = states(json!({ "one": { "Enable": true }, "two": { "Enable": true } }));
    let running = states(json!({ "one": { "Enable": false }, "two": { "Enable": true } }));
    let mut submitted = base.masked()["PluginSettings"]["PluginStates"].clone();
    submitted["two"] = json!({ "Enable": false });
    let merged = decided(&base, &running, &[(STATES, submitted)]).unwrap();
    let [states] = values(&merged, [STATES]);
    assert_eq!((&states["one"]["Enable"], &states["two"]["Enable"]), (&json!(false), &json!(false)));
}

#[test]
fn a_section_that_is_null_keeps_what_another_change_put_into_it() {
    let base = version(&[]);
    let running = version(&[(CUSTOMER, json!("A10"))]);
    let decision = decided(&base, &running, &[("MessageExportSettings.GlobalRelaySettings", Value::Null)]).unwrap();
    assert_eq!(values(&decision, [CUSTOMER]), [json!("A10")]);
}

#[test]
fn unknown_keys_of_the_active_version_stay() {
    let base = version(&[("TeamSettings.Newer", json!(1))]);
    let running = version(&[("TeamSettings.Newer", json!(2)), ("NewerSettings.Key", json!(3))]);
    let decision = decided(&base, &running, &[(NAME, json!("one"))]).unwrap();
    let stored = decision.config.stored.unwrap().document;
    assert_eq!((&stored["TeamSettings"]["Newer"], &stored["NewerSettings"]["Key"]), (&json!(2), &json!(3)));
}

#[test]
fn a_pinned_setting_stays_pinned() {
    let pin = Override { value: json!("pinned"), place: "file:1".to_owned() };
    let overrides: Overrides = [(NAME.to_owned(), pin)].into_iter().collect();
    let base = pinned_version(&[(LIMIT, json!(5))], overrides.clone());
    let running = pinned_version(&[(LIMIT, json!(6))], overrides);
    let kept = decided(&base, &running, &[]).unwrap();
    assert!(kept.changes.is_empty() && kept.ineffective.is_empty());
    let tried = decided(&base, &running, &[(NAME, json!("other"))]).unwrap();
    assert_eq!(tried.ineffective.len(), 1);
}

/// Decides for a caller who may write the limit, and reads `reads` too.
fn delegated(base: &Config, running: &Config, body: Document, reads: &'static [&str]) -> Decision {
    let proposal = Proposal {
        may_write: Arc::new(|setting| setting.path == LIMIT),
        may_read: Arc::new(move |setting| setting.path == LIMIT || reads.contains(&setting.path.as_str())),
        may_keep_secrets: false,
        ..replacing(body)
    };
    decide(running, &rebased(&proposal, base, running).unwrap().proposal, &named("").context).unwrap()
}

#[test]
fn a_delegate_changes_only_permitted_settings_and_is_told_of_no_other_change() {
    let base = version(&[(NAME, json!("one")), (LIMIT, json!(5))]);
    let running = version(&[(NAME, json!("two")), (LIMIT, json!(5))]);
    let body = |name: &str| settings_of(Document::new(), [(NAME, json!(name)), (LIMIT, json!(6))]);
    let decision = delegated(&base, &running, body("one"), &[NAME]);
    assert_eq!(values(&decision, [NAME, LIMIT]), [json!("two"), json!(6)]);
    assert!(decision.ineffective.is_empty(), "the name was sent as it was read");
    let decision = delegated(&base, &running, body("three"), &[NAME]);
    assert_eq!(decision.ineffective[0].path, NAME);
    // A caller who may not read the name learns nothing from the answer about the earlier value.
    for guess in ["one", "two", "three"] {
        let decision = delegated(&base, &running, body(guess), &[]);
        assert_eq!(decision.ineffective.len(), 1, "{guess}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_document_that_is_sent_as_it_was_read_changes_nothing(base in documents(), running in documents()) {
        let compose = |document: Document| Config::compose(Some(Stored::new("id".to_owned(), document)), Overrides::new());
        let (Ok(base), Ok(running)) = (compose(base), compose(running)) else { return Ok(()) };
        let Ok(merged) = rebased(&replacing(base.masked()), &base, &running) else {
            return Err(TestCaseError::fail("refused"));
        };
        let restored = restored(&without_extras(&merged.proposal.body), &running.document);
        prop_assert!(restored.ambiguous.is_empty());
        let after = replaced(&running.document, &restored.document, &|_| true);
        for setting in placed().filter(|setting| setting.kind != Kind::Object) {
            prop_assert_eq!(given(&after, &setting.path), given(&running.document, &setting.path), "{}", setting.path);
        }
    }

    #[test]
    fn a_document_of_the_active_version_stays_as_it_is(running in documents(), body in documents()) {
        let compose = |document: Document| Config::compose(Some(Stored::new("id".to_owned(), document)), Overrides::new());
        let Ok(running) = compose(running) else { return Ok(()) };
        let merged = rebased(&replacing(body.clone()), &running, &running).unwrap();
        prop_assert_eq!(merged.proposal.body, body);
        prop_assert!(merged.merged.is_empty());
    }
}
