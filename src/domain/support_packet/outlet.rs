//! The channel from the thread that writes an archive to the client that reads it. It holds a few chunks, so that
//! neither side runs ahead.

use std::io::{Error, ErrorKind, Result, Write};
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::stream::{Stream, unfold};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The size of a chunk, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// The number of chunks that wait for the client.
const MAX_QUEUED_CHUNKS: usize = 4;

/// The time without progress after which the writer gives up on the client.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// A chunk from an [`Outlet`]; `None` marks the end of the archive.
type Piece = Option<Bytes>;

/// The writer of the archive, for a thread that may block.
pub(super) struct Outlet {
    pieces: mpsc::Sender<Piece>,
    runtime: Handle,
    chunk: Vec<u8>,
    is_broken: bool,
}

/// Returns both ends. The stream fails unless the outlet was closed, so that a client notices an incomplete archive.
pub(super) fn outlet() -> (Outlet, impl Stream<Item = Result<Bytes>> + use<>) {
    let (pieces, receiver) = mpsc::channel::<Piece>(MAX_QUEUED_CHUNKS);
    let outlet =
        Outlet { pieces, runtime: Handle::current(), chunk: Vec::with_capacity(CHUNK_BYTES), is_broken: false };
    let stream = unfold(Some(receiver), async |receiver| {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(None) => None,
            None => Some((Err(Error::new(ErrorKind::UnexpectedEof, "the archive was not finished")), None)),
        }
    });
    (outlet, stream)
}

impl Outlet {
    /// Sends the rest and the end mark.
    pub(super) fn close(mut self) -> Result<()> {
        self.send_chunk()?;
        self.send(None)
    }

    fn send_chunk(&mut self) -> Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        if chunk.is_empty() { Ok(()) } else { self.send(Some(chunk.into())) }
    }

    fn send(&mut self, piece: Piece) -> Result<()> {
        let sent = self.runtime.block_on(async { timeout(WRITE_TIMEOUT, self.pieces.send(piece)).await });
        let failure = match sent {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(_)) => Error::new(ErrorKind::BrokenPipe, "the client hung up"),
            Err(_) => Error::new(ErrorKind::TimedOut, "the client takes nothing"),
        };
        self.is_broken = true;
        Err(failure)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        // The error was already returned once. The archive still writes on drop, and that output is discarded.
        if self.is_broken {
            return Ok(bytes.len());
        }
        let room = CHUNK_BYTES.saturating_sub(self.chunk.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        if self.chunk.len() >= CHUNK_BYTES {
            self.send_chunk()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::rt::task::spawn_blocking;
    use futures_util::{StreamExt, pin_mut};

    use super::*;

    #[actix_web::test]
    async fn the_writer_waits_for_the_client_and_stops_when_it_goes() {
        let (mut outlet, stream) = outlet();
        let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = written.clone();
        let writing = spawn_blocking(move || {
            let chunk = vec![0; CHUNK_BYTES];
            loop {
                outlet.write_all(&chunk)?;
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            #[expect(unreachable_code, reason = "it gives the type")]
            Ok::<(), Error>(())
        });
        {
            pin_mut!(stream);
            for _ in 0..20 {
                assert_eq!(stream.next().await.unwrap().unwrap().len(), CHUNK_BYTES);
            }
        }
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
        let written = written.load(std::sync::atomic::Ordering::SeqCst);
        assert!((20..=20 + MAX_QUEUED_CHUNKS + 1).contains(&written), "{written}");
    }

    #[actix_web::test]
    async fn half_an_archive_is_an_error() {
        for is_whole in [true, false] {
            let (mut outlet, stream) = outlet();
            let writing = spawn_blocking(move || {
                outlet.write_all(b"something")?;
                if is_whole { outlet.close() } else { Ok(()) }
            });
            let pieces: Vec<Result<Bytes>> = stream.collect().await;
            writing.await.unwrap().unwrap();
            assert_eq!(pieces.last().unwrap().is_ok(), is_whole);
        }
    }
}
