//! Accounts of users who were invited, and members who join a team by an invitation.
//!
//! The account, the membership and the end of the invitation are one transaction: of two requests with one token one
//! succeeds, and a crash leaves no account without its team.

use quarterdeck_actors::error::AppError;

use super::{AccountLimit, Entry};
use crate::base::team::DEFAULT_CHANNELS;
use crate::base::user::User;
use crate::store::foreign::Companions;
use crate::store::mail_tokens::{MailTokenKind, redeeming, selection, token};
use crate::store::teams::{JoinRules, entry, entry_by_id, joining};
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

/// An invitation to a team.
#[derive(Debug, Clone)]
pub(crate) struct Invitation {
    pub(crate) team_id: String,
    /// Channels beside those that every member joins.
    pub(crate) channel_ids: Vec<String>,
    pub(crate) proof: InvitationProof,
}

/// The proof that a user was invited. It is checked again in the transaction.
#[derive(Debug, Clone)]
pub(crate) enum InvitationProof {
    /// A token from a mail: its place and the digest that is stored there.
    Mail { kind: MailTokenKind, owner: String, place: usize, digest: String },
    /// The invitation id of the team.
    InviteId(String),
}

impl Db {
    /// Adds an account, makes it a member of the team and ends the invitation. Returns its roles.
    ///
    /// Refuses if the invitation no longer holds, or the team is full. Adds nothing and returns `None`
    /// when the condition `place` of an account does not hold in the transaction.
    pub(crate) async fn add_invited_user(
        &self,
        user: &User,
        place: (Entry, AccountLimit),
        invitation: &Invitation,
        rules: JoinRules,
    ) -> Result<Option<String>, StoreError> {
        let adding = self.adding(user, place.0, place.1);
        let companions = self.companions().await?;
        let entering = entering(&user.id, invitation, companions, (rules, user.create_at));
        let statements = adding.into_iter().chain(entering).collect();
        let (reads, decide) = (proving(invitation, &user.id), decision(invitation, rules, statements));
        let transaction = locked(Transaction::decided(reads, decide), invitation).lock_exclusive(Subject::Accounts);
        let mut answers = self.transaction(transaction).await?;
        let inserted = answers.get_mut(2).and_then(|rows| rows.first_mut());
        inserted.map(Row::text).transpose()
    }

    /// Makes an existing account a member of the team and ends the invitation, under the same conditions. Refuses an
    /// invitation of a member for a guest, and the other way round. A member takes no further place in a full team.
    pub(crate) async fn join_invited(
        &self,
        user_id: &str,
        invitation: &Invitation,
        rules: JoinRules,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut reads = proving(invitation, user_id);
        reads.push(statement("SELECT u.roles FROM users u WHERE u.id = $1", vec![user_id.into()]));
        let companions = self.companions().await?;
        let decide_entry = decision(invitation, rules, entering(user_id, invitation, companions, (rules, now)));
        let proof = invitation.proof.clone();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(mut account) = answers.get(2).and_then(|rows| rows.first()).cloned() else {
                return Err(refused("app.user.missing_account.const"));
            };
            let is_guest = account.text()?.split_whitespace().any(|role| role == "system_guest");
            match &proof {
                InvitationProof::Mail { kind, .. } if is_guest != (*kind == MailTokenKind::GuestInvitation) => {
                    return Err(refused("api.user.create_user.invalid_invitation_type.app_error"));
                }
                InvitationProof::InviteId(_) if is_guest => {
                    return Err(refused("api.team.add_user_to_team_from_invite.guest.app_error"));
                }
                InvitationProof::Mail { .. } | InvitationProof::InviteId(_) => {}
            }
            decide_entry(answers)
        };
        let transaction = locked(Transaction::decided(reads, decide), invitation);
        self.transaction(transaction.lock_exclusive(Subject::User(user_id))).await.map(drop)
    }
}

fn locked(transaction: Transaction, invitation: &Invitation) -> Transaction {
    let transaction = transaction.lock_exclusive(Subject::Team(&invitation.team_id));
    match &invitation.proof {
        InvitationProof::Mail { owner, .. } => transaction.lock_exclusive(Subject::User(owner)),
        InvitationProof::InviteId(_) => transaction,
    }
}

/// Returns the statements that read the proof, and two numbers if the team is not archived: its active accounts, and 1 if
/// the user is one of them.
fn proving(invitation: &Invitation, user_id: &str) -> Vec<Statement> {
    let proof = match &invitation.proof {
        InvitationProof::Mail { kind, owner, place, .. } => selection(*kind, owner, *place),
        InvitationProof::InviteId(id) => {
            let sql = "SELECT t.id FROM teams t WHERE t.id = $1 AND t.inviteid = $2";
            statement(sql, vec![(&invitation.team_id).into(), id.into()])
        }
    };
    let team = "SELECT COUNT(u.id), COALESCE(MAX(CASE WHEN u.id = $2 THEN 1 ELSE 0 END), 0) FROM teams t LEFT JOIN teammembers m ON m.teamid = t.id AND m.deleteat = 0 \
                LEFT JOIN users u ON u.id = m.userid AND u.deleteat = 0 WHERE t.id = $1 AND t.deleteat = 0 GROUP BY t.id";
    vec![proof, statement(team, vec![(&invitation.team_id).into(), user_id.into()])]
}

fn entering(
    user_id: &str,
    invitation: &Invitation,
    companions: Companions,
    (rules, now): (JoinRules, i64),
) -> Vec<Statement> {
    let team_id = &invitation.team_id;
    let default_channels = entry(team_id, user_id, &DEFAULT_CHANNELS, now);
    let mut statements = vec![joining(team_id, user_id, rules, now), companions.noting_joins(default_channels)];
    if !invitation.channel_ids.is_empty() {
        statements.push(companions.noting_joins(entry_by_id(team_id, user_id, &invitation.channel_ids, now)));
    }
    if let InvitationProof::Mail { kind, owner, .. } = &invitation.proof {
        statements.push(redeeming(*kind, owner, team_id, user_id));
    }
    statements
}

fn decision(
    invitation: &Invitation,
    rules: JoinRules,
    statements: Vec<Statement>,
) -> impl Fn(&[Vec<Row>]) -> Result<Vec<Statement>, StoreError> + Send + Sync + 'static {
    let proof = invitation.proof.clone();
    move |answers| {
        let row = |at: usize| answers.get(at).and_then(|rows| rows.first()).cloned();
        let holds = match &proof {
            InvitationProof::Mail { digest, .. } => {
                row(0).map_or(Ok(None), token)?.is_some_and(|token| token.digest == *digest)
            }
            InvitationProof::InviteId(_) => row(0).is_some(),
        };
        if !holds {
            return Err(refused("api.user.create_user.signup_link_invalid.app_error"));
        }
        let Some(mut team) = row(1) else { return Err(refused("app.team.get.find.app_error")) };
        let (members, is_member) = (team.int()?, team.int()? == 1);
        if members >= rules.max_members && !is_member {
            return Err(refused("app.team.join_user_to_team.save_member.max_accounts.app_error"));
        }
        Ok(statements.clone())
    }
}

fn refused(id: &'static str) -> StoreError {
    StoreError::Refused(Box::new(AppError::new(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::team::{Channel, Member, Team};
    use crate::store::testing::{add, execute, fresh, texts};
    use crate::store::{InvitedTo, MailToken};

    const KIND: MailTokenKind = MailTokenKind::Invitation;
    const ANY: (Entry, AccountLimit) = (Entry::Further, AccountLimit::Unlimited);

    async fn place() -> (tempfile::TempDir, Db, Invitation) {
        let (folder, db) = fresh().await;
        add(&db, "anna").await;
        let team = Team {
            id: "crew".to_owned(),
            name: "crew".to_owned(),
            invite_id: "i".to_owned(),
            kind: "O".to_owned(),
            ..Team::default()
        };
        let channel = |id: &str, name| Channel { id: id.to_owned(), name, display_name: name };
        let channels = [channel("square", "town-square"), channel("extra", "extra")];
        assert!(db.add_team(&team, &channels, Some(&Member::leader("crew", "anna"))).await.unwrap());
        let channel_ids = vec!["extra".to_owned(), "of-another-team".to_owned()];
        let invited_to = Some(InvitedTo { team_id: "crew".to_owned(), channel_ids: channel_ids.clone() });
        let token =
            MailToken { create_at: 1, email: "dora@chat.example".to_owned(), digest: "d".to_owned(), invited_to };
        assert_eq!(db.add_mail_token(KIND, "owner", token, 0).await.unwrap(), Some(0));
        let proof = InvitationProof::Mail { kind: KIND, owner: "owner".to_owned(), place: 0, digest: "d".to_owned() };
        (folder, db, Invitation { team_id: "crew".to_owned(), channel_ids, proof })
    }

    fn of(max_members: i64) -> JoinRules {
        JoinRules { max_members, needs_verification: false }
    }

    fn user(name: &str, roles: &str) -> User {
        User {
            id: name.to_owned(),
            username: name.to_owned(),
            email: format!("{name}@chat.example"),
            roles: roles.to_owned(),
            ..User::default()
        }
    }

    fn refusal(outcome: Result<Option<String>, StoreError>) -> String {
        match outcome {
            Err(StoreError::Refused(refusal)) => refusal.id.to_string(),
            other => format!("{other:?}"),
        }
    }

    const INVALID: &str = "api.user.create_user.signup_link_invalid.app_error";
    const FULL: &str = "app.team.join_user_to_team.save_member.max_accounts.app_error";

    #[actix_web::test]
    async fn an_invited_account_has_its_team_and_channels_and_ends_the_invitation() {
        let (_folder, db, invitation) = place().await;
        let dora = user("dora", "system_user");
        assert_eq!(refusal(db.add_invited_user(&dora, ANY, &invitation, of(1)).await), FULL);
        let first = (Entry::First, AccountLimit::Unlimited);
        assert_eq!(db.add_invited_user(&dora, first, &invitation, of(9)).await.unwrap(), None);
        assert_eq!(texts(&db, "SELECT token FROM tokens").await.len(), 1, "it is still open");
        assert_eq!(db.add_invited_user(&dora, ANY, &invitation, of(9)).await.unwrap().as_deref(), Some("system_user"));
        assert_eq!(db.team_member("crew", "dora").await.unwrap().unwrap().all_roles(), "team_user");
        let channels = "SELECT channelid FROM channelmembers WHERE userid = 'dora' ORDER BY channelid";
        assert_eq!(texts(&db, channels).await, ["extra", "square"]);
        assert!(texts(&db, "SELECT token FROM tokens").await.is_empty());
        assert_eq!(refusal(db.add_invited_user(&user("emil", "system_user"), ANY, &invitation, of(9)).await), INVALID);
        assert!(db.user("emil").await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn of_two_requests_with_one_token_one_succeeds() {
        let (_folder, db, invitation) = place().await;
        let (dora, emil) = (user("dora", "system_user"), user("emil", "system_user"));
        let (one, two) = tokio::join!(
            db.add_invited_user(&dora, ANY, &invitation, of(9)),
            db.add_invited_user(&emil, ANY, &invitation, of(9))
        );
        assert_eq!([one.is_ok(), two.is_ok()].into_iter().filter(|is_ok| *is_ok).count(), 1);
        let members = "SELECT userid FROM teammembers WHERE userid <> 'anna'";
        assert_eq!(texts(&db, members).await.len(), 1);
        assert_eq!(texts(&db, "SELECT id FROM users").await.len(), 2);
    }

    #[actix_web::test]
    async fn a_guest_enters_only_the_channels_of_the_invitation() {
        let (_folder, db, invitation) = place().await;
        let guest = user("gast", "system_guest");
        db.add_invited_user(&guest, ANY, &invitation, of(9)).await.unwrap().unwrap();
        assert_eq!(db.team_member("crew", "gast").await.unwrap().unwrap().all_roles(), "team_guest");
        assert_eq!(texts(&db, "SELECT channelid FROM channelmembers WHERE userid = 'gast'").await, ["extra"]);
    }

    #[actix_web::test]
    async fn an_account_that_became_a_guest_meanwhile_joins_by_an_invitation_of_guests_only() {
        let (_folder, db, invitation) = place().await;
        add(&db, "bert").await;
        let by_id = Invitation { proof: InvitationProof::InviteId("i".to_owned()), ..invitation.clone() };
        let InvitationProof::Mail { owner, place, digest, .. } = invitation.proof.clone() else { unreachable!() };
        let kind = MailTokenKind::GuestInvitation;
        let invited_to = Some(InvitedTo { team_id: "crew".to_owned(), channel_ids: invitation.channel_ids.clone() });
        let token =
            MailToken { create_at: 1, email: "bert@chat.example".to_owned(), digest: digest.clone(), invited_to };
        db.add_mail_token(kind, &owner, token, 0).await.unwrap();
        let of_guests =
            Invitation { proof: InvitationProof::Mail { kind, owner, place, digest }, ..invitation.clone() };
        let joined = async |by: &Invitation| db.join_invited("bert", by, of(9), 1).await.map(|()| None);
        let wrong_kind = "api.user.create_user.invalid_invitation_type.app_error";
        assert_eq!(refusal(joined(&of_guests).await), wrong_kind);
        execute(&db, "UPDATE users SET roles = 'system_guest' WHERE id = 'bert'").await;
        assert_eq!(refusal(joined(&invitation).await), wrong_kind);
        assert_eq!(refusal(joined(&by_id).await), "api.team.add_user_to_team_from_invite.guest.app_error");
        assert!(db.team_member("crew", "bert").await.unwrap().is_none());
        joined(&of_guests).await.unwrap();
        assert_eq!(db.team_member("crew", "bert").await.unwrap().unwrap().all_roles(), "team_guest");
        assert_eq!(texts(&db, "SELECT channelid FROM channelmembers WHERE userid = 'bert'").await, ["extra"]);
        execute(&db, "DELETE FROM users WHERE id = 'bert'").await;
        assert_eq!(refusal(joined(&by_id).await), "app.user.missing_account.const");
    }

    #[actix_web::test]
    async fn a_member_takes_no_further_place_in_a_full_team() {
        let (_folder, db, invitation) = place().await;
        let by_id = Invitation { proof: InvitationProof::InviteId("i".to_owned()), ..invitation };
        let joined = async |name: &str| db.join_invited(name, &by_id, of(1), 1).await.map(|()| None);
        joined("anna").await.unwrap();
        add(&db, "bert").await;
        assert_eq!(refusal(joined("bert").await), "app.team.join_user_to_team.save_member.max_accounts.app_error");
        execute(&db, "UPDATE teammembers SET deleteat = 5 WHERE userid = 'anna'").await;
        joined("bert").await.unwrap();
        assert_eq!(refusal(joined("anna").await), "app.team.join_user_to_team.save_member.max_accounts.app_error");
    }

    #[actix_web::test]
    async fn an_existing_account_joins_once_and_not_an_archived_team() {
        let (_folder, db, invitation) = place().await;
        add(&db, "bert").await;
        let archive = |at: i64| move |team: &Team| Ok(Some(Team { delete_at: at, ..team.clone() }));
        db.change_team("crew", 5, archive(5)).await.unwrap();
        let joined = async || db.join_invited("bert", &invitation, of(9), 1).await.map(|()| None);
        assert_eq!(refusal(joined().await), "app.team.get.find.app_error");
        db.change_team("crew", 6, archive(0)).await.unwrap();
        joined().await.unwrap();
        assert!(db.team_member("crew", "bert").await.unwrap().is_some());
        assert_eq!(refusal(joined().await), INVALID);
        let by_id = |id: &str| Invitation { proof: InvitationProof::InviteId(id.to_owned()), ..invitation.clone() };
        assert_eq!(refusal(db.add_invited_user(&user("dora", "system_user"), ANY, &by_id("j"), of(9)).await), INVALID);
        assert!(db.add_invited_user(&user("dora", "system_user"), ANY, &by_id("i"), of(9)).await.unwrap().is_some());
    }
}
