//! Tests of remedies: each names the setting to change, and what to change it to, as far as the store tells.

use quarterdeck_actors::storage::report::{Kind, Report, Step};
use quarterdeck_actors::storage::settings::StoreSettings;
use serde_json::json;

use super::line::{answered, served, with_body};
use super::peers::{ACCOUNT, KEY, azure};
use super::support::{expect_failure, install_cryptography, probed, s3_at, settings};
use crate::files::objects::Objects;
use crate::files::s3::Bucket;

const MALFORMED: &str = "AuthorizationHeaderMalformed";

/// The pages of a proxy, a login form and a console, as they begin.
const PAGES: [&str; 3] = [
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>canary-secret</body></html>",
    "\n<!DOCTYPE html>\n<html lang=\"en\"><head><title>Sign in</title></head></html>",
    "<!doctype html><html><body><script src=\"/main.js\"></script></body></html>",
];

#[tokio::test]
async fn a_wrong_region_is_answered_with_the_right_one() {
    let wrong =
        |body: &str| with_body("400 Bad Request", "", &format!("<Error><Code>{MALFORMED}</Code>{body}</Error>"));
    let amazon = "<Message>The authorization header is malformed; the region 'us-west-2' is wrong; expecting \
                  'eu-central-1'</Message><Region>eu-central-1</Region>";
    let compatible = "<Message>unexpected scope</Message><Resource>/files</Resource><Region>garage</Region>";
    let header = "<Error><Code>PermanentRedirect</Code><Message>use another endpoint</Message></Error>";
    let header = with_body("301 Moved Permanently", "x-amz-bucket-region: ap-south-1\r\n", header);
    for (answer, code, region) in [
        (wrong(amazon), MALFORMED, "eu-central-1"),
        (wrong(compatible), MALFORMED, "garage"),
        (header, "PermanentRedirect", "ap-south-1"),
    ] {
        let report = answered(vec![answer], |settings| settings.amazon_s3_region = "us-west-2".to_owned()).await;
        let remedy = format!("The bucket is in the region {region}: set FileSettings.AmazonS3Region to it.");
        expect_failure(&report, Step::Bucket, Kind::Other, Some(code), &remedy);
    }
    for hostile in ["<Region>canary-secret/../x</Region>", "<Region>CANARY</Region>", "<Region></Region>"] {
        let report =
            answered(vec![wrong(hostile)], |settings| settings.amazon_s3_region = "us-west-2".to_owned()).await;
        expect_failure(
            &report,
            Step::Bucket,
            Kind::Other,
            Some(MALFORMED),
            "Set FileSettings.AmazonS3Region to the region",
        );
        assert!(!format!("{report:?}").contains("CANARY"), "{report:?}");
    }
}

#[test]
fn a_region_that_is_part_of_the_host_is_named_where_the_host_cannot_be_reached() {
    install_cryptography();
    for (region, endpoint, place) in [
        ("eu-cental-1", "s3.amazonaws.com", "FileSettings.AmazonS3Region and FileSettings.AmazonS3Endpoint"),
        ("eu-cental-1", "", "FileSettings.AmazonS3Region and FileSettings.AmazonS3Endpoint"),
        ("", "s3.amazonaws.com", "FileSettings.AmazonS3Endpoint"),
        ("eu-central-1", "s3.example.com", "FileSettings.AmazonS3Endpoint"),
    ] {
        let settings = StoreSettings { amazon_s3_region: region.to_owned(), ..s3_at(endpoint) };
        assert_eq!(Bucket::open(&settings).unwrap().about().place, place, "{region} {endpoint}");
    }
}

#[tokio::test]
async fn a_full_store_is_told_apart_from_a_wrong_address() {
    for (status, code) in
        [("507 Insufficient Storage", "XMinioStorageFull"), ("403 Forbidden", "QuotaExceeded"), ("507 Full", "Other")]
    {
        let body = format!("<Error><Code>{code}</Code><Message>no space</Message></Error>");
        let report = answered(vec![with_body(status, "", &body)], |_| {}).await;
        expect_failure(&report, Step::Authenticate, Kind::Other, Some(code), "Free space in the store");
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer_of_an_s3_store() {
    for status in ["200 OK", "302 Found", "400 Bad Request", "403 Forbidden", "404 Not Found", "502 Bad Gateway"] {
        for answer in pages(status) {
            let report = answered(vec![answer], |_| {}).await;
            is_a_page(&report, status, "Set FileSettings.AmazonS3Endpoint to the host and port of an S3 store itself");
        }
    }
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_answer_of_azure() {
    for status in ["302 Found", "400 Bad Request", "403 Forbidden", "404 Not Found", "502 Bad Gateway"] {
        for answer in pages(status) {
            let report = probed(&account(ACCOUNT, &served(vec![answer]).await)).await;
            is_a_page(
                &report,
                status,
                "Set FileSettings.AzureEndpoint to the host and port of Azure Blob Storage itself",
            );
        }
    }
    for answer in pages("200 OK") {
        let report = probed(&account(ACCOUNT, &served(vec![answer]).await)).await;
        // A page that is no well-formed XML is not shown by the library, so that it cannot be told from another answer.
        let failure = report.failure.as_ref().unwrap();
        let remedy = if failure.code.is_some() { "let a proxy between pass" } else { "no proxy answers in its place" };
        expect_failure(&report, Step::Authenticate, Kind::Other, failure.code.as_deref(), remedy);
        assert!(failure.remedy.contains("FileSettings.AzureEndpoint"), "{failure:?}");
    }
}

#[tokio::test]
async fn an_account_that_is_given_as_an_address_is_answered_with_its_name() {
    install_cryptography();
    for (given, remedy) in [
        ("https://files.blob.core.windows.net", "to the bare account name: files."),
        ("https://files.blob.core.windows.net/", "to the bare account name: files."),
        ("files.blob.core.windows.net", "to the bare account name: files."),
        ("https://files.blob.core.usgovcloudapi.net:443/container", "to the bare account name: files."),
        (
            "DefaultEndpointsProtocol=https;AccountName=files;AccountKey=canary-secret;EndpointSuffix=core.windows.net",
            "to the bare account name: files.",
        ),
        ("http://127.0.0.1:10000/files", "to the bare account name: files. The host before it belongs into"),
        ("https://evil.invalid", "to the bare account name, without a scheme"),
        ("files@canary-secret", "to the bare account name, without a scheme"),
    ] {
        let report = probed(&account(given, "127.0.0.1:1")).await;
        let remedy = format!("Set FileSettings.AzureStorageAccount {remedy}");
        expect_failure(&report, Step::Settings, Kind::Unusable, None, &remedy);
    }
}

#[tokio::test]
async fn the_remedy_for_an_account_works_with_a_real_store() {
    let Some(host) = azure() else { return };
    install_cryptography();
    let report = probed(&account(&format!("http://{host}/{ACCOUNT}"), host)).await;
    let remedy = format!("Set FileSettings.AzureStorageAccount to the bare account name: {ACCOUNT}.");
    expect_failure(&report, Step::Settings, Kind::Unusable, None, &remedy);
    let report = probed(&account(ACCOUNT, host)).await;
    expect_failure(&report, Step::Bucket, Kind::Missing, Some("ContainerNotFound"), "FileSettings.AzureContainer");
}

/// Returns responses with each page; the first has its content type only, the others also without one.
fn pages(status: &str) -> Vec<String> {
    let told = |kind: &str, page: &str| {
        let length = page.len();
        format!("HTTP/1.1 {status}\r\n{kind}connection: close\r\ncontent-length: {length}\r\n\r\n{page}")
    };
    let html = "content-type: text/html; charset=utf-8\r\n";
    let mut all: Vec<String> = PAGES.into_iter().flat_map(|page| [told(html, page), told("", page)]).collect();
    all.push(told(html, "Bad Gateway"));
    all
}

/// Fails unless the report says that a page was returned, and names both remedies.
#[track_caller]
fn is_a_page(report: &Report, status: &str, remedy: &str) {
    let code = format!("HTTP {}", status.split(' ').next().unwrap());
    expect_failure(report, Step::Authenticate, Kind::Other, Some(&code), remedy);
    let failure = report.failure.as_ref().unwrap();
    assert!(failure.cause.contains("an HTML page"), "{failure:?}");
    assert!(failure.remedy.contains("If it expects TLS, turn FileSettings.A"), "{failure:?}");
}

/// Returns the settings of a container at a host, with this account.
fn account(name: &str, host: &str) -> StoreSettings {
    settings(json!({
        "DriverName": "azureblob",
        "AzureStorageAccount": name,
        "AzureContainer": "nowhere",
        "AzureAccessKey": KEY,
        "AzureEndpoint": host,
        "AzureSSL": false,
    }))
}
