//! Uploads an object in one request, or in parts when it is large.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use super::Bucket;

type Failure = SdkError<aws_sdk_s3::Error>;

const CONTENT_TYPE: &str = "application/octet-stream";

/// Uploads all of `content`, or leaves no object.
pub(super) async fn whole(bucket: &Bucket, key: &str, content: Bytes) -> Result<(), Failure> {
    if content.len() > bucket.part_size {
        return in_parts(bucket, key, content).await;
    }
    let request = bucket.client().put_object().bucket(&bucket.name).key(key).body(content.into());
    let request = request.content_type(CONTENT_TYPE).set_server_side_encryption(bucket.encryption.clone());
    let sent: Result<_, SdkError<PutObjectError>> =
        request.set_storage_class(bucket.storage_class.clone()).send().await;
    sent.map(|_| ()).map_err(general)
}

async fn in_parts(bucket: &Bucket, key: &str, content: Bytes) -> Result<(), Failure> {
    let client = bucket.client();
    let begun = client.create_multipart_upload().bucket(&bucket.name).key(key).content_type(CONTENT_TYPE);
    let begun = begun.set_server_side_encryption(bucket.encryption.clone());
    let begun = begun.set_storage_class(bucket.storage_class.clone()).send().await.map_err(general)?;
    let upload = begun.upload_id().unwrap_or_default();
    let written = parts(bucket, &client, key, upload, content).await;
    if written.is_err() {
        // The parts stay and cost money until the upload is aborted.
        let aborted = client.abort_multipart_upload().bucket(&bucket.name).key(key).upload_id(upload).send().await;
        if aborted.is_err() {
            tracing::warn!(key, "parts of a failed upload may remain in the file store");
        }
    }
    written
}

async fn parts(bucket: &Bucket, client: &Client, key: &str, upload: &str, mut rest: Bytes) -> Result<(), Failure> {
    let mut done = CompletedMultipartUpload::builder();
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let part = rest.split_to(rest.len().min(bucket.part_size));
        let sent = client.upload_part().bucket(&bucket.name).key(key).upload_id(upload).part_number(number);
        let sent = sent.body(part.into()).send().await.map_err(general)?;
        done = done.parts(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
    }
    let finished = client.complete_multipart_upload().bucket(&bucket.name).key(key).upload_id(upload);
    finished.multipart_upload(done.build()).send().await.map(|_| ()).map_err(general)
}

/// Returns the error with the general error type instead of the operation's.
fn general<E>(error: SdkError<E>) -> Failure
where
    E: Into<aws_sdk_s3::Error>,
{
    error.map_service_error(Into::into)
}
