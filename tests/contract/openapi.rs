//! Compares the server's description of the API with the contract of the system area.
//!
//! `contract.yaml` is the published contract; `differences.tsv` lists each difference with its reason.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{LocalServer, TestServer};

const CONTRACT: &str = include_str!("openapi/contract.yaml");
const DIFFERENCES: &str = include_str!("openapi/differences.tsv");

/// Statuses that are possible for every request. The contract does not list them, or not everywhere.
const ANYWHERE: [&str; 10] = ["400", "401", "403", "408", "413", "414", "429", "431", "500", "503"];

/// The text that a test of an operation contains, for tests that do not call the client directly.
const CALLED_OTHERWISE: [(&str, &str); 5] = [
    ("ConnectWebSocket", "WebSocket::"),
    ("UploadLicenseFile", "/license\""),
    ("RequestTrialLicense", "/trial-license"),
    ("GenerateSupportPacket", "/system/support_packet"),
    ("ManualTest", "/manualtest"),
];

fn contract() -> Value {
    yaml_serde::from_str(CONTRACT).unwrap()
}

async fn ours() -> Value {
    TestServer::start().await.client().get("/openapi.json").await.expect(200)
}

/// Returns every operation with its path and its method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, said)| (path.as_str(), method.as_str(), said))
    });
    all.collect()
}

/// Returns the claims of a document about an operation, each as a word of the list of differences.
fn claims(document: &Value, operation: &Value) -> BTreeSet<String> {
    let mut claims = BTreeSet::new();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let (place, name) = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
        claims.insert(format!("{place} {name}"));
        if parameter["required"] == true {
            claims.insert(format!("{place} {name} is required"));
        }
    }
    if !operation["requestBody"].is_null() {
        claims.insert("body".to_owned());
        claims.extend(media(&operation["requestBody"]).map(|media| format!("body {media}")));
    }
    for (status, answer) in operation["responses"].as_object().unwrap() {
        claims.insert(format!("status {status}"));
        let named = answer["$ref"].as_str().map(|name| document.pointer(name.trim_start_matches('#')).unwrap());
        claims.extend(media(named.unwrap_or(answer)).map(|media| format!("media {status} {media}")));
    }
    claims
}

fn media(answer: &Value) -> impl Iterator<Item = &String> {
    answer["content"].as_object().into_iter().flat_map(|content| content.keys())
}

/// Returns true if the list says that the server does not have the operation.
fn is_missing(id: &str) -> bool {
    DIFFERENCES.lines().any(|row| row.starts_with(&format!("{id}\tcontract\toperation\t")))
}

/// Returns true if a claim carries no information.
fn is_general(claim: &str) -> bool {
    let mut words = claim.split(' ');
    match words.next() {
        Some("status" | "media") => words.next().is_some_and(|status| ANYWHERE.contains(&status)),
        _ => false,
    }
}

/// Returns true if the contract does not define the content of this response.
fn is_unsaid(claim: &str, wanted: &BTreeSet<String>) -> bool {
    let status = claim.strip_prefix("media ").and_then(|rest| rest.split(' ').next());
    status.is_some_and(|status| !wanted.iter().any(|known| known.starts_with(&format!("media {status} "))))
}

#[actix_web::test]
async fn the_document_and_the_contract_differ_only_where_it_is_stated_why() {
    let (contract, ours) = (contract(), ours().await);
    let mut found = BTreeSet::new();
    for (path, method, theirs) in operations(&contract) {
        let id = theirs["operationId"].as_str().unwrap();
        let own = &ours["paths"][path][method];
        if own.is_null() {
            found.insert(format!("{id}\tcontract\toperation"));
            continue;
        }
        assert_eq!(own["operationId"], theirs["operationId"], "{method} {path}");
        let (wanted, given) = (claims(&contract, theirs), claims(&ours, own));
        // The content of a response or a body is compared if both define it.
        let both: BTreeSet<&str> = wanted.intersection(&given).map(String::as_str).collect();
        let is_comparable = |claim: &String| match claim.split(' ').collect::<Vec<_>>()[..] {
            ["media", status, _] => both.contains(format!("status {status}").as_str()),
            ["body", _] => both.contains("body"),
            _ => true,
        };
        let missing = wanted.difference(&given).filter(|claim| is_comparable(claim));
        found.extend(missing.map(|claim| format!("{id}\tcontract\t{claim}")));
        let more = given.difference(&wanted).filter(|claim| is_comparable(claim) && !is_general(claim));
        found.extend(more.filter(|claim| !is_unsaid(claim, &wanted)).map(|claim| format!("{id}\tours\t{claim}")));
    }
    let rows = DIFFERENCES.lines().skip(1);
    let stated: BTreeSet<String> = rows
        .map(|row| {
            let (what, reason) = row.rsplit_once('\t').unwrap();
            assert!(reason.len() > 9, "{row}: why?");
            what.to_owned()
        })
        .collect();
    let unstated: Vec<_> = found.difference(&stated).collect();
    let untrue: Vec<_> = stated.difference(&found).collect();
    assert!(unstated.is_empty() && untrue.is_empty(), "not stated: {unstated:#?}\nnot so: {untrue:#?}");
}

#[actix_web::test]
async fn every_operation_of_the_contract_is_served() {
    let contract = contract();
    let all = operations(&contract);
    assert_eq!(all.len(), 50);
    let server = LocalServer::start_with("EnableTesting = true\n").await;
    let admin = server.server.admin().await;
    for (path, method, said) in all {
        let path = path.replace("{team_id}", &"a".repeat(26));
        let method: Method = method.to_uppercase().parse().unwrap();
        let is_local = ["CheckIntegrity", "MigrateConfig"].iter().any(|id| said["operationId"] == *id);
        let client = if is_local { &server.local } else { &admin };
        // Two slashes mean the root of the site.
        let path = path.strip_prefix("/api/v4").map_or_else(|| format!("/{path}"), str::to_owned);
        let reply = client.send(method, &path, Some("{}".to_owned()), &[]).await;
        let is_unknown = reply.status == 404 && reply.text().contains("api.context.404.app_error");
        let id = said["operationId"].as_str().unwrap();
        assert_eq!(is_unknown, is_missing(id), "{id}: {}", reply.text());
    }
}

#[test]
fn every_operation_of_the_contract_has_contract_tests() {
    let sources = sources();
    for (path, method, said) in operations(&contract()) {
        let id = said["operationId"].as_str().unwrap();
        if is_missing(id) {
            continue;
        }
        let path = path.trim_start_matches("/api/v4").split('{').next().unwrap().trim_end_matches('/');
        let otherwise = CALLED_OTHERWISE.iter().find(|(known, _)| *known == id);
        let is_tested = match otherwise {
            Some((_, text)) => sources.iter().any(|source| source.contains(text)),
            None => sources.iter().any(|source| calls(source, method, path)),
        };
        assert!(is_tested, "{id}: nothing under tests/ calls {method} {path}");
    }
}

/// Returns true if a test calls this path with this method: as a text, or by a constant with the path.
fn calls(source: &str, method: &str, path: &str) -> bool {
    let uppercase = method.to_uppercase();
    let names = source.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("const ")?.split_once(": &str = \"")?;
        let is_it = value.trim_end_matches("\";").trim_start_matches("/api/v4") == path;
        is_it.then_some(name)
    });
    let mut forms = vec![
        format!(".{method}(\"{path}"),
        format!(".{method}(&format!(\"{path}"),
        format!("Method::{uppercase}, \"{path}"),
        format!("{uppercase} /api/v4{path}"),
    ];
    for name in names {
        forms.push(format!(".{method}({name}"));
        forms.push(format!(".{method}(&format!(\"{{{name}}}"));
        forms.push(format!("Method::{uppercase}, {name}"));
    }
    forms.iter().any(|form| source.contains(form))
}

fn sources() -> Vec<String> {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("contract/openapi.rs") {
                sources.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

#[actix_web::test]
async fn every_schema_and_answer_that_is_named_is_there() {
    let ours = ours().await;
    let text = ours.to_string();
    for named in text.split("\"$ref\":\"#").skip(1) {
        let pointer = named.split('"').next().unwrap();
        assert!(ours.pointer(pointer).is_some(), "{pointer}");
    }
    let ids: Vec<_> = operations(&ours).into_iter().map(|(.., said)| said["operationId"].to_string()).collect();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), different.len(), "an operation id is there twice");
}

#[actix_web::test]
async fn there_is_a_page_to_read_and_try_it() {
    let server = TestServer::start().await;
    let client = server.client();
    let page = client.get("/openapi").await;
    assert_eq!((page.status, page.header("content-type").as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").contains("default-src 'self'"));
    for (file, kind) in
        [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript"), ("openapi.js", "text/javascript")]
    {
        assert!(page.text().contains(file), "{file}");
        let part = client.get(&format!("/openapi/{file}")).await;
        assert_eq!((part.status, part.header("content-type")), (200, format!("{kind}; charset=utf-8")));
    }
    client.get("/openapi/../../config.toml").await.expect_refusal(404, "api.context.404.app_error");
    client.get("/openapi/other.js").await.expect_refusal(404, "api.context.404.app_error");
    client.post("/openapi.json", json!({})).await.expect_refusal(404, "api.context.404.app_error");
}
