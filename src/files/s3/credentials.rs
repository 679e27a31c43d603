//! The credentials for a bucket: keys from the settings, or those that the environment or the machine provides.

use std::sync::Arc;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use quarterdeck_actors::storage::report::{Kind, Step, StepFailure};
use quarterdeck_actors::storage::settings::StoreSettings;
use tokio::sync::OnceCell;

use crate::files::client::Web;
use crate::files::objects::unusable;

pub(super) enum Identity {
    Keys { id: String, provider: SharedCredentialsProvider },
    Provided(SharedCredentialsProvider),
}

impl Identity {
    /// Returns true when the environment or the machine provides the credentials.
    pub(super) fn is_provided(settings: &StoreSettings) -> bool {
        settings.amazon_s3_access_key_id.is_empty() && settings.amazon_s3_secret_access_key.is_empty()
    }

    pub(super) fn of(settings: &StoreSettings, web: &Web) -> Result<Self, StepFailure> {
        let (id, secret) = (&settings.amazon_s3_access_key_id, &settings.amazon_s3_secret_access_key);
        if Self::is_provided(settings) {
            let provided = Provided { web: web.clone(), chain: Arc::default() };
            return Ok(Self::Provided(SharedCredentialsProvider::new(provided)));
        }
        if id.is_empty() || secret.is_empty() {
            return Err(unusable(
                "one of the two keys is missing",
                "Set both FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey, or neither to use \
                 what the environment, the instance or the container provides.",
            ));
        }
        // The library that signs requests panics on characters that a header cannot have.
        let is_sendable = id.trim().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !is_sendable {
            return Err(unusable(
                "the access key id contains invalid characters",
                "Enter FileSettings.AmazonS3AccessKeyId again, without invisible characters.",
            ));
        }
        let keys = Credentials::new(id.trim(), secret.expose().trim(), None, None, "FileSettings");
        Ok(Self::Keys { id: id.trim().to_owned(), provider: SharedCredentialsProvider::new(keys) })
    }

    pub(super) fn provider(&self) -> SharedCredentialsProvider {
        match self {
            Self::Keys { provider, .. } | Self::Provided(provider) => provider.clone(),
        }
    }

    /// Describes the identity, with only enough of the key to tell it from others.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Keys { id, .. } => match (id.get(..4), id.len().checked_sub(4).and_then(|end| id.get(end..))) {
                (Some(first), Some(last)) if id.len() >= 12 => format!("access key {first}…{last}"),
                _ => "a short access key".to_owned(),
            },
            Self::Provided(_) => {
                "the default credential chain (environment, profile, web identity, container, instance)".to_owned()
            }
        }
    }

    /// Checks that there are credentials.
    pub(super) async fn check(&self) -> Result<(), StepFailure> {
        let Self::Provided(provider) = self else { return Ok(()) };
        provider.provide_credentials().await.map(|_| ()).map_err(|error| StepFailure {
            step: Step::Authenticate,
            kind: Kind::Authentication,
            code: Some("NoCredentials".to_owned()),
            cause: format!("no credentials were found: {}", reason(&error)),
            remedy:
                "Set FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey, or give the instance \
                     or the container of this server a role."
                    .to_owned(),
        })
    }
}

/// Returns the reason why there are no credentials, without the text of the service that refused.
fn reason(error: &CredentialsError) -> &'static str {
    if matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
        "none are configured"
    } else if matches!(error, CredentialsError::ProviderTimedOut(_)) {
        "the provider did not respond in time"
    } else if matches!(error, CredentialsError::InvalidConfiguration(_)) {
        "the configured credentials are invalid"
    } else {
        "the request for them failed"
    }
}

/// The default chain of the AWS library. It is created on first use, because that may read files.
#[derive(Debug)]
struct Provided {
    web: Web,
    chain: Arc<OnceCell<DefaultCredentialsChain>>,
}

impl ProvideCredentials for Provided {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::new(async move {
            let configuration = ProviderConfig::default().with_http_client(self.web.clone());
            let made = self.chain.get_or_init(|| DefaultCredentialsChain::builder().configure(configuration).build());
            made.await.provide_credentials().await
        })
    }
}
