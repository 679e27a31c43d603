//! A host that accepts connections and never sends anything, for requests that make the server call it.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The host, which listens until it is dropped.
pub(crate) struct SilentHost {
    address: String,
    listener: JoinHandle<()>,
}

impl SilentHost {
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let listener = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(read_all(stream));
            }
        });
        Ok(Self { address, listener })
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for SilentHost {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn read_all(mut stream: TcpStream) {
    let mut chunk = [0; 4096];
    while stream.read(&mut chunk).await.is_ok_and(|length| length > 0) {}
}
