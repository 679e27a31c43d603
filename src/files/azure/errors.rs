//! Maps errors of Azure to their meaning and a remedy.

use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use quarterdeck_actors::storage::report::Kind::{self, Authentication, Missing, Other};
use quarterdeck_actors::storage::report::{Step, StepFailure};

use crate::files::objects::{StoreDescription, code_or_status, is_page, page};

const KEY: &str =
    "Check FileSettings.AzureStorageAccount and FileSettings.AzureAccessKey, and the clock of this server.";

/// Returns the failure for a refusal, or for a missing response, at a step.
pub(super) fn failure(step: Step, error: &azure_core::Error, about: &StoreDescription, is_tls: bool) -> StepFailure {
    match error.kind() {
        ErrorKind::HttpResponse { status, error_code, raw_response } => {
            let status = u16::from(*status);
            let is_page = raw_response.as_ref().is_some_and(|answer| {
                let kind = answer.headers().get_optional_str(&HeaderName::from_static("content-type"));
                is_page(kind, answer.body())
            });
            if is_page {
                return page(step, status, "Azure Blob Storage", about, is_tls);
            }
            let (step, kind, remedy) = meaning(step, error_code.as_deref(), status, about);
            StepFailure {
                step,
                kind,
                code: Some(code_or_status(error_code.as_deref(), status)),
                cause: format!("the store refused the request with status {status}"),
                remedy,
            }
        }
        ErrorKind::Credential => StepFailure {
            step: Step::Authenticate,
            kind: Authentication,
            code: Some("NoCredentials".to_owned()),
            cause: "no credentials were found".to_owned(),
            remedy: "Give this machine an identity with rights on the container, or set FileSettings.AzureAuthMode to \
                     shared_key."
                .to_owned(),
        },
        ErrorKind::Connection | ErrorKind::Io | ErrorKind::DataConversion | ErrorKind::Other => {
            unanswered(step, error, about, is_tls)
        }
    }
}

fn meaning(step: Step, code: Option<&str>, status: u16, about: &StoreDescription) -> (Step, Kind, String) {
    // Before the first successful list it is not known that the credentials are accepted.
    let unproven = if step == Step::List { Step::Authenticate } else { step };
    let container = "Check FileSettings.AzureContainer; this server does not create containers.";
    match code {
        Some("ContainerNotFound" | "InvalidResourceName" | "ContainerDisabled" | "ContainerBeingDeleted") => {
            (Step::Bucket, Missing, container.to_owned())
        }
        Some(
            "AuthenticationFailed"
            | "AuthorizationFailure"
            | "InvalidAuthenticationInfo"
            | "NoAuthenticationInformation",
        ) => (Step::Authenticate, Authentication, KEY.to_owned()),
        Some("AuthorizationPermissionMismatch" | "InsufficientAccountPermissions") => (
            step,
            Authentication,
            "Give the identity the role Storage Blob Data Contributor on the container in FileSettings.AzureContainer."
                .to_owned(),
        ),
        Some("AccountIsDisabled") => {
            (Step::Authenticate, Other, "Enable the account in FileSettings.AzureStorageAccount.".to_owned())
        }
        Some("ServerBusy" | "InternalError" | "OperationTimedOut") => {
            (unproven, Other, "Try again later, and check the state of the store.".to_owned())
        }
        _ => match status {
            401 | 403 => (unproven, Authentication, KEY.to_owned()),
            404 if step == Step::List => (Step::Bucket, Missing, container.to_owned()),
            _ => (
                unproven,
                Other,
                format!("Check that {} points to Azure Blob Storage, and {}.", about.place, about.tls),
            ),
        },
    }
}

fn unanswered(step: Step, error: &azure_core::Error, about: &StoreDescription, is_tls: bool) -> StepFailure {
    let step = if step == Step::List { Step::Authenticate } else { step };
    let tls = if is_tls { String::new() } else { format!(" If it expects TLS, turn {} on.", about.tls) };
    StepFailure {
        step,
        kind: Other,
        code: None,
        cause: if matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io) {
            "the connection was lost before the response".to_owned()
        } else {
            "the response is not from Azure Blob Storage".to_owned()
        },
        remedy: format!(
            "Check that {} points to Azure Blob Storage, and that no proxy answers in its place.{tls}",
            about.place
        ),
    }
}

/// Returns true when the blob that was to be deleted is missing.
pub(super) fn is_no_such_blob(error: &azure_core::Error) -> bool {
    matches!(error.kind(), ErrorKind::HttpResponse { error_code: Some(code), .. } if code == "BlobNotFound")
}
