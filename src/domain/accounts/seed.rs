//! Accounts for tests of clients: an administrator with a session, and users, all with one password.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditHandle, AuditRecord, Status};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::PasswordSettings;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::Session;
use serde_json::json;

use super::Accounts;
use super::login::{Credentials, open};
use super::signup::{Signup, checked, refusal};
use crate::base::user::{Profile, User};
use crate::domain::passwords::hash_of_random;
use crate::store::{AccountLimit, Entry, own_record};

/// The username of the administrator.
const ADMIN: &str = "admin";

/// The domain of all addresses, if the settings allow every domain.
const DOMAIN: &str = "example.org";

/// The end of every password. It has a character of each kind that settings can require.
const PASSWORD_END: &str = "-aA1";

/// The shortest password, in bytes.
const MIN_PASSWORD_BYTES: usize = 30;

/// The accounts to create.
pub(crate) struct Seed {
    /// The number of users beside the administrator.
    pub(crate) users: usize,
    /// The password of all accounts.
    pub(crate) password: Secret,
}

/// The accounts that were created.
pub(crate) struct Seeded {
    pub(crate) admin: User,
    /// A session of the administrator.
    pub(crate) session: Arc<Session>,
    pub(crate) users: Vec<User>,
}

/// Returns a random password that a policy allows.
pub(crate) fn suitable_password(policy: &PasswordSettings) -> Secret {
    let length = policy.minimum_length.max(MIN_PASSWORD_BYTES) - PASSWORD_END.len();
    let mut text = String::new();
    while text.len() < length {
        text += &new_id();
    }
    text.truncate(length);
    Secret::new(text + PASSWORD_END)
}

/// Creates the accounts, and opens a session of the administrator. Returns an error if there is an account already.
pub(crate) async fn seed(
    accounts: &Accounts,
    audit: &AuditHandle,
    config: &Config,
    seed: Seed,
) -> Result<Seeded, AppError> {
    const FAILED: &str = "app.user.save.app_error";
    let hash = hash_of_random(&seed.password);
    let account = |name: String| account(config, name, &seed.password, &hash);
    let mut admin = account(ADMIN.to_owned())?;
    let users = (1..=seed.users).map(|number| account(format!("user-{number}"))).collect::<Result<Vec<_>, _>>()?;
    let record = own_record("createUser", Status::Success, json!({ "users": users.len() }));
    let record = AuditRecord { source: "cli", after: admin.made(), ..record };
    let adding = async {
        let roles = accounts.db.add_user(&admin, Entry::First, AccountLimit::Unlimited).await?;
        accounts.db.add_users(&users).await?;
        Ok(roles)
    };
    let roles = Draft::new(record.clone()).around(adding).await.map_err(refusal)?;
    audit.record(record).await;
    admin.roles = roles.ok_or_else(|| AppError::new(FAILED))?;
    let credentials = Credentials {
        id: String::new(),
        login_id: admin.username.clone(),
        password: seed.password,
        code: Secret::default(),
        device_id: String::new(),
        user_agent: String::new(),
        requires_reauthentication: false,
    };
    let session = open(accounts, config, (&admin, hash.clone()), &credentials).await?;
    accounts.db.set_last_login(&admin.id, &admin.password, admin.create_at).await.or_fail(FAILED)?;
    Ok(Seeded { admin, session, users })
}

fn account(config: &Config, name: String, password: &Secret, hash: &Secret) -> Result<User, AppError> {
    let allowed = config.view.team.restrict_creation_to_domains.replace(['@', ','], " ").to_lowercase();
    let domain = allowed.split_whitespace().next().unwrap_or(DOMAIN);
    let profile = Profile {
        email: Some(format!("{name}@{domain}")),
        username: Some(name),
        email_verified: Some(true),
        ..Profile::default()
    };
    let user = checked(profile, password.expose(), Signup::ByAdmin, config)?;
    Ok(User { password: hash.clone(), ..user })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::passwords::check_policy;

    #[test]
    fn a_password_fulfils_every_policy_that_the_settings_allow_and_is_never_the_same() {
        for minimum_length in [5, 8, 30, 64, 72] {
            let policy =
                PasswordSettings { minimum_length, lowercase: true, uppercase: true, number: true, symbol: true };
            let password = suitable_password(&policy);
            assert!(check_policy(password.expose(), &policy).is_ok(), "{minimum_length}");
            assert_ne!(password.expose(), suitable_password(&policy).expose());
        }
    }
}
