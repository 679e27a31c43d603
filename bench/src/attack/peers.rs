//! Hosts that the attack uses: one that never answers, and one with an image.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The size of the image in bytes. It is so large that most of it stays with the server if the client reads little.
const IMAGE_BYTES: usize = 8 << 20;

/// The first bytes of a PNG of 64 by 64 pixels.
const PNG_HEAD: [u8; 33] = [
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 64, 0, 0, 0, 64, 8,
    2, 0, 0, 0, 0x25, 0x0b, 0xe6, 0x89,
];

/// The URLs of both hosts, as `http://host:port`.
pub(super) struct Peers {
    pub(super) silent: String,
    pub(super) image: String,
}

impl Peers {
    pub(super) async fn start() -> io::Result<Self> {
        let (silent, image) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let peers = Self { silent: url(&silent)?, image: url(&image)? };
        tokio::spawn(keep_silent(silent));
        tokio::spawn(show_images(image));
        Ok(peers)
    }
}

fn url(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

async fn keep_silent(listener: TcpListener) {
    let mut open = Vec::new();
    while let Ok((connection, _)) = listener.accept().await {
        open.push(connection);
    }
}

async fn show_images(listener: TcpListener) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(show_image(connection));
    }
}

async fn show_image(mut connection: TcpStream) -> io::Result<()> {
    let mut request = [0; 4096];
    let is_request = connection.read(&mut request).await? > 0;
    if !is_request {
        return Ok(());
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {IMAGE_BYTES}\r\n\r\n");
    let mut image = PNG_HEAD.to_vec();
    image.resize(IMAGE_BYTES, 0);
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(&image).await
}
