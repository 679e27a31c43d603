//! An audit record as the API shows it in full.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::entry::Entry;

/// An audit record in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct FullEntry {
    /// The id of the record.
    id: String,
    /// The place of the record in the trail.
    number: i64,
    /// The time of the event, in Unix milliseconds.
    create_at: i64,
    /// The name of the event.
    event: String,
    /// The outcome: `success`, `fail` or `attempt`.
    status: String,
    /// The id of the caller; empty without a session.
    user_id: String,
    /// The id of the caller's session.
    session_id: String,
    /// The address of the caller.
    ip_address: String,
    /// The origin of the event, such as `api` or `cli`.
    source: String,
    /// The id of the request.
    request_id: String,
    /// The HTTP method.
    method: String,
    /// The path of the request.
    path: String,
    /// The status code of the response.
    code: i64,
    /// The id of the error of the response; empty without an error.
    error_id: String,
    /// The parameters of the event, by name.
    #[schema(value_type = Object)]
    parameters: Json,
    /// The values before the change.
    #[schema(value_type = Value)]
    before: Json,
    /// The values after the change.
    #[schema(value_type = Value)]
    after: Json,
    /// The hash of the record and of the record before it.
    hash: String,
    /// The id of the key of the hash; empty for a hash without a key.
    key_id: String,
}

impl From<Entry> for FullEntry {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            number: entry.number,
            create_at: entry.create_at,
            event: entry.event,
            status: entry.status,
            user_id: entry.user_id,
            session_id: entry.session_id,
            ip_address: entry.address,
            source: entry.source,
            request_id: entry.request_id,
            method: entry.method,
            path: entry.path,
            code: entry.code,
            error_id: entry.error_id,
            parameters: document(&entry.parameters),
            before: document(&entry.before),
            after: document(&entry.after),
            hash: entry.hash,
            key_id: entry.key_id,
        }
    }
}

/// Returns a stored document. Text that is no JSON is shown as it is.
fn document(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| Json::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_shown_as_json_and_other_text_as_text() {
        assert_eq!(document(r#"{"nickname":"Skipper"}"#), json!({ "nickname": "Skipper" }));
        assert_eq!((document("null"), document("{broken")), (Json::Null, json!("{broken")));
    }
}
