//! Changes of a team: its texts, who may join it, and whether it is archived.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::id::new_id;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::cleaning::cleaned;
use crate::base::lenient::required;
use crate::base::team::{INVITE_ONLY, OPEN, Team, domains};
use crate::domain::announce::{self, TeamEvent};
use crate::store::{Db, StoreError};

/// The fields of a team that can be changed. Other fields are ignored.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
pub(crate) struct TeamPatch {
    /// The team's id, as in the path.
    id: Option<String>,
    /// The name for display.
    display_name: Option<String>,
    /// The description.
    description: Option<String>,
    /// The company.
    company_name: Option<String>,
    /// The domains whose e-mail addresses may join.
    allowed_domains: Option<String>,
    /// True if any user may join.
    allow_open_invite: Option<bool>,
}

impl TeamPatch {
    /// Returns the patch with every field: an absent text is empty, and an absent truth is false.
    pub(crate) fn in_full(self) -> Self {
        let text = |given: Option<String>| Some(given.unwrap_or_default());
        Self {
            id: self.id,
            display_name: text(self.display_name),
            description: text(self.description),
            company_name: text(self.company_name),
            allowed_domains: text(self.allowed_domains),
            allow_open_invite: Some(self.allow_open_invite.unwrap_or_default()),
        }
    }

    /// Refuses a body with the id of another team, or without one.
    pub(crate) fn require_id(&self, team_id: &str) -> Result<(), AppError> {
        let id = required("id", self.id.as_deref().unwrap_or_default())?;
        if id == team_id { Ok(()) } else { Err(AppError::invalid_body("id")) }
    }

    fn apply(self, team: &Team) -> Team {
        let text = |given: Option<String>, stored: &str| given.map_or_else(|| stored.to_owned(), cleaned);
        Team {
            display_name: text(self.display_name, &team.display_name),
            description: text(self.description, &team.description),
            company_name: text(self.company_name, &team.company_name),
            allowed_domains: self.allowed_domains.unwrap_or_else(|| team.allowed_domains.clone()),
            allow_open_invite: self.allow_open_invite.unwrap_or(team.allow_open_invite),
            ..team.clone()
        }
    }
}

/// Changes the given fields of a team. Returns the team before and after the change.
pub(crate) async fn edit(
    (db, hub): (&Db, &HubHandle),
    config: &Config,
    team_id: &str,
    patch: TeamPatch,
) -> Result<(Team, Team), AppError> {
    let allowed = config.view.team.restrict_creation_to_domains.clone();
    let changed = move |stored: &Team| {
        let team = patch.clone().apply(stored);
        check_domains(&team.allowed_domains, &allowed)?;
        team.check_edit()?;
        Ok(closed(stored, team))
    };
    change((db, hub), TeamEvent::Update, team_id, changed).await
}

/// Opens a team for all users, or closes it, so that users join by invitation only.
pub(crate) async fn set_openness(
    (db, hub): (&Db, &HubHandle),
    team_id: &str,
    is_open: bool,
) -> Result<(Team, Team), AppError> {
    let kind = if is_open { OPEN } else { INVITE_ONLY };
    let changed = move |stored: &Team| {
        Ok(closed(stored, Team { kind: kind.to_owned(), allow_open_invite: is_open, ..stored.clone() }))
    };
    change((db, hub), TeamEvent::Update, team_id, changed).await
}

/// Gives a team another invitation id, so that links with the earlier one are invalid.
pub(crate) async fn renew_invite_id((db, hub): (&Db, &HubHandle), team_id: &str) -> Result<(Team, Team), AppError> {
    let changed = |stored: &Team| Ok(Team { invite_id: new_id(), ..stored.clone() });
    change((db, hub), TeamEvent::Update, team_id, changed).await
}

/// Takes the permission scheme from a team, so that its members have the built-in roles.
pub(crate) async fn remove_scheme((db, hub): (&Db, &HubHandle), team_id: &str) -> Result<(Team, Team), AppError> {
    let changed = |stored: &Team| Ok(Team { scheme_id: None, ..stored.clone() });
    change((db, hub), TeamEvent::Scheme, team_id, changed).await
}

/// Archives a team, or restores it.
pub(crate) async fn set_archived(
    (db, hub): (&Db, &HubHandle),
    team_id: &str,
    is_archived: bool,
) -> Result<(Team, Team), AppError> {
    let now = wall_ms();
    let event = if is_archived { TeamEvent::Delete } else { TeamEvent::Restore };
    let changed = move |stored: &Team| {
        let is_new = is_archived != (stored.delete_at != 0);
        let delete_at = if is_archived { now } else { 0 };
        Ok(if is_new { Team { delete_at, ..stored.clone() } } else { stored.clone() })
    };
    change((db, hub), event, team_id, changed).await
}

async fn change(
    (db, hub): (&Db, &HubHandle),
    event: TeamEvent,
    team_id: &str,
    changed: impl Fn(&Team) -> Result<Team, AppError> + Send + Sync + 'static,
) -> Result<(Team, Team), AppError> {
    let decide = move |stored: &Team| changed(stored).map(|team| Some(team).filter(|team| team != stored));
    let outcome = db.change_team(team_id, wall_ms(), decide).await.map_err(|failed| failed.refused_or(failure))?;
    let (before, after) = outcome.ok_or_else(|| AppError::new("app.team.get.find.app_error"))?;
    if before != after {
        announce::team_changed(hub, event, &after).await;
    }
    Ok((before, after))
}

fn failure(error: StoreError) -> AppError {
    AppError::new("app.team.update.updating.app_error").because(error)
}

/// Gives a team that was closed a new invitation id, because links with the earlier one are known to others.
fn closed(before: &Team, after: Team) -> Team {
    let is_closed =
        (before.allow_open_invite && !after.allow_open_invite) || (before.kind == OPEN && after.kind != OPEN);
    if is_closed { Team { invite_id: new_id(), ..after } } else { after }
}

/// Refuses a domain that the server does not allow.
fn check_domains(of_team: &str, of_server: &str) -> Result<(), AppError> {
    let of_server = domains(of_server);
    let is_allowed = |domain: &String| of_server.is_empty() || of_server.contains(domain);
    match domains(of_team).into_iter().find(|domain| !is_allowed(domain)) {
        Some(domain) => {
            Err(AppError::new("api.team.update_restricted_domains.mismatch.app_error").with("Domain", domain))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_in_full_it_changes_everything() {
        let team = Team {
            display_name: "Crew".to_owned(),
            description: "old".to_owned(),
            allow_open_invite: true,
            ..Team::default()
        };
        let patch = TeamPatch { description: Some("ne\u{feff}w".to_owned()), ..TeamPatch::default() };
        let changed = patch.clone().apply(&team);
        assert_eq!((changed.display_name.as_str(), changed.description.as_str()), ("Crew", "new"));
        assert!(changed.allow_open_invite);
        let changed = patch.in_full().apply(&team);
        assert_eq!((changed.display_name.as_str(), changed.description.as_str()), ("", "new"));
        assert!(!changed.allow_open_invite);
    }

    #[test]
    fn only_a_team_that_is_closed_gets_another_invitation() {
        let open =
            Team { kind: OPEN.to_owned(), allow_open_invite: true, invite_id: "old".to_owned(), ..Team::default() };
        let shut = Team { allow_open_invite: false, ..open.clone() };
        let private = Team { kind: INVITE_ONLY.to_owned(), ..shut.clone() };
        for (before, after, is_new) in [
            (&open, &open, false),
            (&open, &shut, true),
            (&shut, &private, true),
            (&private, &open, false),
            (&private, &private, false),
        ] {
            assert_eq!(closed(before, after.clone()).invite_id != "old", is_new);
        }
    }

    #[test]
    fn the_domains_of_a_team_are_among_those_of_the_server() {
        assert!(check_domains("a.example", "").is_ok());
        assert!(check_domains("", "a.example").is_ok());
        assert!(check_domains("@A.example", "b.example, a.example").is_ok());
        let refused = check_domains("a.example c.example", "b.example, a.example").unwrap_err();
        assert_eq!(refused.id, "api.team.update_restricted_domains.mismatch.app_error");
    }
}
