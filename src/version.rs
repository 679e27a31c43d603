//! What the server calls itself.

use actix_web::http::header::HeaderValue;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::Config;
use serde_json::{Map, Value};

/// The version of the Mattermost API that this server speaks; clients compare it with their own.
pub const API_VERSION: &str = "11.6.0";

/// The server's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The sections whose change clients must notice; none of them holds a secret.
const CLIENT_SECTIONS: [&str; 5] =
    ["ClientRequirements", "LocalizationSettings", "PasswordSettings", "PrivacySettings", "TeamSettings"];

/// `X-Version-Id`: version, build, a hash of what clients see of the configuration, and whether a licence is loaded.
pub(crate) fn header(config: &Config) -> HeaderValue {
    let text = format!("{API_VERSION}.{VERSION}.{}.false", client_hash(config));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(API_VERSION))
}

fn client_hash(config: &Config) -> String {
    let seen: Map<String, Value> = CLIENT_SECTIONS
        .iter()
        .filter_map(|section| Some(((*section).to_owned(), config.document.get(*section)?.clone())))
        .collect();
    HEXLOWER.encode(digest(&SHA256, Value::Object(seen).to_string().as_bytes()).as_ref())
}
