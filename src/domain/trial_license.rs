//! Trial licences: the request for one, and the service that issues it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::base::any_case::AnyCase;
use crate::base::user::{User, is_email};
use crate::base::version::API_VERSION;
use crate::domain::license::{VerificationKey, previous_trial};
use crate::outbound::client::{Call, Chosen, Outbound};
use crate::store::Db;

/// The domains of mail providers that give an address to any user, one on each line.
const FREE_MAIL: &str = include_str!("trial_license/free_mail.txt");

/// The largest accepted response of the service, in bytes: more than any licence that can be stored.
const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// The length of the service's reason for a refusal that is passed on, in characters.
const MAX_REASON_CHARACTERS: usize = 256;

/// The timeout for waiting until another trial request is finished.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);

const BAD: &str = "api.license.request-trial.bad-request";

/// The request for a trial. Without the members about a company, it is the short form.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct TrialRequest {
    /// The number of accounts.
    #[serde(default, deserialize_with = "or_nothing")]
    users: i64,
    /// True if the terms are accepted.
    #[serde(default, deserialize_with = "or_nothing")]
    terms_accepted: bool,
    /// True if mails are accepted.
    #[serde(default, deserialize_with = "or_nothing")]
    receive_emails_accepted: bool,
    /// The name of the contact.
    #[serde(default, deserialize_with = "or_nothing")]
    contact_name: String,
    /// The e-mail address of the contact.
    #[serde(default, deserialize_with = "or_nothing")]
    contact_email: String,
    /// The company.
    #[serde(default, deserialize_with = "or_nothing")]
    company_name: String,
    /// The country of the company.
    #[serde(default, deserialize_with = "or_nothing")]
    company_country: String,
    /// The size of the company.
    #[serde(default, deserialize_with = "or_nothing")]
    company_size: String,
}

/// Reads a member; `null` counts as absent.
fn or_nothing<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl TrialRequest {
    /// Parses a request body. Every mistake gives the same error.
    pub(crate) fn read(body: Result<Bytes, AppError>) -> Result<Self, AppError> {
        let bytes = body.or_fail(BAD)?;
        // The first byte is checked, because serde also accepts an array for a struct.
        let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
        let trial_request = is_object
            .then(|| serde_json::from_slice(&bytes).ok())
            .flatten()
            .map(|AnyCase(trial_request)| trial_request);
        trial_request
            .ok_or_else(|| AppError::new(BAD).because("it is not a JSON object with members of the right types"))
    }

    /// Refuses the short form without consent or without a number of accounts.
    pub(crate) fn check_short(&self) -> Result<(), AppError> {
        if !self.is_short() {
            return Ok(());
        }
        if !self.terms_accepted {
            return Err(AppError::new("api.license.request-trial.bad-request.terms-not-accepted"));
        }
        if self.users > 0 { Ok(()) } else { Err(AppError::new(BAD)) }
    }

    /// Refuses the long form with an address of a free mail provider, or with a missing member.
    pub(crate) fn check_long(&self) -> Result<(), AppError> {
        if self.is_short() {
            return Ok(());
        }
        if !is_business_email(&self.contact_email) {
            return Err(AppError::new("api.license.request-trial.bad-request.business-email"));
        }
        let texts = [&self.company_country, &self.company_name, &self.company_size, &self.contact_name];
        let is_complete = self.terms_accepted && self.users > 0 && texts.iter().all(|text| !text.is_empty());
        if is_complete { Ok(()) } else { Err(AppError::new(BAD)) }
    }

    fn is_short(&self) -> bool {
        let words = [&self.company_country, &self.company_name, &self.company_size, &self.contact_name];
        words.iter().all(|word| word.is_empty())
    }
}

/// Returns true for a valid email address whose domain is not that of a free mail provider.
fn is_business_email(text: &str) -> bool {
    let text = text.to_lowercase();
    let Some((_, domain)) = text.split_once('@').filter(|_| is_email(&text)) else { return false };
    let labels: Vec<&str> = domain.split('.').collect();
    let has_labels = labels.len() > 1 && labels.iter().all(|label| !label.is_empty());
    let is_at = |free: &str| domain.strip_suffix(free).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    has_labels && !FREE_MAIL.lines().any(is_at)
}

/// The request to the service, with its names.
#[derive(Serialize)]
struct Application<'a> {
    server_id: &'a str,
    email: &'a str,
    name: String,
    site_url: &'a str,
    site_name: &'a str,
    users: i64,
    terms_accepted: bool,
    receive_emails_accepted: bool,
    contact_name: &'a str,
    contact_email: &'a str,
    company_name: &'a str,
    company_country: &'a str,
    company_size: &'a str,
    /// Sent with the long form only.
    #[serde(skip_serializing_if = "str::is_empty")]
    server_version: &'a str,
}

impl<'a> Application<'a> {
    fn of(trial_request: &'a TrialRequest, caller: &'a User, server_id: &'a str, config: &'a Config) -> Self {
        Self {
            server_id,
            email: &caller.email,
            name: format!("{} {}", caller.first_name, caller.last_name).trim().to_owned(),
            site_url: &config.view.service.site_url,
            site_name: &config.view.team.site_name,
            users: trial_request.users,
            terms_accepted: trial_request.terms_accepted,
            receive_emails_accepted: trial_request.receive_emails_accepted,
            contact_name: &trial_request.contact_name,
            contact_email: &trial_request.contact_email,
            company_name: &trial_request.company_name,
            company_country: &trial_request.company_country,
            company_size: &trial_request.company_size,
            server_version: if trial_request.is_short() { "" } else { API_VERSION },
        }
    }
}

/// The response of the service.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Verdict {
    #[serde(deserialize_with = "or_nothing")]
    license: String,
    #[serde(deserialize_with = "or_nothing")]
    message: String,
}

/// The service that issues trial licences, and the lock for installing one.
pub(crate) struct Trials {
    outbound: Arc<Outbound>,
    turn: Mutex<()>,
}

/// The permission to install a trial.
pub(crate) struct Turn<'a> {
    /// The mark of the licence that the trial replaces.
    pub(crate) mark: String,
    _lock: MutexGuard<'a, ()>,
}

impl Trials {
    pub(crate) fn new(outbound: Arc<Outbound>) -> Self {
        Self { outbound, turn: Mutex::new(()) }
    }

    /// Takes the lock for installing a trial, so that no other request installs one meanwhile. On another server, the mark
    /// of the licence decides. Refuses a second trial.
    /// `failed` is the error id if the lock or the earlier trial cannot be determined.
    pub(crate) async fn turn(
        &self,
        verification_key: &VerificationKey,
        db: &Db,
        failed: &'static str,
    ) -> Result<Turn<'_>, AppError> {
        let lock = timeout(LOCK_TIMEOUT, self.turn.lock()).await.or_fail(failed)?;
        // The mark is read first: a trial that is installed afterwards has another one.
        let mark = db.stored_license().await.or_fail(failed)?.mark;
        let was_used = previous_trial(verification_key, db).await.or_fail(failed)?.is_some();
        if was_used {
            return Err(AppError::new("api.license.request-trial.can-start-trial.not-allowed"));
        }
        Ok(Turn { mark, _lock: lock })
    }

    /// Requests a licence from the service and returns its signed text, which is not verified yet. Waits up to 30 s.
    pub(crate) async fn ask(
        &self,
        trial_request: &TrialRequest,
        caller: &User,
        server_id: &str,
        config: &Config,
    ) -> Result<String, AppError> {
        const FAILED: &str = "api.license.request_trial_license.app_error";
        let service = config.view.cloud.cws_url.trim_end_matches('/');
        let application = Application::of(trial_request, caller, server_id, config);
        let call = Call::post(format!("{service}/api/v1/trials"), Chosen::InConfiguration, &application);
        let call = Call { largest_answer: MAX_RESPONSE_BYTES, ..call.or_fail(FAILED)? };
        let answer = self.outbound.call(call, &config.view.service).await.or_fail(FAILED)?;
        match answer.status {
            200..300 => {}
            451 => return Err(AppError::new("api.license.request_trial_license.embargoed")),
            status => {
                let refusal = AppError::new("api.license.request_trial_license.app_error#refused");
                return Err(refusal.because(format!("{} answered {status}", answer.host)));
            }
        }
        let verdict: Verdict = serde_json::from_slice(&answer.body).unwrap_or_default();
        if verdict.license.is_empty() {
            let reason: String = verdict.message.chars().take(MAX_REASON_CHARACTERS).collect();
            return Err(AppError::new(FAILED).detailed(reason));
        }
        Ok(verdict.license)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_an_organisation_has_a_domain_that_is_not_open_to_anybody() {
        for business in ["anna@example.org", "Anna@Mail.Example.ORG", "anna@notgmail.com"] {
            assert!(is_business_email(business), "{business}");
        }
        for other in [
            "",
            "anna",
            "anna@",
            "@example.org",
            "anna@localhost",
            "anna@example.",
            "a b@example.org",
            "anna@GMail.com",
        ] {
            assert!(!is_business_email(other), "{other}");
        }
        assert!(!is_business_email("anna@mail.yahoo.com"));
    }

    #[test]
    fn the_short_form_says_nothing_of_a_company_and_the_long_one_leaves_nothing_out() {
        let refusal = |text: &str| {
            let trial_request: TrialRequest = serde_json::from_str(text).unwrap();
            trial_request
                .check_short()
                .and_then(|()| trial_request.check_long())
                .map_err(|refusal| refusal.id.to_string())
        };
        let short = r#"{"users":3,"terms_accepted":true,"contact_email":"x","company_name":null}"#;
        assert_eq!(refusal(short), Ok(()));
        let long = r#"{"users":3,"terms_accepted":true,"contact_email":"a@example.org","contact_name":"A",
            "company_name":"E","company_country":"DE","company_size":"1-50"}"#;
        assert_eq!(refusal(long), Ok(()));
        for (found, instead) in
            [(":3", ":0"), ("true", "false"), ("\"A\"", "\"\""), ("\"E\"", "\"\""), ("\"DE\"", "null"), ("1-50", "")]
        {
            assert_eq!(refusal(&long.replace(found, instead)), Err(BAD.to_owned()), "{instead}");
        }
    }
}
