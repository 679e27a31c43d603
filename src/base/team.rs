//! Teams and their members: the stored form, the form in responses, and their validation.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::schema::one_of;
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::base::scheme_roles::{SchemeRoleNames, TEAM_ROLES};
use crate::base::user::{User, is_email};

const MIN_NAME_CHARACTERS: usize = 2;
const MAX_NAME_CHARACTERS: usize = 64;
const MAX_DESCRIPTION_CHARACTERS: usize = 255;
const MAX_COMPANY_CHARACTERS: usize = 64;
const MAX_DOMAINS_CHARACTERS: usize = 1000;

/// The names of the channels that every team has and every member joins.
pub(crate) const DEFAULT_CHANNELS: [&str; 2] = [TOWN_SQUARE, OFF_TOPIC];
pub(crate) const TOWN_SQUARE: &str = "town-square";
pub(crate) const OFF_TOPIC: &str = "off-topic";

/// The type of a team that any user may join, if it also allows open invitations.
pub(crate) const OPEN: &str = "O";
/// The type of a team that users join by invitation.
pub(crate) const INVITE_ONLY: &str = "I";

/// Prefixes that a team's name must not have, because they are paths of the web app and the server.
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

/// A team, with its fields in the order of the API. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Team {
    /// The team's id.
    pub(crate) id: String,
    /// The time of its creation.
    pub(crate) create_at: i64,
    /// The time of its last change.
    pub(crate) update_at: i64,
    /// The time at which it was archived, or 0.
    pub(crate) delete_at: i64,
    /// The name for display.
    pub(crate) display_name: String,
    /// The name in addresses.
    pub(crate) name: String,
    /// The description.
    pub(crate) description: String,
    /// The e-mail address; only for callers who may manage the team.
    pub(crate) email: String,
    /// The type: `O` for open, `I` for by invitation.
    #[serde(rename = "type")]
    #[schema(value_type = TeamType)]
    pub(crate) kind: String,
    /// The company.
    pub(crate) company_name: String,
    /// The domains whose e-mail addresses may join.
    pub(crate) allowed_domains: String,
    /// The id in invitations; only for callers who may invite.
    pub(crate) invite_id: String,
    /// True if any user may join.
    pub(crate) allow_open_invite: bool,
    /// The time at which the picture was set.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) last_team_icon_update: i64,
    /// The id of its permission scheme.
    pub(crate) scheme_id: Option<String>,
    /// True if groups determine its members.
    pub(crate) group_constrained: Option<bool>,
    /// The id of its retention policy.
    pub(crate) policy_id: Option<String>,
    /// True if a limit archived it.
    pub(crate) cloud_limits_archived: bool,
}

/// The schema of a team's type.
pub(crate) enum TeamType {}

impl PartialSchema for TeamType {
    fn schema() -> RefOr<Schema> {
        one_of("The type of a team: `O` for open, `I` for by invitation.", [OPEN, INVITE_ONLY])
    }
}

impl ToSchema for TeamType {}

/// A channel that every new team gets.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) display_name: &'static str,
}

/// The counts of unread messages of a user in a team.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = TeamUnread)]
pub(crate) struct Unread {
    /// The team's id.
    pub(crate) team_id: String,
    /// Unread messages.
    pub(crate) msg_count: i64,
    /// Unread mentions.
    pub(crate) mention_count: i64,
    /// Unread mentions in root posts.
    pub(crate) mention_count_root: i64,
    /// Unread root posts.
    pub(crate) msg_count_root: i64,
    /// Unread threads.
    pub(crate) thread_count: i64,
    /// Unread mentions in threads.
    pub(crate) thread_mention_count: i64,
    /// Unread urgent mentions in threads.
    pub(crate) thread_urgent_mention_count: i64,
}

/// The numbers of members of a team.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = TeamStats)]
pub(crate) struct TeamSize {
    /// The team's id.
    pub(crate) team_id: String,
    /// All members, including deactivated accounts.
    pub(crate) total_member_count: i64,
    /// The members with an active account.
    pub(crate) active_member_count: i64,
}

impl Team {
    /// Returns true if any user may join the team, and so may see it.
    pub(crate) fn is_open(&self) -> bool {
        self.kind == OPEN && self.allow_open_invite
    }

    /// Returns true if the team admits this user: the domain of the address must be among those of the team and among
    /// those of the server. For a guest, only the server's domains of guests count.
    pub(crate) fn admits(&self, user: &User, config: &Config) -> bool {
        let view = &config.view;
        user.is_bot
            || if user.has_role("system_guest") {
                is_in_domains(&user.email, &view.guests.restrict_creation_to_domains)
            } else {
                is_in_domains(&user.email, &self.allowed_domains)
                    && is_in_domains(&user.email, &view.team.restrict_creation_to_domains)
            }
    }

    /// Refuses a team with an invalid field; the error names the first one.
    pub(crate) fn check(&self) -> Result<(), AppError> {
        refuse_first(&self.rules())
    }

    /// Refuses a changed team with an invalid field. The fields that no change sets are not checked, because they may
    /// be older than their rules.
    pub(crate) fn check_edit(&self) -> Result<(), AppError> {
        let fixed = ["email", "url", "reserved", "characters"];
        let rules: Vec<_> = self.rules().into_iter().filter(|(rule, _)| !fixed.contains(rule)).collect();
        refuse_first(&rules)
    }

    /// Returns each rule with whether the team keeps it, in the order in which they are checked.
    fn rules(&self) -> [(&'static str, bool); 9] {
        [
            ("email", self.email.is_empty() || is_email(&self.email)),
            ("name", (1..=MAX_NAME_CHARACTERS).contains(&self.display_name.chars().count())),
            ("url", self.name.len() <= MAX_NAME_CHARACTERS),
            ("description", self.description.chars().count() <= MAX_DESCRIPTION_CHARACTERS),
            ("reserved", !RESERVED_NAMES.iter().any(|word| self.name.to_lowercase().starts_with(word))),
            ("characters", is_team_name(&self.name)),
            ("type", [OPEN, INVITE_ONLY].contains(&self.kind.as_str())),
            ("company", self.company_name.chars().count() <= MAX_COMPANY_CHARACTERS),
            ("domains", self.allowed_domains.len() <= MAX_DOMAINS_CHARACTERS),
        ]
    }
}

fn refuse_first(rules: &[(&str, bool)]) -> Result<(), AppError> {
    match rules.iter().find(|(_, is_met)| !is_met) {
        Some((rule, _)) => Err(AppError::new(format!("model.team.is_valid.{rule}.app_error"))),
        None => Ok(()),
    }
}

/// A membership in a team, as stored. `delete_at` is the time at which the user left, or 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) team_id: String,
    pub(crate) user_id: String,
    /// The roles beside those that the three flags below imply.
    pub(crate) roles: String,
    pub(crate) delete_at: i64,
    pub(crate) is_guest: bool,
    pub(crate) is_user: bool,
    pub(crate) is_admin: bool,
    /// The roles that the flags stand for in the scheme of the team.
    pub(crate) scheme: SchemeRoleNames,
}

/// A membership in a response, with its keys in the order of Mattermost.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = TeamMember)]
pub(crate) struct MemberView {
    /// The team's id.
    team_id: String,
    /// The user's id.
    user_id: String,
    /// The names of all roles in the team, separated by spaces.
    roles: String,
    /// The time at which the user left, in Unix milliseconds, or 0.
    delete_at: i64,
    /// True if the user is a guest.
    scheme_guest: bool,
    /// True if the user is a member.
    scheme_user: bool,
    /// True if the user is an administrator of the team.
    scheme_admin: bool,
    /// The roles beside those three, separated by spaces.
    explicit_roles: String,
}

impl Member {
    /// Returns the membership of the user who created the team, as its administrator.
    pub(crate) fn leader(team_id: &str, user_id: &str) -> Self {
        let (team_id, user_id) = (team_id.to_owned(), user_id.to_owned());
        Self { team_id, user_id, is_user: true, is_admin: true, ..Self::default() }
    }

    /// Returns true if the user is still in the team.
    pub(crate) fn is_active(&self) -> bool {
        self.delete_at == 0
    }

    /// Returns the names of all roles in the team, separated by spaces.
    pub(crate) fn all_roles(&self) -> String {
        let marks = [self.is_guest, self.is_user, self.is_admin];
        let marked = self.scheme_roles().into_iter().zip(marks).filter(|(_, is_set)| *is_set).map(|(role, _)| role);
        self.roles.split_whitespace().chain(marked).collect::<Vec<_>>().join(" ")
    }

    /// Returns the names of the roles of guests, users and administrators in the team.
    pub(crate) fn scheme_roles(&self) -> [&str; 3] {
        self.scheme.or(TEAM_ROLES)
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

/// Returns true if the address has one of these domains, which commas or blanks separate. An empty list has all.
pub(crate) fn is_in_domains(email: &str, allowed: &str) -> bool {
    let allowed = domains(allowed);
    allowed.is_empty() || allowed.iter().any(|domain| email.ends_with(&format!("@{domain}")))
}

/// Returns the domains of a list, in which commas or blanks separate them, in lower case.
pub(crate) fn domains(list: &str) -> Vec<String> {
    list.replace(['@', ','], " ").to_lowercase().split_whitespace().map(str::to_owned).collect()
}

/// Returns true for a valid team name: lower-case letters, digits and hyphens, with no hyphen at either end.
pub(crate) fn is_team_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let has_length = (MIN_NAME_CHARACTERS..=MAX_NAME_CHARACTERS).contains(&name.len());
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
        let config = |domains: &str, of_guests: &str| {
            let settings = [
                ("TeamSettings.RestrictCreationToDomains", domains),
                ("GuestAccountsSettings.RestrictCreationToDomains", of_guests),
            ];
            Config::from_overrides(settings.map(|(path, text)| (path.to_owned(), text.into()))).unwrap()
        };
        let admits = |domains: &str, config: &Config, roles: &str| {
            let user = User { email: "a@chat.example".to_owned(), roles: roles.to_owned(), ..User::default() };
            Team { allowed_domains: domains.to_owned(), ..Team::default() }.admits(&user, config)
        };
        let free = config("", "");
        assert!(admits("", &free, "system_user"));
        assert!(admits("@Chat.example, b.example", &free, "system_user"));
        assert!(!admits("xchat.example", &free, "system_user"));
        let narrow = config("b.example", "chat.example");
        assert!(!admits("", &narrow, "system_user") && !admits("chat.example", &narrow, "system_user"));
        assert!(admits("b.example", &narrow, "system_guest"), "the domains of guests count");
        assert!(!admits("", &config("chat.example", "b.example"), "system_guest"));
    }
}
