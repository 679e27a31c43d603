//! gzip for response bodies that are made for one request.

use std::io::Write;

use actix_web::web::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use quarterdeck_actors::background;
use tokio::sync::Semaphore;

/// A smaller body is sent as it is.
const MIN_BYTES: usize = 1024;

/// A larger body is compressed on a blocking thread: a worker is busy for less than a millisecond with this many bytes.
const MAX_INLINE_BYTES: usize = 64 * 1024;

/// As many large bodies are compressed at once; others are sent as they are.
const AT_ONCE: usize = 1;

/// Compresses bodies within bounds.
#[derive(Debug)]
pub(crate) struct Packer {
    permits: Semaphore,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self { permits: Semaphore::new(AT_ONCE) }
    }

    /// The body in gzip; `None` when it is better sent as it is.
    pub(crate) async fn pack(&self, body: &Bytes) -> Option<Bytes> {
        if body.len() < MIN_BYTES {
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
