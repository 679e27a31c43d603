//! The body of a response while it is sent.
//!
//! actix-http copies each chunk that a body yields into the write buffer of the connection. Every response body is an
//! `Outgoing`, which yields small pieces, so that a client that does not read costs the server the memory of a few
//! pieces, even for a large body.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use super::read_rate::ReadRate;

/// A body of more than this many bytes counts against the budget of its caller and must be read at a minimum rate.
pub(crate) const LARGE_BYTES: usize = 32 * 1024;

/// The largest piece that a body yields at once, in bytes.
pub(crate) const PIECE_BYTES: usize = 16 * 1024;

/// Marks a response with a small, bounded body that is sent while the work goes on. The pace is that of the work, so no
/// read rate is required of the client.
pub(crate) struct Live;

/// A response body that is sent piece by piece.
pub(crate) struct Outgoing {
    /// The part of the current chunk that is not sent yet.
    rest: Bytes,
    /// Yields the chunks after `rest`.
    more: Option<BoxBody>,
    size: BodySize,
    piece_bytes: usize,
    /// Cuts the connection of a client that reads too slowly.
    read_rate: Option<ReadRate>,
    /// Released when the body has been sent, or is dropped with its connection.
    _permit: Option<Box<dyn Any>>,
}

impl Outgoing {
    /// Returns a body of these bytes.
    pub(crate) fn bytes(bytes: Bytes) -> Self {
        let size = BodySize::Sized(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Self { rest: bytes, more: None, size, piece_bytes: PIECE_BYTES, read_rate: None, _permit: None }
    }

    /// Returns a body of these bytes that holds `permit` until it is dropped.
    pub(crate) fn with_permit(bytes: Bytes, permit: impl Any) -> Self {
        Self { _permit: Some(Box::new(permit)), ..Self::bytes(bytes) }
    }

    /// Returns a body that yields the chunks of `body`, each cut into pieces.
    pub(crate) fn chunks(body: BoxBody) -> Self {
        Self { size: body.size(), more: Some(body), ..Self::bytes(Bytes::new()) }
    }

    /// Returns a body that yields the chunks of `body` uncut: the frames of a WebSocket, which limits its own queue.
    pub(crate) fn socket(body: BoxBody) -> Self {
        Self { piece_bytes: usize::MAX, ..Self::chunks(body) }
    }

    /// Returns this body, watched by `read_rate`.
    pub(crate) fn with_read_rate(self, read_rate: Option<ReadRate>) -> Self {
        Self { read_rate, ..self }
    }
}

impl MessageBody for Outgoing {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        while this.rest.is_empty() {
            let Some(more) = &mut this.more else { return Poll::Ready(None) };
            match ready!(Pin::new(more).poll_next(context)) {
                Some(Ok(chunk)) => this.rest = chunk,
                end => return Poll::Ready(end),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(this.piece_bytes));
        if let Some(read_rate) = &this.read_rate {
            read_rate.note(piece.len());
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outgoing").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;

    use actix_web::body::BodyStream;
    use futures_util::stream;

    use super::*;

    async fn pieces(mut body: Outgoing) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
            pieces.push(piece.unwrap());
        }
        pieces
    }

    #[actix_web::test]
    async fn whole_bodies_and_streams_go_out_in_small_pieces_and_unchanged() {
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(5 * PIECE_BYTES + 1).collect();
        let whole = Outgoing::bytes(content.clone().into());
        assert_eq!(whole.size(), BodySize::Sized(u64::try_from(content.len()).unwrap()));
        let chunks =
            content.chunks(3 * PIECE_BYTES - 1).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk)));
        let chunks = [Ok(Bytes::new())].into_iter().chain(chunks).collect::<Vec<_>>();
        let streamed = Outgoing::chunks(BoxBody::new(BodyStream::new(stream::iter(chunks))));
        assert_eq!(streamed.size(), BodySize::Stream);
        for body in [whole, streamed] {
            let pieces = pieces(body).await;
            assert!(pieces.iter().all(|piece| (1..=PIECE_BYTES).contains(&piece.len())));
            assert!(pieces.concat() == content);
        }
        // A body that actix-web has boxed is still sent in pieces.
        assert!(BoxBody::new(Outgoing::bytes(content.into())).try_into_bytes().is_err());
    }

    #[actix_web::test]
    async fn a_permit_lives_as_long_as_the_body() {
        let permit = Rc::new(());
        let body = Outgoing::with_permit(Bytes::from_static(b"body"), permit.clone());
        assert_eq!(Rc::strong_count(&permit), 2);
        assert_eq!(pieces(body).await.concat(), b"body");
        assert_eq!(Rc::strong_count(&permit), 1);
    }
}
