//! Maps errors of S3 to their meaning and a remedy.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use quarterdeck_actors::storage::report::Kind::{self, Authentication, Missing, Other};
use quarterdeck_actors::storage::report::{Step, StepFailure};

use super::address::Address;
use crate::files::objects::{StoreDescription, code_or_status, is_page, page, too_slow};

const KEYS: &str = "Check FileSettings.AmazonS3AccessKeyId and FileSettings.AmazonS3SecretAccessKey.";
const BUCKET: &str = "Check FileSettings.AmazonS3Bucket; this server does not create buckets.";
const FULL: &str =
    "Free space in the store, raise the quota of the bucket, or set another bucket in FileSettings.AmazonS3Bucket.";
const REGION: &str = "FileSettings.AmazonS3Region";

/// Returns the failure for a refusal, or for a missing response, at a step.
pub(super) fn failure<E>(step: Step, error: &SdkError<E>, about: &StoreDescription, address: &Address) -> StepFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(answer) = error.raw_response()
        && is_page(answer.headers().get("content-type"), answer.body().bytes().unwrap_or_default())
    {
        return page(step, answer.status().as_u16(), "an S3 store", about, address.is_tls());
    }
    let SdkError::ServiceError(refusal) = error else { return unanswered(step, error, about, address.is_tls()) };
    let status = refusal.raw().status().as_u16();
    let meta = refusal.err().meta();
    let code = meta.code();
    let (step, kind, remedy) = meaning(step, code, status, || elsewhere(region(error).as_deref(), address));
    StepFailure {
        step,
        kind,
        code: Some(code_or_status(code, status)),
        cause: format!("the store refused the request with status {status}"),
        remedy,
    }
}

fn meaning(step: Step, code: Option<&str>, status: u16, elsewhere: impl FnOnce() -> String) -> (Step, Kind, String) {
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
        ) => (Step::Bucket, Other, elsewhere()),
        Some("AccessDenied" | "AllAccessDisabled" | "AccessDeniedException") => (step, Authentication, right(step)),
        Some("InvalidStorageClass") => (step, Other, "Check FileSettings.AmazonS3StorageClass.".to_owned()),
        Some("ServerSideEncryptionConfigurationNotFoundError" | "InvalidEncryptionAlgorithmError") => {
            (step, Other, "Turn FileSettings.AmazonS3SSE off, or encryption in the bucket on.".to_owned())
        }
        Some("XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "QuotaExceeded" | "InsufficientStorage") => {
            (unproven, Other, FULL.to_owned())
        }
        Some("SlowDown" | "ServiceUnavailable" | "InternalError") => {
            (unproven, Other, "Try again later, and check the state of the store.".to_owned())
        }
        _ => match status {
            401 | 403 => (unproven, Authentication, KEYS.to_owned()),
            404 if step == Step::List => (Step::Bucket, Missing, BUCKET.to_owned()),
            507 => (unproven, Other, FULL.to_owned()),
            301 | 307 => (Step::Bucket, Other, elsewhere()),
            _ => (
                unproven,
                Other,
                "Check FileSettings.AmazonS3SSL, and that FileSettings.AmazonS3Endpoint names an S3 store.".to_owned(),
            ),
        },
    }
}

/// Returns the remedy for a bucket in another region, which the store may have named.
fn elsewhere(region: Option<&str>, address: &Address) -> String {
    match region {
        Some(region) if address.names_region() => format!(
            "The bucket is in the region {region}: set {REGION} to it, and FileSettings.AmazonS3Endpoint to the host of \
             that region or to s3.amazonaws.com."
        ),
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
    let answer = refusal.raw();
    let header = answer.headers().get("x-amz-bucket-region").filter(|_| is_elsewhere);
    let expected = || {
        let message = refusal.err().meta().message()?;
        message.split_once("expecting '")?.1.split_once('\'').map(|(region, _)| region)
    };
    // Compatible stores name the region in this element only.
    let element = || {
        let body = std::str::from_utf8(answer.body().bytes()?).ok().filter(|_| is_elsewhere)?;
        body.split_once("<Region>")?.1.split_once("</Region>").map(|(region, _)| region)
    };
    let named = header.or_else(expected).or_else(element)?;
    let is_region = (1..=32).contains(&named.len())
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
        remedy: format!(
            "Check that {} leads to an S3 store, and that no proxy answers in its place.{tls}",
            about.place
        ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::support::s3_at;

    #[test]
    fn the_host_of_another_region_is_a_setting_to_change_as_well() {
        crate::base::trust::install_provider();
        for (endpoint, names_host) in [
            ("s3.us-west-2.amazonaws.com", true),
            ("s3-us-west-2.amazonaws.com", true),
            ("s3.dualstack.us-west-2.amazonaws.com", true),
            ("s3.amazonaws.com", false),
            ("s3-accelerate.amazonaws.com", false),
            ("", false),
            ("minio.example", false),
        ] {
            let address = Address::of(&s3_at(endpoint), false).unwrap();
            let remedy = elsewhere(Some("eu-central-1"), &address);
            assert!(remedy.contains("set FileSettings.AmazonS3Region to it"), "{remedy}");
            assert_eq!(remedy.contains("FileSettings.AmazonS3Endpoint"), names_host, "{endpoint}: {remedy}");
        }
    }
}
