use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::json;

use super::super::arbitrary::{documents, settings_of};
use super::*;

const REPLICAS: &str = "SqlSettings.DataSourceReplicas";
const LAGS: &str = "SqlSettings.ReplicaLagSettings";

fn with(path: &str, value: Value) -> Document {
    settings_of(Document::new(), [(path, value)])
}

/// Returns the restored list, or the pointers of the uncertain elements.
fn put_back(path: &str, submitted: Value, stored: Value) -> Result<Value, Vec<String>> {
    let restored = restored(&with(path, submitted), &with(path, stored));
    assert_eq!(restored.unset, Vec::<String>::new());
    let value = path.split('.').fold(Value::Object(restored.document), |value, key| value[key].clone());
    if restored.ambiguous.is_empty() { Ok(value) } else { Err(restored.ambiguous) }
}

fn lag(source: &str, query: &str) -> Value {
    json!({ "DataSource": source, "QueryTimeLag": query })
}

#[test]
fn a_list_of_the_same_length_is_restored_by_position() {
    let stored = || json!(["one", "two"]);
    assert_eq!(put_back(REPLICAS, json!([PLACEHOLDER, PLACEHOLDER]), stored()), Ok(stored()));
    assert_eq!(put_back(REPLICAS, json!([PLACEHOLDER, "new"]), stored()), Ok(json!(["one", "new"])));
    assert_eq!(put_back(REPLICAS, json!(["new", PLACEHOLDER]), stored()), Ok(json!(["new", "two"])));
}

#[test]
fn a_list_that_keeps_all_its_secrets_may_grow() {
    let submitted = json!([PLACEHOLDER, "new", PLACEHOLDER, "newer"]);
    let grown = json!(["one", "new", "two", "newer"]);
    assert_eq!(put_back(REPLICAS, submitted, json!(["one", "two"])), Ok(grown));
}

#[test]
fn a_list_that_lost_one_of_its_secrets_is_uncertain() {
    let stored = || json!(["one", "two", "three"]);
    let pointers = |positions: &[usize]| -> Vec<String> {
        positions.iter().map(|position| format!("/SqlSettings/DataSourceReplicas/{position}")).collect()
    };
    assert_eq!(put_back(REPLICAS, json!([PLACEHOLDER]), stored()), Err(pointers(&[0])));
    assert_eq!(put_back(REPLICAS, json!(["new", PLACEHOLDER]), stored()), Err(pointers(&[1])));
    let longer = json!([PLACEHOLDER, PLACEHOLDER, "new", "newer"]);
    assert_eq!(put_back(REPLICAS, longer, stored()), Err(pointers(&[0, 1])));
    assert_eq!(put_back(REPLICAS, json!(["new"]), stored()), Ok(json!(["new"])), "nothing is asked for");
}

#[test]
fn an_element_is_known_by_what_readers_see_of_it() {
    let stored = || json!([lag("one", "select 1"), lag("two", "select 2")]);
    let hidden = |query| lag(PLACEHOLDER, query);
    let gone = put_back(LAGS, json!([hidden("select 2")]), stored());
    assert_eq!(gone, Ok(json!([lag("two", "select 2")])));
    let turned = put_back(LAGS, json!([hidden("select 2"), hidden("select 1")]), stored());
    assert_eq!(turned, Ok(json!([lag("two", "select 2"), lag("one", "select 1")])));
    let edited = put_back(LAGS, json!([hidden("select 1"), hidden("select 9")]), stored());
    assert_eq!(edited, Ok(json!([lag("one", "select 1"), lag("two", "select 9")])));
}

#[test]
fn an_element_that_was_changed_and_moved_is_uncertain() {
    let stored = || json!([lag("one", "select 1"), lag("two", "select 2")]);
    let hidden = |query| lag(PLACEHOLDER, query);
    let uncertain = Err(vec![format!("/SqlSettings/ReplicaLagSettings/1")]);
    assert_eq!(put_back(LAGS, json!([hidden("select 2"), hidden("select 9")]), stored()), uncertain);
    assert_eq!(put_back(LAGS, json!([hidden("select 1"), hidden("select 9"), lag("new", "")]), stored()), uncertain);
}

#[test]
fn a_placeholder_without_anything_stored_leaves_the_setting_unset() {
    let submitted = settings_of(
        Document::new(),
        [
            ("TeamSettings.SiteName", json!(PLACEHOLDER)),
            ("PluginSettings.Plugins", json!({"new": {"Secret": PLACEHOLDER}})),
            (REPLICAS, json!([PLACEHOLDER])),
        ],
    );
    let restored = restored(&submitted, &Document::new());
    let expected = json!({
        "TeamSettings": {}, "PluginSettings": {"Plugins": {"new": {}}}, "SqlSettings": {"DataSourceReplicas": []},
    });
    assert_eq!(Value::Object(restored.document), expected);
    let paths = ["PluginSettings.Plugins.new.Secret", "SqlSettings.DataSourceReplicas[0]", "TeamSettings.SiteName"];
    assert_eq!(restored.unset, paths);
    assert_eq!(restored.ambiguous, Vec::<String>::new());
}

#[test]
fn a_placeholder_that_was_stored_is_no_secret() {
    let stale = with("EmailSettings.SMTPPassword", json!(PLACEHOLDER));
    let restored = restored(&stale, &stale);
    assert_eq!(Value::Object(restored.document), json!({"EmailSettings": {}}));
    assert_eq!(restored.unset, ["EmailSettings.SMTPPassword"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn submitting_what_was_read_changes_nothing(document in documents()) {
        let restored = restored(&masked(&document), &document);
        prop_assert_eq!(restored.document, document);
        prop_assert_eq!((restored.unset, restored.ambiguous), (Vec::new(), Vec::new()));
    }

    #[test]
    fn no_element_ever_gets_the_secret_of_another(
        hosts in subsequence(vec![0, 1, 2, 3], 0..=4).prop_shuffle(),
        news in 0_usize..3,
        edited in 0_usize..6,
    ) {
        let host = |number: usize, secret: &str| json!({ "Host": number, "Password": secret });
        let stored: Vec<Value> = (0..4).map(|number| host(number, &format!("secret {number}"))).collect();
        let known = hosts.iter().map(|number| host(*number, PLACEHOLDER));
        let mut submitted: Vec<Value> = known.chain((0..news).map(|number| host(10 + number, "own"))).collect();
        if let Some(element) = submitted.get_mut(edited) {
            element["Port"] = json!(1);
        }
        let plugin = |hosts: Vec<Value>| with("PluginSettings.Plugins", json!({ "one": { "Hosts": hosts } }));
        let restored = restored(&plugin(submitted), &plugin(stored));
        let back = restored.document["PluginSettings"]["Plugins"]["one"]["Hosts"].clone();
        for element in back.as_array().unwrap() {
            let number = element["Host"].as_u64().unwrap();
            let own = if number < 10 { format!("secret {number}") } else { "own".to_owned() };
            prop_assert_eq!(&element["Password"], &json!(own));
        }
    }
}
