//! Removes offers to upgrade from request heads before the HTTP server parses them, except from requests that open a
//! WebSocket.
//!
//! Some clients and proxies send `Connection: upgrade` with every request. A server may ignore such an offer, but
//! actix-http does not: it repeats the option in its response, closes the connection without announcing it, and with
//! `Upgrade: websocket` it reads the body up to the end of the connection. So the bytes of the offer are overwritten
//! with spaces. No byte is added or removed, so actix-http alone decides where each request ends. If the framing here
//! ever differed from its own, an offer would stay in place, and the pipeline closes that connection.

mod chunks;
mod head;

use actix_web::web::BytesMut;
use memchr::memmem::find;
use quarterdeck_actors::steps::walked;
use tokio::io::ReadBuf;

use self::chunks::Chunks;
use self::head::{Framing, Head};

/// The size from which an incomplete head is passed on, in bytes. actix-http refuses it at this size.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// The requests of one connection, as they pass through.
#[derive(Default)]
pub(super) struct UpgradeOffers {
    place: Place,
    /// The bytes of an incomplete head.
    held: BytesMut,
    /// The bytes that were held and can be handed out now.
    ready: BytesMut,
}

/// The part of a request to which the next byte belongs.
#[derive(Default)]
enum Place {
    #[default]
    Head,
    /// A body of which this number of bytes is missing.
    Body(u64),
    Chunks(Chunks),
    /// The connection has left HTTP, or the HTTP server is going to refuse its request.
    Beyond,
}

impl UpgradeOffers {
    /// Moves bytes that were held into `buffer`. Returns false if there are none.
    pub(super) fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let length = self.ready.len().min(buffer.remaining());
        if length == 0 {
            return false;
        }
        buffer.put_slice(&self.ready.split_to(length));
        if self.ready.is_empty() {
            self.ready = BytesMut::new();
        }
        true
    }

    /// Takes bytes that were read from the client. Returns the number of bytes at the start that can be passed on; the
    /// others are held.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) -> usize {
        if matches!(self.place, Place::Beyond) {
            return bytes.len();
        }
        if self.held.is_empty() {
            let passed = self.walk(bytes);
            let rest = bytes.get(passed..).unwrap_or_default();
            self.held.extend_from_slice(rest);
            return passed;
        }
        // The end of a head may be split between two reads.
        let from = self.held.len().saturating_sub(3);
        self.held.extend_from_slice(bytes);
        walked(bytes.len());
        let is_complete = self.held.get(from..).is_some_and(has_blank_line);
        if is_complete || self.held.len() >= MAX_HEAD_BYTES {
            let mut held = std::mem::take(&mut self.held);
            let passed = self.walk(&mut held);
            self.ready = held.split_to(passed);
            // A copy, so that a few bytes do not keep the memory of many.
            self.held = BytesMut::from(held.as_ref());
        }
        0
    }

    /// Walks over requests and parts of requests, and returns the number of bytes before an incomplete head.
    fn walk(&mut self, bytes: &mut [u8]) -> usize {
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let length = match &mut self.place {
                Place::Head => match Head::read(rest) {
                    Ok(Some(head)) => {
                        head.remove_offers(rest);
                        self.place = match head.framing {
                            Framing::Length(0) => Place::Head,
                            Framing::Length(length) => Place::Body(length),
                            Framing::Chunked => Place::Chunks(Chunks::default()),
                            Framing::Endless => Place::Beyond,
                        };
                        head.length
                    }
                    Ok(None) if rest.len() < MAX_HEAD_BYTES => return done,
                    Ok(None) | Err(_) => {
                        self.place = Place::Beyond;
                        rest.len()
                    }
                },
                Place::Body(missing) => {
                    let length = rest.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                    *missing = missing.saturating_sub(length as u64);
                    if *missing == 0 {
                        self.place = Place::Head;
                    }
                    length
                }
                Place::Chunks(chunks) => {
                    let length = chunks.walk(rest);
                    if chunks.are_over() {
                        self.place = Place::Head;
                    }
                    length
                }
                Place::Beyond => rest.len(),
            };
            done += length;
        }
        done
    }
}

/// Returns true if `bytes` contain an empty line. Like actix-http, it accepts lines that end with a line feed alone.
fn has_blank_line(bytes: &[u8]) -> bool {
    find(bytes, b"\n\r\n").is_some() || find(bytes, b"\n\n").is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Passes `pieces` one after the other and returns the bytes that the HTTP server reads.
    fn passed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let (mut offers, mut out) = (UpgradeOffers::default(), Vec::new());
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let length = offers.pass(&mut bytes);
            out.extend_from_slice(&bytes[..length]);
            let mut space = [0; 8];
            loop {
                let mut buffer = ReadBuf::new(&mut space);
                if !offers.hand_out(&mut buffer) {
                    break;
                }
                out.extend_from_slice(buffer.filled());
            }
        }
        out
    }

    fn whole(requests: &str) -> String {
        String::from_utf8(passed([requests.as_bytes()].into_iter())).unwrap()
    }

    const OFFER: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n";
    const EMPTY: &str = "Connection:        , HTTP2-Settings\r\nUpgrade:    \r\n";

    #[test]
    fn offers_disappear_from_heads_and_from_nothing_else() {
        let bodies = |offer: &str| {
            format!(
                "POST /a HTTP/1.1\r\nHost: x\r\n{offer}Content-Length: {0}\r\n\r\n{OFFER}\
                 POST /b HTTP/1.1\r\nHost: x\r\n{offer}Transfer-Encoding: chunked\r\n\r\n\
                 {0:x};a=b\r\n{OFFER}\r\n0\r\nTrailer: x\r\n\r\n\
                 \r\nGET /c HTTP/1.1\r\nHost: x\r\n{offer}\r\n",
                OFFER.len()
            )
        };
        assert_eq!(whole(&bodies(OFFER)), bodies(EMPTY));
    }

    #[test]
    fn only_a_get_without_a_body_keeps_its_offer_of_a_websocket() {
        let head = |line: &str, offer: &str, more: &str| format!("{line}\r\nHost: x\r\n{offer}{more}\r\n");
        let offer = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
        let removed = "Connection: keep-alive,        \r\nUpgrade:          \r\nSec-WebSocket-Key: x\r\n";
        let get = "GET /api/v4/websocket HTTP/1.1";
        let kept = head(get, offer, "") + "frames with Connection: upgrade\r\n\r\n";
        assert_eq!(whole(&kept), kept);
        for (line, more) in [
            ("HEAD /api/v4/websocket HTTP/1.1", ""),
            ("POST /api/v4/websocket HTTP/1.1", ""),
            ("GET /api/v4/websocket HTTP/1.0", ""),
            (get, "Content-Length: 4\r\n"),
            (get, "Transfer-Encoding: chunked\r\n"),
        ] {
            assert_eq!(whole(&head(line, offer, more)), head(line, removed, more), "{line} {more}");
        }
        let key = "Sec-WebSocket-Key: x\r\n";
        let of = |list: &str| head(get, &format!("Connection: upgrade\r\nUpgrade: {list}\r\n"), key);
        assert_eq!(whole(&of("h2c, WebSocket")), of("     WebSocket"));
        assert_eq!(whole(&of("websocket,h2c")), of("websocket    "));
        // Without the option in `Connection`, a proxy has removed the offer.
        let alone = |list: &str| head(get, &format!("Upgrade: {list}\r\n"), key);
        assert_eq!(whole(&alone("websocket")), alone("         "));
        // Without a key, the offer is not meant for this request.
        assert_eq!(
            whole(&head(get, "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", "")),
            head(get, "Connection:        \r\nUpgrade:               \r\n", "")
        );
    }

    #[test]
    fn input_that_the_http_server_refuses_passes_unchanged() {
        let both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n";
        for request in [
            format!("POST / HTTP/1.1\r\nHost: x\r\n{OFFER}{both}\r\n"),
            format!("POST / HTTP/1.1\r\nHost: x\r\n{OFFER}Content-Length: 4\r\nContent-Length: 4\r\n\r\n"),
            format!("POST / HTTP/1.1\r\nHost: x\r\n{OFFER}Content-Length: +4\r\n\r\n"),
            format!("GET / HTTP/1.1\r\nNo header\r\n{OFFER}\r\n"),
            format!("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n{OFFER}"),
            format!("GET / HTTP/1.1\r\nX: {}\r\n{OFFER}", "x".repeat(MAX_HEAD_BYTES)),
        ] {
            assert_eq!(whole(&request), request);
        }
    }

    #[test]
    fn a_head_that_never_ends_is_passed_on_and_an_idle_connection_holds_nothing() {
        let mut offers = UpgradeOffers::default();
        let mut taken = 0;
        while !matches!(offers.place, Place::Beyond) {
            assert_eq!(offers.pass(&mut [b'x'; 1000]), 0);
            taken += 1000;
            assert!(taken < 2 * MAX_HEAD_BYTES);
        }
        assert_eq!((offers.ready.len(), offers.held.len()), (taken, 0));
        let mut space = vec![0; taken];
        assert!(offers.hand_out(&mut ReadBuf::new(&mut space)));
        assert_eq!((offers.ready.capacity(), offers.held.capacity()), (0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_same_bytes_pass_however_they_arrive(cuts in prop::collection::vec(1_usize..40, 1..60)) {
            let requests = format!(
                "GET / HTTP/1.1\r\nHost: x\r\n{OFFER}\r\n\
                 POST / HTTP/1.1\nHost: x\n{OFFER}Content-Length: 5\n\nabcde\
                 POST / HTTP/1.1\r\n{OFFER}Transfer-Encoding: chunked\r\n\r\n10\r\n{}\r\n1\r\n0\r\n0\r\n\r\n\
                 GET / HTTP/1.1\r\nHost: x\r\n{OFFER}\r\n",
                "0123456789abcdef"
            );
            let (mut rest, mut pieces) = (requests.as_bytes(), Vec::new());
            for cut in cuts.into_iter().cycle() {
                let (piece, later) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let expected = whole(&requests);
            prop_assert!(!expected.contains("Upgrade, "));
            prop_assert_eq!(String::from_utf8(passed(pieces.into_iter())).unwrap(), expected);
        }
    }
}
