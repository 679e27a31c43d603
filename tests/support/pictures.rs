//! Pictures for tests, and forms with them.

use reqwest::Method;

use super::{Client, Reply};

const FORM: &str = "multipart/form-data; boundary=picture";

/// A BMP of 2 x 2 pixels, which the test writes byte by byte.
pub fn picture(red: u8) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    file.extend([70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0]);
    file.extend([0; 24]);
    for _ in 0..2 {
        file.extend([0, 0, red, 0, 0, red, 0, 0]);
    }
    file
}

/// Returns a form with this file in the field `name`.
pub fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--picture\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"me.bmp\"\r\n\r\n");
    [head.as_bytes(), content, b"\r\n--picture--\r\n"].concat()
}

/// Sends such a form.
pub async fn upload(client: &Client, path: &str, body: Vec<u8>) -> Reply {
    client.send_bytes(Method::POST, path, body, &[("Content-Type", FORM)]).await
}

/// Returns true for a response that is a PNG.
pub fn is_png(reply: &Reply) -> bool {
    reply.status == 200 && reply.header("content-type") == "image/png" && reply.body.starts_with(b"\x89PNG\r\n")
}
