//! Maps errors of S3 to their meaning and a remedy.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use quarterdeck_actors::storage::report::Kind::{self, Authentication, Missing, Other};
use quarterdeck_actors::storage::report::{Step, StepFailure};

use crate::files::objects::{StoreDescription, code_or_status, too_slow};

const KEYS: &str = "Check FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey.";
const BUCKET: &str = "Check FileSettings.AmazonS3Bucket; this server does not create buckets.";
const REGION: &str = "FileSettings.AmazonS3Region";

/// Returns the failure for a refusal, or for a missing response, at a step.
pub(super) fn failure<E>(step: Step, error: &SdkError<E>, about: &StoreDescription, is_tls: bool) -> StepFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(refusal) = error else { return unanswered(step, error, about, is_tls) };
    let status = refusal.raw().status().as_u16();
    let meta = refusal.err().meta();
    let code = meta.code();
    let (step, kind, remedy) = meaning(step, code, status, region(error).as_deref());
    StepFailure {
        step,
        kind,
        code: Some(code_or_status(code, status)),
        cause: format!("the store refused the request with status {status}"),
        remedy,
    }
}

fn meaning(step: Step, code: Option<&str>, status: u16, region: Option<&str>) -> (Step, Kind, String) {
    // Before the first successful list it is not known that the credentials are accepted.
    let unproven = if step == Step::List { Step::Authenticate } else { step };
    match code {
        Some("RequestTimeTooSkewed" | "RequestExpired") => {
            (Step::Authenticate, Authentication, "Correct the clock of this server.".to_owned())
        }
        Some("InvalidToken" | "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
            (Step::Authenticate, Authentication, format!("Renew the temporary credentials. {KEYS}"))
        }
        Some(
            "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "AuthFailure"
            | "InvalidSecurity"
            | "AccountProblem"
            | "NotSignedUp"
            | "UnauthorizedAccess",
        ) => (Step::Authenticate, Authentication, KEYS.to_owned()),
        Some("NoSuchBucket" | "InvalidBucketName") => (Step::Bucket, Missing, BUCKET.to_owned()),
        Some(
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
        ) => (Step::Bucket, Other, elsewhere(region)),
        Some("AccessDenied" | "AllAccessDisabled" | "AccessDeniedException") => (step, Authentication, right(step)),
        Some("InvalidStorageClass") => (step, Other, "Check FileSettings.AmazonS3StorageClass.".to_owned()),
        Some("ServerSideEncryptionConfigurationNotFoundError" | "InvalidEncryptionAlgorithmError") => {
            (step, Other, "Turn FileSettings.AmazonS3SSE off, or encryption in the bucket on.".to_owned())
        }
        Some("SlowDown" | "ServiceUnavailable" | "InternalError") => {
            (unproven, Other, "Try again later, and check the state of the store.".to_owned())
        }
        _ => match status {
            401 | 403 => (unproven, Authentication, KEYS.to_owned()),
            404 if step == Step::List => (Step::Bucket, Missing, BUCKET.to_owned()),
            301 | 307 => (Step::Bucket, Other, elsewhere(region)),
            _ => (
                unproven,
                Other,
                "Check FileSettings.AmazonS3SSL, and that FileSettings.AmazonS3Endpoint names an S3 store.".to_owned(),
            ),
        },
    }
}

fn elsewhere(region: Option<&str>) -> String {
    match region {
        Some(region) => format!("The bucket is in the region {region}: set {REGION} to it."),
        None => format!("Set {REGION} to the region of the bucket, and FileSettings.AmazonS3Endpoint to its host."),
    }
}

fn right(step: Step) -> String {
    let action = match step {
        Step::Write => "s3:PutObject",
        Step::Read | Step::Compare => "s3:GetObject",
        Step::Delete => "s3:DeleteObject",
        Step::Settings | Step::Resolve | Step::Connect | Step::Tls | Step::Authenticate | Step::Bucket | Step::List => {
            "s3:ListBucket"
        }
    };
    format!(
        "Allow {action} on the bucket in FileSettings.AmazonS3Bucket, under FileSettings.AmazonS3PathPrefix, to the owner \
         of FileSettings.AmazonS3AccessKeyId."
    )
}

/// Returns the region that an error names, if the error is about the region.
pub(super) fn region<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<String> {
    let SdkError::ServiceError(refusal) = error else { return None };
    let is_elsewhere = matches!(refusal.raw().status().as_u16(), 301 | 307 | 400);
    let header = refusal.raw().headers().get("x-amz-bucket-region").filter(|_| is_elsewhere);
    let expected = || {
        let message = refusal.err().meta().message()?;
        message.split_once("expecting '")?.1.split_once('\'').map(|(region, _)| region)
    };
    let named = header.or_else(expected)?;
    let is_region = named.len() <= 32
        && named.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_region.then(|| named.to_owned())
}

fn unanswered<E>(step: Step, error: &SdkError<E>, about: &StoreDescription, is_tls: bool) -> StepFailure
where
    E: std::error::Error + 'static,
{
    let step = if step == Step::List { Step::Authenticate } else { step };
    let tls = if is_tls { "" } else { " If it expects TLS, turn FileSettings.AmazonS3SSL on." };
    if matches!(error, SdkError::TimeoutError(_)) {
        return too_slow(step, about);
    }
    StepFailure {
        step,
        kind: Other,
        code: None,
        cause: if matches!(error, SdkError::DispatchFailure(_)) {
            "the connection was lost before the response".to_owned()
        } else {
            "the response is not from an S3 store".to_owned()
        },
        remedy: format!("Check that FileSettings.AmazonS3Endpoint names an S3 store.{tls}"),
    }
}

/// Returns the failure for a response that was cut off.
pub(super) fn broken(step: Step) -> StepFailure {
    StepFailure {
        step,
        kind: Other,
        code: None,
        cause: "the response ended early".to_owned(),
        remedy: "Try again, and check the network connection to FileSettings.AmazonS3Endpoint.".to_owned(),
    }
}
