//! Teams: creating one, joining one, and the view of it for different callers.

mod edit;
mod member;
mod roles;

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::id::new_id;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::cleaning::cleaned;
use crate::base::team::{Channel, DEFAULT_CHANNELS, Member, OFF_TOPIC, OPEN, TOWN_SQUARE, Team, TeamType};
use crate::base::user::User;
use crate::domain::announce;
use crate::store::{Db, JoinRules, StoreError};
pub(crate) use edit::{TeamPatch, edit, remove_scheme, renew_invite_id, set_archived, set_openness};
pub(crate) use member::{TeamAccess, access_by_team, team_access};
pub(crate) use roles::{SchemeRoles, set_roles, set_scheme_roles};

/// The fields of a team that its creator sends. Other fields are ignored.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TeamDraft)]
pub(crate) struct Proposal {
    /// Must be empty.
    #[serde(default)]
    id: String,
    /// The name for display.
    #[serde(default)]
    display_name: String,
    /// The name in addresses.
    #[serde(default)]
    name: String,
    /// The description.
    #[serde(default)]
    description: String,
    /// The e-mail address.
    #[serde(default)]
    email: String,
    /// The type: `O` for open, `I` for by invitation.
    #[serde(default, rename = "type")]
    #[schema(value_type = TeamType)]
    kind: String,
    /// The company.
    #[serde(default)]
    company_name: String,
    /// The domains whose e-mail addresses may join.
    #[serde(default)]
    allowed_domains: String,
    /// True if any user may join.
    #[serde(default)]
    allow_open_invite: bool,
}

/// Creates a team with its default channels, and its creator as administrator. The local socket creates it without
/// members.
pub(crate) async fn found(
    (db, hub): (&Db, &HubHandle),
    config: &Config,
    proposal: Proposal,
    founder: Option<&User>,
) -> Result<Team, AppError> {
    if !proposal.id.is_empty() {
        return Err(AppError::new("app.team.save.existing.app_error"));
    }
    let team = proposed(proposal, founder);
    if founder.is_some_and(|founder| !team.admits(founder, config)) {
        return Err(AppError::new("api.team.is_team_creation_allowed.domain.app_error"));
    }
    team.check()?;
    let channels = [("Town Square", TOWN_SQUARE), ("Off-Topic", OFF_TOPIC)];
    let channels = channels.map(|(display_name, name)| Channel { id: new_id(), name, display_name });
    let leader = founder.map(|founder| Member::leader(&team.id, &founder.id));
    if !db.add_team(&team, &channels, leader.as_ref()).await.map_err(refusal)? {
        return Err(AppError::new("app.team.save.too_many.app_error"));
    }
    if let Some(leader) = leader {
        announce::joined_team((hub, db), &team.id, &leader.user_id).await;
    }
    Ok(team)
}

fn proposed(proposal: Proposal, founder: Option<&User>) -> Team {
    let now = wall_ms();
    Team {
        id: new_id(),
        create_at: now,
        update_at: now,
        display_name: cleaned(proposal.display_name),
        name: cleaned(proposal.name),
        description: cleaned(proposal.description),
        email: founder.map_or_else(|| proposal.email.to_lowercase(), |founder| founder.email.clone()),
        kind: proposal.kind,
        company_name: cleaned(proposal.company_name),
        allowed_domains: proposal.allowed_domains,
        invite_id: new_id(),
        allow_open_invite: proposal.allow_open_invite,
        ..Team::default()
    }
}

fn refusal(error: StoreError) -> AppError {
    let is_taken = error.is_duplicate_of("teams");
    let id = if is_taken { "store.sql_team.save_team.existing.app_error" } else { "app.team.save.app_error" };
    AppError::new(id).because(error)
}

/// Makes `user` a member, unless the team is full or does not admit the user's address. A membership is kept as it is.
pub(crate) async fn join(
    (db, hub): (&Db, &HubHandle),
    config: &Config,
    team: &Team,
    user: &User,
) -> Result<Member, AppError> {
    const FAILED: &str = "app.team.save_member.save.app_error";
    let known = db.team_member(&team.id, &user.id).await.or_fail(FAILED)?;
    let was_member = known.is_some();
    if let Some(member) = known.filter(Member::is_active) {
        announce::added_to_team(hub, &team.id, &user.id).await;
        return Ok(member);
    }
    if !team.admits(user, config) {
        return Err(AppError::new("api.team.join_user_to_team.allowed_domains.app_error"));
    }
    let rules = JoinRules::of(config);
    db.join_team((&team.id, &user.id), &DEFAULT_CHANNELS, rules, wall_ms()).await.or_fail(FAILED)?;
    let joined = db.team_member(&team.id, &user.id).await.or_fail(FAILED)?.filter(Member::is_active);
    let Some(joined) = joined else {
        let is_gone = db.user(&user.id).await.or_fail(FAILED)?.is_none();
        let is_team_gone = db.team(&team.id).await.or_fail(FAILED)?.is_none();
        // Mattermost has another error for a user who comes back.
        let id = match (is_gone, is_team_gone, was_member) {
            (true, _, _) => "app.user.missing_account.const",
            (false, true, _) => "app.team.get.find.app_error",
            (false, false, true) => "app.team.join_user_to_team.max_accounts.app_error",
            (false, false, false) => "app.team.join_user_to_team.save_member.max_accounts.app_error",
        };
        return Err(AppError::new(id));
    };
    announce::joined_team((hub, db), &team.id, &user.id).await;
    Ok(joined)
}

/// Ends the membership of a user in a team. A user who left before stays as they are.
pub(crate) async fn leave((db, hub): (&Db, &HubHandle), team_id: &str, user_id: &str) -> Result<(), AppError> {
    let known = db.team_member(team_id, user_id).await.or_fail("app.team.get_member.app_error")?;
    if known.is_none() {
        return Err(AppError::new("api.team.remove_user_from_team.missing.app_error"));
    }
    if db.leave_team(team_id, user_id, wall_ms()).await.or_fail("app.team.save_member.save.app_error")? {
        announce::left_team((hub, db), team_id, user_id).await;
    }
    Ok(())
}

/// Deletes a team with everything in it. Its members are told that it was archived.
pub(crate) async fn delete((db, hub): (&Db, &HubHandle), team: &Team) -> Result<(), AppError> {
    if !db.remove_team(&team.id).await.or_fail("app.team.permanent_delete.app_error")? {
        return Err(AppError::new("app.team.get.find.app_error"));
    }
    let deleted = Team { delete_at: wall_ms(), ..team.clone() };
    announce::team_changed(hub, announce::TeamEvent::Delete, &deleted).await;
    Ok(())
}

impl Proposal {
    /// Returns the proposal of a team of the open type, which users join by invitation.
    pub(crate) fn open(name: String, display_name: String) -> Self {
        Self { name, display_name, kind: OPEN.to_owned(), ..Self::default() }
    }
}

impl Team {
    /// Returns the team as a caller with that access sees it. Its email address and invitation id need a permission.
    pub(crate) fn seen_with(self, team_access: &TeamAccess) -> Self {
        if team_access.may("manage_team") {
            return self;
        }
        let invite_id = if team_access.may("invite_user") { self.invite_id } else { String::new() };
        Self { email: String::new(), invite_id, ..self }
    }
}
