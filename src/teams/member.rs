//! Members of a team, and what they may do in it.

use std::collections::HashMap;
use std::sync::Arc;

use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::roles::Roles;
use serde::Serialize;

use crate::accounts::User;
use crate::session::Session;
use crate::state::AppState;

/// Somebody in a team, as stored. A time of deletion tells when they left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) team_id: String,
    pub(crate) user_id: String,
    /// The roles beside those that come with the three marks below.
    pub(crate) roles: String,
    pub(crate) delete_at: i64,
    pub(crate) is_guest: bool,
    pub(crate) is_user: bool,
    pub(crate) is_admin: bool,
}

/// A member in an answer, with its keys in the order of the original.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct MemberView {
    team_id: String,
    user_id: String,
    roles: String,
    delete_at: i64,
    scheme_guest: bool,
    scheme_user: bool,
    scheme_admin: bool,
    explicit_roles: String,
}

impl Member {
    /// Somebody who joins.
    pub(super) fn new(team_id: &str, user: &User) -> Self {
        let is_guest = user.has_role("system_guest");
        let (team_id, user_id) = (team_id.to_owned(), user.id.clone());
        Self { team_id, user_id, is_guest, is_user: !is_guest, ..Self::default() }
    }

    /// Who founded the team and leads it.
    pub(super) fn leader(team_id: &str, user_id: &str) -> Self {
        let (team_id, user_id) = (team_id.to_owned(), user_id.to_owned());
        Self { team_id, user_id, is_user: true, is_admin: true, ..Self::default() }
    }

    /// Whether they are still in the team.
    pub(crate) fn is_active(&self) -> bool {
        self.delete_at == 0
    }

    /// The names of all roles in the team, space separated.
    fn all_roles(&self) -> String {
        let marks = [(self.is_guest, "team_guest"), (self.is_user, "team_user"), (self.is_admin, "team_admin")];
        let marked = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, role)| *role);
        self.roles.split_whitespace().chain(marked).collect::<Vec<_>>().join(" ")
    }
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            roles: member.all_roles(),
            team_id: member.team_id,
            user_id: member.user_id,
            delete_at: member.delete_at,
            scheme_guest: member.is_guest,
            scheme_user: member.is_user,
            scheme_admin: member.is_admin,
            explicit_roles: member.roles,
        }
    }
}

/// What a caller is to a team: as a member, if they are one, and by the roles that hold everywhere.
pub(crate) struct Standing {
    session: Session,
    roles: Arc<Roles>,
    member: Option<Member>,
}

/// What the caller is to one team.
pub(crate) async fn standing(app: &AppState, session: &Session, team_id: &str) -> Result<Standing, AppError> {
    let member = app.db.team_member(team_id, session.user_id()).await.or_fail("app.team.get_member.app_error")?;
    Ok(Standing { session: session.clone(), roles: app.roles.clone(), member: member.filter(Member::is_active) })
}

/// What the caller is to any team, by its id.
pub(crate) async fn standings(app: &AppState, session: &Session) -> Result<impl Fn(&str) -> Standing, AppError> {
    let members = app.db.memberships(session.user_id()).await.or_fail("app.team.get_members.app_error")?;
    let active = members.into_iter().filter(Member::is_active);
    let by_team: HashMap<String, Member> = active.map(|member| (member.team_id.clone(), member)).collect();
    let (session, roles) = (session.clone(), app.roles.clone());
    Ok(move |team_id: &str| Standing {
        session: session.clone(),
        roles: roles.clone(),
        member: by_team.get(team_id).cloned(),
    })
}

impl Standing {
    /// Whether they belong to the team.
    pub(crate) fn is_member(&self) -> bool {
        self.member.is_some()
    }

    /// Whether a role in the team, or one that holds everywhere, grants `permission`.
    pub(crate) fn may(&self, permission: &str) -> bool {
        let in_team = self.member.as_ref().is_some_and(|member| self.roles.grant(&member.all_roles(), permission));
        in_team || self.session.may(permission)
    }

    /// Refuses a caller without `permission` in the team.
    pub(crate) fn require(&self, permission: &str) -> Result<(), AppError> {
        if self.may(permission) { Ok(()) } else { Err(self.session.refusal(permission)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_a_member_come_after_the_roles_given_by_hand() {
        let leader = Member { roles: "quiz_master".to_owned(), ..Member::leader("t", "u") };
        assert_eq!(leader.all_roles(), "quiz_master team_user team_admin");
        let view = MemberView::from(leader);
        assert_eq!(view.explicit_roles, "quiz_master");
    }

    #[test]
    fn a_guest_joins_as_a_guest() {
        let guest = User { roles: "system_guest".to_owned(), ..User::default() };
        assert_eq!(Member::new("t", &guest).all_roles(), "team_guest");
        assert_eq!(Member::new("t", &User::default()).all_roles(), "team_user");
    }
}
