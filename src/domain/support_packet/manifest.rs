//! The manifest of a packet: its contents, what was removed, and what is missing.

use quarterdeck_actors::config::shown::Hidden;
use serde_json::{Value, json};

use super::archive::Content;
use super::scrub::Tally;
use crate::base::version::{API_VERSION, VERSION};

/// The parts that packets of other servers have and this server never has, with the reason.
const NEVER: [(&str, &str); 8] = [
    ("cpu.prof, heap.prof, goroutines", "this server has no profiles; see its metrics"),
    ("diagnostics.yaml: cluster", "this server has no clustering"),
    ("diagnostics.yaml: elastic", "this server has no search engine"),
    ("diagnostics.yaml: ldap", "this server does not use LDAP"),
    ("diagnostics.yaml: saml", "this server does not support SAML"),
    ("files of LogSettings.AdvancedLoggingJSON", "this server does not write them"),
    ("packets of plugins", "this server has no plugins"),
    ("permissions.yaml: schemes", "this server has no schemes"),
];

/// The notes about a packet, beside its entries.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The time at which the packet was started, in Unix milliseconds.
    pub(super) at: i64,
    /// True if a running server makes the packet.
    pub(super) is_live: bool,
    /// True if log files were requested.
    pub(super) with_logs: bool,
    /// The plugins whose packets were requested.
    pub(super) plugins: Vec<String>,
    /// The settings that were removed or masked.
    pub(super) hidden: Vec<Hidden>,
    /// The missing parts, each with the reason.
    pub(super) missing: Vec<(String, String)>,
    /// The errors that occurred while the packet was made.
    pub(super) warnings: Vec<String>,
    /// The counts of replaced texts.
    pub(super) tally: Tally,
}

impl Notes {
    /// Returns the manifest of a packet with these entries.
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

    /// Returns the text of `warning.txt`; `None` if there were no errors.
    pub(super) fn warning(&self) -> Option<String> {
        let lines = self.warnings.iter().map(|warning| format!("{warning}\n"));
        (!self.warnings.is_empty()).then(|| lines.collect())
    }
}
