//! gzip for response bodies that are made for one request.

use std::io::Write;

use actix_web::web::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use quarterdeck_actors::background;
use tokio::sync::Semaphore;

/// A body below this size, in bytes, is sent uncompressed.
const MIN_COMPRESSED_BYTES: usize = 1024;

/// A body above this size, in bytes, is compressed on a background thread. Compressing this many bytes takes a worker
/// less than a millisecond.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// The number of large bodies that are compressed at the same time. Further ones are sent uncompressed.
const MAX_AT_ONCE: usize = 1;

/// Compresses bodies, with a limit on the work at one time.
#[derive(Debug)]
pub(crate) struct Packer {
    permits: Semaphore,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { permits: Semaphore::new(MAX_AT_ONCE) }
    }

    /// Returns the body in gzip; `None` if it is to be sent uncompressed.
    pub(crate) async fn pack(&self, body: &Bytes) -> Option<Bytes> {
        if body.len() < MIN_COMPRESSED_BYTES {
            return None;
        }
        if body.len() <= MAX_INLINE_BYTES {
            return packed(body);
        }
        let _permit = self.permits.try_acquire().ok()?;
        let body = body.clone();
        background::compute(move || packed(&body)).await.ok()?
    }
}

fn packed(body: &Bytes) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_large_body_is_packed_only_while_no_other_is() {
        let packer = Packer::new();
        let (small, large) = (Bytes::from(vec![b' '; 2048]), Bytes::from(vec![b' '; 1 << 20]));
        assert!(packer.pack(&Bytes::from_static(b"short")).await.is_none());
        assert!(packer.pack(&large).await.unwrap().len() < 16 * 1024);
        let _permit = packer.permits.try_acquire().unwrap();
        assert!(packer.pack(&large).await.is_none());
        assert!(packer.pack(&small).await.is_some());
    }
}
