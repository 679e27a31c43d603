//! Members of a team, and their permissions in it.

use std::collections::HashMap;
use std::sync::Arc;

use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::roles::Roles;

use crate::base::team::Member;
use crate::domain::accounts::Accounts;
use crate::domain::session::Session;

/// The permissions of a caller in a team. The membership, if there is one, and the system roles define them.
pub(crate) struct TeamAccess {
    session: Session,
    roles: Arc<Roles>,
    member: Option<Member>,
}

/// Returns the access of the caller to one team.
pub(crate) async fn team_access(accounts: &Accounts, session: &Session, team_id: &str) -> Result<TeamAccess, AppError> {
    let member = accounts.db.team_member(team_id, session.user_id()).await.or_fail("app.team.get_member.app_error")?;
    Ok(TeamAccess {
        session: session.clone(),
        roles: accounts.roles.current(),
        member: member.filter(Member::is_active),
    })
}

/// Returns a function from the id of a team to the access of the caller to it.
pub(crate) async fn access_by_team(
    accounts: &Accounts,
    session: &Session,
) -> Result<impl Fn(&str) -> TeamAccess, AppError> {
    let members = accounts.db.memberships(session.user_id()).await.or_fail("app.team.get_members.app_error")?;
    let active = members.into_iter().filter(Member::is_active);
    let by_team: HashMap<String, Member> = active.map(|member| (member.team_id.clone(), member)).collect();
    let (session, roles) = (session.clone(), accounts.roles.current());
    Ok(move |team_id: &str| TeamAccess {
        session: session.clone(),
        roles: roles.clone(),
        member: by_team.get(team_id).cloned(),
    })
}

impl TeamAccess {
    /// Returns true if the caller is a member of the team.
    pub(crate) fn is_member(&self) -> bool {
        self.member.is_some()
    }

    /// Returns true if a team role or a system role of the caller grants `permission`.
    pub(crate) fn may(&self, permission: &str) -> bool {
        let in_team = self.member.as_ref().is_some_and(|member| self.roles.grant(&member.all_roles(), permission));
        in_team || self.session.may(permission)
    }

    /// Refuses a caller without `permission` in the team.
    pub(crate) fn require(&self, permission: &str) -> Result<(), AppError> {
        if self.may(permission) { Ok(()) } else { Err(self.session.refusal(permission)) }
    }
}
