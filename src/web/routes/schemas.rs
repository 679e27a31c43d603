//! The structures that requests and responses are made of. Each is described where it is defined.

use quarterdeck_actors::license::document::License;
use quarterdeck_actors::notices::feed::Shown as Notice;
use quarterdeck_actors::presence::status::{Status, StatusRequest};
use quarterdeck_actors::roles::Role;

use super::{
    analytics, busy, config, database, files, license, links, login, logs, onboarding, sessions, site_url, teams,
    tokens, upgrade, users,
};
use crate::base::preference::Preference;
use crate::base::team::{MemberView, Team, Unread};
use crate::base::user::Profile;
use crate::base::user::view::UserView;
use crate::domain::accounts::Device;
use crate::domain::ai_bridge::{Script, State};
use crate::domain::teams::Proposal;
use crate::domain::trial_license::TrialRequest;
use crate::outbound::push::Ack;
use crate::outbound::releases::Release;
use crate::store::{AuditEntry, VersionRecord};
use crate::telemetry::logging::Wanted;
use crate::web::answer::StatusOk;
use crate::web::error::Envelope;
use crate::web::prepared::Ping;
use crate::web::schema::{ConfigSchema, Schemas, add};

/// One row a structure. Structures that it contains need no row.
const STRUCTURES: &[fn(&mut Schemas)] = &[
    // Every route.
    add::<Envelope<'_>>,
    add::<StatusOk>,
    // The system.
    add::<Ping<'_>>,
    add::<Notice<'_>>,
    add::<onboarding::System>,
    add::<onboarding::Onboarding>,
    add::<Ack>,
    add::<busy::Flag>,
    add::<AuditEntry>,
    add::<Release>,
    add::<links::Target>,
    add::<site_url::SiteUrl>,
    add::<upgrade::Status>,
    add::<Script>,
    add::<State>,
    // The server's dependencies, logs and analytics.
    add::<database::Migration>,
    add::<database::Checked>,
    add::<files::Passed<'_>>,
    add::<Wanted>,
    add::<logs::ClientLog>,
    add::<analytics::Row<'_>>,
    // Configuration and licence.
    add::<ConfigSchema>,
    add::<config::document::ConfigAnswer>,
    add::<config::document::Preview<'_>>,
    add::<config::origins::SettingOrigin<'_>>,
    add::<config::migrate::Stores>,
    add::<VersionRecord>,
    add::<config::versions::VersionDocument>,
    add::<License>,
    add::<license::Form>,
    add::<license::Load>,
    add::<TrialRequest>,
    // Accounts.
    add::<login::Form>,
    add::<UserView<'_>>,
    add::<Profile>,
    add::<users::list::Search>,
    add::<users::list::Stats>,
    add::<users::active::Activity>,
    add::<users::password::Chosen>,
    add::<users::roles::NewRoles>,
    add::<sessions::Listed>,
    add::<sessions::Choice>,
    add::<Device>,
    add::<tokens::Draft>,
    add::<tokens::Search>,
    add::<tokens::Shown>,
    add::<tokens::Choice>,
    add::<Status>,
    add::<StatusRequest>,
    add::<Preference>,
    // Teams and roles.
    add::<Team>,
    add::<Proposal>,
    add::<teams::Listing>,
    add::<MemberView>,
    add::<Unread>,
    add::<teams::Newcomer>,
    add::<teams::Existence>,
    add::<Role>,
];

/// Returns all schemas with their names. A schema that several structures contain is there more than once.
pub(crate) fn schemas() -> Schemas {
    let mut schemas = Schemas::new();
    for add in STRUCTURES {
        add(&mut schemas);
    }
    schemas
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_two_structures_have_the_same_name() {
        let mut known = BTreeMap::new();
        for (name, schema) in schemas() {
            let schema = serde_json::to_value(schema).unwrap();
            let earlier = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*earlier, schema, "{name} stands for two structures");
        }
    }

    #[test]
    fn every_structure_and_every_member_of_one_has_a_description() {
        for (name, schema) in schemas() {
            let schema = serde_json::to_value(schema).unwrap();
            assert!(schema["description"].is_string(), "{name}: {schema}");
            // Settings have their descriptions in the documents of Mattermost.
            if name == "Config" {
                continue;
            }
            let parts = schema["allOf"].as_array().map_or_else(|| vec![&schema], |parts| parts.iter().collect());
            for (member, schema) in parts.iter().filter_map(|part| part["properties"].as_object()).flatten() {
                // The description of a structure that may be null stands at its reference.
                let is_described = [&schema["description"], &schema["oneOf"][0]["description"]];
                assert!(is_described.iter().any(|about| about.is_string()), "{name}.{member}: {schema}");
            }
        }
    }
}
