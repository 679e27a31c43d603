//! Teams: how one is founded, who belongs to it, and what of it each viewer sees.

mod member;

use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use serde::{Deserialize, Serialize};

use crate::accounts::{User, is_email};
use crate::announce;
use crate::state::{AppState, now_ms};
use crate::store::StoreError;
pub(crate) use member::{Member, MemberView, Standing, standing, standings};

const SHORTEST_NAME: usize = 2;
const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 255;
const LONGEST_COMPANY: usize = 64;
const LONGEST_DOMAINS: usize = 1000;

const OPEN: &str = "O";
const INVITE_ONLY: &str = "I";

/// A name must not begin with one of these: they are parts of addresses.
const RESERVED_NAMES: [&str; 17] = [
    "admin",
    "api",
    "channel",
    "claim",
    "error",
    "files",
    "help",
    "landing",
    "login",
    "mfa",
    "oauth",
    "plug",
    "plugins",
    "post",
    "signup",
    "boards",
    "playbooks",
];

/// The channels that every team has and every member is in: name and display name.
const DEFAULT_CHANNELS: [(&str, &str); 2] = [("town-square", "Town Square"), ("off-topic", "Off-Topic")];

/// A team, with its members in the order of the API. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Team {
    pub(crate) id: String,
    pub(crate) create_at: i64,
    pub(crate) update_at: i64,
    pub(crate) delete_at: i64,
    pub(crate) display_name: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) email: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) company_name: String,
    pub(crate) allowed_domains: String,
    pub(crate) invite_id: String,
    pub(crate) allow_open_invite: bool,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) last_team_icon_update: i64,
    pub(crate) scheme_id: Option<String>,
    pub(crate) group_constrained: Option<bool>,
    pub(crate) policy_id: Option<String>,
    pub(crate) cloud_limits_archived: bool,
}

/// What of a team its founder sends; the rest of the body is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Proposal {
    id: String,
    display_name: String,
    name: String,
    description: String,
    email: String,
    #[serde(rename = "type")]
    kind: String,
    company_name: String,
    allowed_domains: String,
    allow_open_invite: bool,
}

/// A channel that a new team begins with.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) display_name: &'static str,
}

/// What somebody has not read in a team.
#[derive(Debug, Serialize)]
pub(crate) struct Unread {
    pub(crate) team_id: String,
    pub(crate) msg_count: i64,
    pub(crate) mention_count: i64,
    pub(crate) mention_count_root: i64,
    pub(crate) msg_count_root: i64,
    pub(crate) thread_count: i64,
    pub(crate) thread_mention_count: i64,
    pub(crate) thread_urgent_mention_count: i64,
}

/// Founds a team with its default channels; the founder leads it. The local socket founds teams without members.
pub(crate) async fn found(app: &AppState, proposal: Proposal, founder: Option<&User>) -> Result<Team, AppError> {
    if !proposal.id.is_empty() {
        return Err(AppError::new("app.team.save.existing.app_error"));
    }
    let team = proposed(proposal, founder);
    if founder.is_some_and(|founder| !team.admits(&founder.email)) {
        return Err(AppError::new("api.team.is_team_creation_allowed.domain.app_error"));
    }
    team.check()?;
    let channels = DEFAULT_CHANNELS.map(|(name, display_name)| Channel { id: new_id(), name, display_name });
    let leader = founder.map(|founder| Member::leader(&team.id, &founder.id));
    if !app.db.add_team(&team, &channels, leader.as_ref()).await.map_err(refusal)? {
        return Err(AppError::new("app.team.save.too_many.app_error"));
    }
    if let Some(leader) = leader {
        announce::added_to_team(app, &team.id, &leader.user_id).await;
    }
    Ok(team)
}

fn proposed(proposal: Proposal, founder: Option<&User>) -> Team {
    let now = now_ms();
    Team {
        id: new_id(),
        create_at: now,
        update_at: now,
        display_name: proposal.display_name,
        name: proposal.name,
        description: proposal.description,
        email: founder.map_or_else(|| proposal.email.to_lowercase(), |founder| founder.email.clone()),
        kind: proposal.kind,
        company_name: proposal.company_name,
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

/// Makes `user` a member, unless the team is full or closed to their address; a member stays what they are.
pub(crate) async fn join(app: &AppState, team: &Team, user: &User, most_members: i64) -> Result<Member, AppError> {
    const FAILED: &str = "app.team.save_member.save.app_error";
    let known = app.db.team_member(&team.id, &user.id).await.or_fail(FAILED)?;
    if let Some(member) = known.filter(Member::is_active) {
        return Ok(member);
    }
    if !team.admits(&user.email) {
        return Err(AppError::new("api.team.join_user_to_team.allowed_domains.app_error"));
    }
    let member = Member::new(&team.id, user);
    app.db.join_team(&member, &DEFAULT_CHANNELS.map(|(name, _)| name), most_members, now_ms()).await.or_fail(FAILED)?;
    let joined = app.db.team_member(&team.id, &user.id).await.or_fail(FAILED)?.filter(Member::is_active);
    let Some(joined) = joined else {
        let is_gone = app.db.user(&user.id).await.or_fail(FAILED)?.is_none();
        let id = if is_gone {
            "app.user.missing_account.const"
        } else {
            "app.team.join_user_to_team.max_accounts.app_error"
        };
        return Err(AppError::new(id));
    };
    announce::added_to_team(app, &team.id, &user.id).await;
    Ok(joined)
}

impl Proposal {
    /// A team that anybody may join who is invited.
    pub(crate) fn open(name: String, display_name: String) -> Self {
        Self { name, display_name, kind: OPEN.to_owned(), ..Self::default() }
    }
}

impl Team {
    /// Whether anybody may join, and so may see it.
    pub(crate) fn is_open(&self) -> bool {
        self.kind == OPEN && self.allow_open_invite
    }

    /// The team as somebody with that standing sees it: its address and its invitation are for those who need them.
    pub(crate) fn seen_with(self, standing: &Standing) -> Self {
        if standing.may("manage_team") {
            return self;
        }
        let invite_id = if standing.may("invite_user") { self.invite_id } else { String::new() };
        Self { email: String::new(), invite_id, ..self }
    }

    /// Whether somebody with that address may be a member.
    fn admits(&self, email: &str) -> bool {
        let allowed = self.allowed_domains.replace(['@', ','], " ").to_lowercase();
        let mut domains = allowed.split_whitespace().peekable();
        let is_free = domains.peek().is_none();
        is_free || domains.any(|domain| email.ends_with(&format!("@{domain}")))
    }

    /// Refuses a team with a member that breaks its rule; the first one that does decides.
    fn check(&self) -> Result<(), AppError> {
        let rules = [
            ("email", self.email.is_empty() || is_email(&self.email)),
            ("name", (1..=LONGEST_NAME).contains(&self.display_name.chars().count())),
            ("url", self.name.len() <= LONGEST_NAME),
            ("description", self.description.chars().count() <= LONGEST_DESCRIPTION),
            ("reserved", !RESERVED_NAMES.iter().any(|word| self.name.to_lowercase().starts_with(word))),
            ("characters", is_team_name(&self.name)),
            ("type", [OPEN, INVITE_ONLY].contains(&self.kind.as_str())),
            ("company", self.company_name.chars().count() <= LONGEST_COMPANY),
            ("domains", self.allowed_domains.len() <= LONGEST_DOMAINS),
        ];
        match rules.iter().find(|(_, is_kept)| !is_kept) {
            Some((rule, _)) => Err(AppError::new(format!("model.team.is_valid.{rule}.app_error"))),
            None => Ok(()),
        }
    }
}

/// Whether `name` can be a team's: lower-case letters, digits and hyphens, with a letter or digit at both ends.
pub(crate) fn is_team_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let has_length = (SHORTEST_NAME..=LONGEST_NAME).contains(&name.len());
    let has_alphabet = name.bytes().all(|byte| is_plain(byte) || byte == b'-');
    has_length && has_alphabet && !name.starts_with('-') && !name.ends_with('-')
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_name_has_two_to_sixty_four_characters_of_its_alphabet() {
        for name in ["ab", "a-b", "4you", &"x".repeat(64)] {
            assert!(is_team_name(name), "{name}");
        }
        for name in ["", "a", "A-b", "-ab", "ab-", "a_b", "a b", "äb", &"x".repeat(65)] {
            assert!(!is_team_name(name), "{name}");
        }
    }

    #[test]
    fn a_team_admits_the_addresses_of_its_domains() {
        let team = |domains: &str| Team { allowed_domains: domains.to_owned(), ..Team::default() };
        assert!(team("").admits("a@any.example"));
        assert!(team("@Chat.example, b.example").admits("a@chat.example"));
        assert!(!team("chat.example").admits("a@xchat.example"));
    }
}
