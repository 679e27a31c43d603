//! The content security policy of a page, with the sites that may show the page in a frame.

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use quarterdeck_actors::config::Config;

/// Adds a policy with these rules. This site may show the page in a frame, and so may the sites that
/// `ServiceSettings.FrameAncestors` names.
pub(super) fn add_policy(answer: &mut HttpResponseBuilder, rules: &str, config: &Config) {
    let ancestors = ancestors(&config.view.service.frame_ancestors);
    answer.insert_header((CONTENT_SECURITY_POLICY, format!("{rules}; frame-ancestors 'self'{ancestors}")));
    if ancestors.is_empty() {
        // For browsers that do not know the rule. The header has no value for other sites.
        answer.insert_header((X_FRAME_OPTIONS, "SAMEORIGIN"));
    }
}

/// Returns the sites that may show the page in a frame, each after a space. Texts that are no source of a policy are
/// left out, so that the setting adds no other rule.
fn ancestors(setting: &str) -> String {
    let is_source = |text: &&str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b";,'\"".contains(&byte));
    setting.split_whitespace().filter(is_source).flat_map(|source| [" ", source]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_adds_sites_to_the_policy_and_no_other_rule() {
        assert_eq!(ancestors(""), "");
        assert_eq!(ancestors("https://a.example  *.b.example:8443"), " https://a.example *.b.example:8443");
        assert_eq!(ancestors("https://a.example; script-src * 'none' a,b \u{fc}"), " script-src *");
    }
}
