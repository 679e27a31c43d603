//! The credentials for a container: an account with its shared key, or those that the environment provides.

mod shared_key;

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::ClientOptions;
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use quarterdeck_actors::storage::report::StepFailure;
use quarterdeck_actors::storage::settings::StoreSettings;

use crate::files::objects::unusable;
use quarterdeck_actors::causes::chain;
use shared_key::SharedKey;

/// The identity that requests are made with.
pub(super) struct Identity {
    /// The description of the identity, without secrets.
    pub(super) shown: String,
    /// The source of tokens, when requests are not signed with a key.
    pub(super) token: Option<Arc<dyn TokenCredential>>,
}

impl Identity {
    /// Adds the signature of requests to `options`, or returns the source of tokens.
    pub(super) fn of(settings: &StoreSettings, options: &mut ClientOptions) -> Result<Self, StepFailure> {
        let account = &settings.azure_storage_account;
        match settings.azure_auth_mode.as_str() {
            "shared_key" | "" => {
                let key = SharedKey::new(account, &settings.azure_access_key)?;
                options.per_try_policies.push(Arc::new(key));
                Ok(Self { shown: format!("account {account} with its shared key"), token: None })
            }
            "default_credential" => provided(options),
            other => Err(unusable(
                format!("there is no authentication mode {other:?}"),
                "Set FileSettings.AzureAuthMode to shared_key or default_credential.",
            )),
        }
    }
}

/// Returns the first identity that the environment provides: of the workload, of an application, or of the machine.
fn provided(options: &ClientOptions) -> Result<Identity, StepFailure> {
    let client_options = options.clone();
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let client_id = variable("AZURE_CLIENT_ID");
    let made: azure_core::Result<(&str, Arc<dyn TokenCredential>)> = match (
        variable("AZURE_FEDERATED_TOKEN_FILE"),
        variable("AZURE_TENANT_ID").zip(client_id.clone()).zip(variable("AZURE_CLIENT_SECRET")),
    ) {
        (Some(file), _) => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
            credential_options: ClientAssertionCredentialOptions { client_options },
            token_file_path: Some(PathBuf::from(file)),
            ..Default::default()
        }))
        .map(|credential| ("the workload identity of this server", credential as Arc<dyn TokenCredential>)),
        (None, Some(((tenant, client), secret))) => ClientSecretCredential::new(
            &tenant,
            client,
            AzureSecret::new(secret),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .map(|credential| ("the application in AZURE_CLIENT_ID", credential as Arc<dyn TokenCredential>)),
        (None, None) => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: client_id.map(UserAssignedId::ClientId),
            client_options,
        }))
        .map(|credential| ("the managed identity of this machine", credential as Arc<dyn TokenCredential>)),
    };
    let (shown, token) = made.map_err(|error| {
        unusable(
            chain(&error),
            "Check the variables AZURE_… in the environment of this server, or set FileSettings.AzureAuthMode \
             to shared_key.",
        )
    })?;
    Ok(Identity { shown: format!("the default credential ({shown})"), token: Some(token) })
}
