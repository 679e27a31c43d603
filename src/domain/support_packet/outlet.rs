//! The pipe from the thread that writes an archive to the client that reads it. It holds some chunks, so that neither
//! side runs ahead. A client that stops reading is disconnected after `ServiceSettings.WriteTimeout`, which breaks the
//! pipe.

use std::io::{BufWriter, Error, ErrorKind, Result, Write};

use actix_web::web::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{Stream, once};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio_util::io::{ReaderStream, SyncIoBridge};

/// The size of a chunk, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// The number of bytes that wait for the client.
const PIPE_BYTES: usize = 4 * CHUNK_BYTES;

/// The writer of the archive, for a thread that may block.
pub(super) struct Outlet {
    out: BufWriter<SyncIoBridge<DuplexStream>>,
    complete: oneshot::Sender<()>,
}

/// Returns both ends. The stream fails unless the outlet was closed, so that a client notices an incomplete archive.
pub(super) fn outlet() -> (Outlet, impl Stream<Item = Result<Bytes>> + use<>) {
    let (writer, reader) = duplex(PIPE_BYTES);
    let (complete, completed) = oneshot::channel();
    let out = BufWriter::with_capacity(CHUNK_BYTES, SyncIoBridge::new(writer));
    let end = once(async {
        let incomplete = || Error::new(ErrorKind::UnexpectedEof, "the archive was not completed");
        completed.await.map(|()| Bytes::new()).map_err(|_| incomplete())
    });
    let stream = ReaderStream::with_capacity(reader, CHUNK_BYTES).chain(end);
    (Outlet { out, complete }, stream)
}

impl Outlet {
    /// Sends the rest and marks the archive as complete.
    pub(super) fn close(mut self) -> Result<()> {
        self.out.flush()?;
        // A client that is gone no longer needs the mark.
        let _ = self.complete.send(());
        Ok(())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix_web::rt::task::spawn_blocking;
    use futures_util::pin_mut;

    use super::*;

    #[actix_web::test]
    async fn the_writer_waits_for_the_client_and_stops_when_it_goes() {
        const CHUNKS: usize = 20;
        let (mut outlet, stream) = outlet();
        let written = Arc::new(AtomicUsize::new(0));
        let count = written.clone();
        let writing = spawn_blocking(move || {
            let chunk = vec![0; CHUNK_BYTES];
            loop {
                outlet.write_all(&chunk)?;
                count.fetch_add(1, Ordering::SeqCst);
            }
            #[expect(unreachable_code, reason = "it gives the type")]
            Ok::<(), Error>(())
        });
        let mut bytes = 0;
        {
            pin_mut!(stream);
            while bytes < CHUNKS * CHUNK_BYTES {
                bytes += stream.next().await.unwrap().unwrap().len();
            }
        }
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
        let max = bytes.div_ceil(CHUNK_BYTES) + PIPE_BYTES / CHUNK_BYTES + 1;
        let written = written.load(Ordering::SeqCst);
        assert!((CHUNKS..=max).contains(&written), "{written}");
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
