//! Cuts large values of a record to their beginning and length, so that no caller can fill the trail with one record.

use serde_json::{Map, Value, json};

use super::AuditRecord;

/// The maximum length of a member of `parameters`, `before` or `after`, in bytes of JSON. A longer one is cut.
const MAX_VALUE_BYTES: usize = 1024;

/// The number of characters that a cut value keeps.
const CUT_VALUE_CHARACTERS: usize = 256;

/// The maximum length of each of the three documents, in bytes. Members beyond it are left out and counted.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// The name of the member that holds the number of members left out.
const LEFT_OUT: &str = "members_left_out";

/// The maximum length of a path, in characters.
const MAX_PATH_CHARACTERS: usize = 2048;

impl AuditRecord {
    /// Cuts each value, each document and the path to the maximum length. A record that is cut already does not change.
    pub fn cut(&mut self) {
        self.cut_to(MAX_DOCUMENT_BYTES);
    }

    /// Cuts until the whole record takes about `kib` KiB.
    pub(super) fn cut_to_kib(&mut self, kib: u32) {
        let bytes = usize::try_from(kib).unwrap_or(usize::MAX).saturating_mul(1024);
        // The path and the fixed columns take the rest.
        self.cut_to(bytes.saturating_sub(self.path.len()) / 4);
    }

    /// Returns the memory that the waiting record takes, in KiB, rounded up.
    pub(super) fn weight_kib(&self) -> u32 {
        let documents = [&self.parameters, &self.before, &self.after];
        let bytes: usize = documents.iter().map(|document| length(document)).sum::<usize>() + self.path.len();
        u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
    }

    fn cut_to(&mut self, document_bytes: usize) {
        for document in [&mut self.parameters, &mut self.before, &mut self.after] {
            cut_document(document, document_bytes);
        }
        if self.path.len() > MAX_PATH_CHARACTERS {
            self.path = self.path.chars().take(MAX_PATH_CHARACTERS).collect();
        }
    }
}

fn cut_document(document: &mut Value, document_bytes: usize) {
    let Value::Object(members) = document else {
        cut_value(document);
        return;
    };
    members.values_mut().for_each(cut_value);
    let mut bytes = 0;
    let total = members.len();
    let fitting = |(name, value): &(String, Value)| {
        bytes += name.len() + length(value) + 4;
        bytes <= document_bytes
    };
    let mut kept: Map<String, Value> = std::mem::take(members).into_iter().take_while(fitting).collect();
    let left_out = total - kept.len();
    if left_out > 0 {
        kept.insert(LEFT_OUT.to_owned(), left_out.into());
    }
    *members = kept;
}

/// Replaces a value that is too long with its beginning and its length in bytes of JSON.
fn cut_value(value: &mut Value) {
    let bytes = length(value);
    if bytes <= MAX_VALUE_BYTES {
        return;
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let kept: String = text.chars().take(CUT_VALUE_CHARACTERS).collect();
    *value = json!({ "cut": kept, "length": bytes });
}

fn length(value: &Value) -> usize {
    // A long text is measured without a copy of it.
    if let Value::String(text) = value
        && text.len() > MAX_VALUE_BYTES
    {
        return text.len();
    }
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_marked_with_its_length() {
        let mut long = AuditRecord {
            before: json!({ "nickname": "x", "notify_props": { "mention_keys": "y".repeat(20_000) } }),
            after: json!({ "position": "z".repeat(5000) }),
            ..record("one")
        };
        long.cut();
        assert_eq!(long.before["nickname"], "x");
        assert_eq!(long.before["notify_props"]["length"], 20_019);
        assert!(long.before["notify_props"]["cut"].as_str().unwrap().starts_with("{\"mention_keys\":\"yyy"));
        assert_eq!(long.after, json!({ "position": { "cut": "z".repeat(256), "length": 5000 } }));
        let once = long.clone();
        long.cut();
        assert_eq!(long, once, "what was cut stays as it is");
    }

    #[test]
    fn a_record_is_bounded_whatever_it_holds() {
        let many: Map<String, Value> =
            (0..5000).map(|number| (format!("setting {number}"), json!("é".repeat(400)))).collect();
        let path = "p".repeat(100_000);
        let mut large = AuditRecord { before: many.clone().into(), after: many.into(), path, ..record("one") };
        large.cut();
        assert!(large.weight_kib() <= 2 * 64 + 3, "{}", large.weight_kib());
        assert!(large.after[LEFT_OUT].as_u64().unwrap() > 4000);
        large.cut_to_kib(4);
        assert!(large.weight_kib() <= 4, "{}", large.weight_kib());
    }
}
