//! What a packet says of itself: what is in it, what was taken out, and what there is none of.

use quarterdeck_actors::config::shown::Hidden;
use serde_json::{Value, json};

use super::archive::Content;
use super::scrub::Tally;
use crate::base::version::{API_VERSION, VERSION};

/// What packets of other servers hold and this one never does.
const NEVER: [(&str, &str); 8] = [
    ("cpu.prof, heap.prof, goroutines", "this server has no such profiles; see the metrics"),
    ("diagnostics.yaml: cluster", "this server knows no cluster"),
    ("diagnostics.yaml: elastic", "this server has no search engine"),
    ("diagnostics.yaml: ldap", "this server asks no directory"),
    ("diagnostics.yaml: saml", "this server takes no such logins"),
    ("files of LogSettings.AdvancedLoggingJSON", "this server writes none"),
    ("packets of plugins", "this server has no plugins"),
    ("permissions.yaml: schemes", "this server has no schemes"),
];

/// What is told of a packet beside its entries.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// When it was begun, in Unix milliseconds.
    pub(super) at: i64,
    /// Whether a running server makes it.
    pub(super) is_live: bool,
    /// Whether log files were asked for.
    pub(super) with_logs: bool,
    /// The plugins whose packets were asked for.
    pub(super) plugins: Vec<String>,
    /// What was taken out of the configuration.
    pub(super) hidden: Vec<Hidden>,
    /// What is not there, and why.
    pub(super) missing: Vec<(String, String)>,
    /// What failed.
    pub(super) warnings: Vec<String>,
    /// What was replaced in texts.
    pub(super) tally: Tally,
}

impl Notes {
    /// The manifest of a packet with these entries.
    pub(super) fn manifest(&self, contents: &[Content]) -> Value {
        let named = |name: &str, why: &str| json!({ "name": name, "why": why });
        let never = NEVER.iter().map(|(name, why)| named(name, why));
        let missing = self.missing.iter().map(|(name, why)| named(name, why));
        let plugins = self.plugins.iter().map(|id| json!({ "id": id, "why": "this server has no plugins" }));
        json!({
            "version": 1,
            "type": "support-packet-manifest",
            "generated_at": self.at,
            "generated_by": if self.is_live { "server" } else { "command line" },
            "server_version": VERSION,
            "api_version": API_VERSION,
            "include_logs": self.with_logs,
            "files": contents,
            "taken_out": self.hidden.iter().map(|hidden| named(&hidden.path, hidden.why)).collect::<Vec<_>>(),
            "replaced": self.tally,
            "not_available": missing.chain(never).collect::<Vec<_>>(),
            "plugin_packets": plugins.collect::<Vec<_>>(),
            "warnings": self.warnings,
        })
    }

    /// The text of `warning.txt`; `None` when nothing failed.
    pub(super) fn warning(&self) -> Option<String> {
        let lines = self.warnings.iter().map(|warning| format!("{warning}\n"));
        (!self.warnings.is_empty()).then(|| lines.collect())
    }
}
