//! Decodes WebSocket frames into messages, and encodes messages as frames.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::ws::{OpCode, Parser, ProtocolError};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::Stream;
use quarterdeck_actors::steps::walked;

use super::close::Close;
use super::message::Encoded;

/// The largest message of a client, in bytes, even if it comes in several frames.
pub(super) const MAX_MESSAGE_BYTES: usize = 8192;

/// The bits of a frame's first byte that hold its kind, and those of its second byte that hold its length.
const OPCODE_BITS: u8 = 0x0f;
const LENGTH_BITS: u8 = 0x7f;

/// A message or a control frame of a client.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    Request(Encoded),
    Ping(Bytes),
    Pong,
    Close(Option<u16>),
    /// The client violated the protocol.
    Fault(Close),
    /// The client disconnected.
    Nothing,
}

/// Decodes messages from a stream of bytes.
#[derive(Default)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// The first parts of a message whose last part has not arrived.
    begun: Option<Box<Begun>>,
}

struct Begun {
    is_text: bool,
    payload: BytesMut,
}

impl Frames {
    /// Returns the next message of the client.
    pub(super) fn poll_next(&mut self, incoming: &mut Payload, context: &mut Context<'_>) -> Poll<Received> {
        loop {
            if let Some(received) = self.take() {
                return Poll::Ready(received);
            }
            match ready!(Pin::new(&mut *incoming).poll_next(context)) {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(_)) | None => return Poll::Ready(Received::Nothing),
            }
        }
    }

    /// Returns the next complete message in the buffer, or the protocol error in it.
    fn take(&mut self) -> Option<Received> {
        while !self.buffer.is_empty() {
            walked(1);
            let (is_last, kind, payload) = match Parser::parse(&mut self.buffer, true, MAX_MESSAGE_BYTES) {
                Ok(Some(frame)) => frame,
                // A frame that is too long is refused as soon as its header has arrived.
                Ok(None) => return self.is_too_long().then_some(Received::Fault(Close::TOO_LARGE)),
                Err(ProtocolError::Overflow) => return Some(Received::Fault(Close::TOO_LARGE)),
                Err(_) => return Some(Received::Fault(Close::PROTOCOL)),
            };
            let payload = payload.unwrap_or_default();
            walked(payload.len());
            if let Some(received) = self.frame(is_last, kind, payload) {
                return Some(received);
            }
        }
        // The buffer is dropped, so that an idle connection takes no memory for it.
        self.buffer = BytesMut::new();
        None
    }

    /// Returns true if the incomplete frame in the buffer announces more bytes than a message may have.
    fn is_too_long(&self) -> bool {
        let Some((first, announced)) = announced(&self.buffer) else { return false };
        let is_continuation = first & OPCODE_BITS == u8::from(OpCode::Continue);
        let before = self.begun.as_ref().filter(|_| is_continuation).map_or(0, |begun| begun.payload.len());
        announced.saturating_add(before as u64) > MAX_MESSAGE_BYTES as u64
    }

    fn frame(&mut self, is_last: bool, kind: OpCode, payload: BytesMut) -> Option<Received> {
        let received = match kind {
            OpCode::Text | OpCode::Binary if self.begun.is_none() => {
                let begun = Begun { is_text: kind == OpCode::Text, payload };
                if !is_last {
                    self.begun = Some(Box::new(begun));
                    return None;
                }
                begun.message()
            }
            OpCode::Continue => return self.go_on(is_last, &payload),
            OpCode::Ping if is_last => Received::Ping(payload.freeze()),
            OpCode::Pong if is_last => Received::Pong,
            OpCode::Close if is_last => closing(&payload),
            OpCode::Text | OpCode::Binary | OpCode::Ping | OpCode::Pong | OpCode::Close | OpCode::Bad => {
                Received::Fault(Close::PROTOCOL)
            }
        };
        Some(received)
    }

    /// Adds a continuation frame to the message that has begun.
    fn go_on(&mut self, is_last: bool, part: &[u8]) -> Option<Received> {
        let Some(begun) = &mut self.begun else { return Some(Received::Fault(Close::PROTOCOL)) };
        if begun.payload.len() + part.len() > MAX_MESSAGE_BYTES {
            return Some(Received::Fault(Close::TOO_LARGE));
        }
        begun.payload.extend_from_slice(part);
        if is_last { self.begun.take().map(|begun| begun.message()) } else { None }
    }
}

impl Begun {
    fn message(self) -> Received {
        let payload = self.payload.freeze();
        Received::Request(if self.is_text { Encoded::Json(payload) } else { Encoded::MessagePack(payload) })
    }
}

/// Returns the first byte of a frame and the length of its payload; `None` if they have not arrived.
fn announced(frame: &[u8]) -> Option<(u8, u64)> {
    let length = match *frame.get(1)? & LENGTH_BITS {
        126 => u64::from(u16::from_be_bytes(frame.get(2..4)?.try_into().ok()?)),
        127 => u64::from_be_bytes(frame.get(2..10)?.try_into().ok()?),
        length => u64::from(length),
    };
    Some((*frame.first()?, length))
}

fn closing(payload: &[u8]) -> Received {
    match Parser::try_parse_close_payload(payload) {
        Ok(reason) => Received::Close(reason.map(|reason| reason.code.into())),
        Err(_) => Received::Fault(Close::PROTOCOL),
    }
}

pub(super) fn write_text(text: &[u8], out: &mut BytesMut) {
    Parser::write_message(out, text, OpCode::Text, true, false);
}

pub(super) fn write_ping(out: &mut BytesMut) {
    Parser::write_message(out, b"", OpCode::Ping, true, false);
}

pub(super) fn write_pong(payload: &[u8], out: &mut BytesMut) {
    Parser::write_message(out, payload, OpCode::Pong, true, false);
}

pub(super) fn write_close(close: Close, out: &mut BytesMut) {
    let mut payload = Vec::new();
    if let Some(code) = close.code {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(close.reason.as_bytes());
    }
    Parser::write_message(out, payload, OpCode::Close, true, false);
}

#[cfg(test)]
#[path = "frames/hostile.rs"]
mod hostile;

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame, as clients send it.
    fn frame(is_last: bool, kind: OpCode, payload: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        Parser::write_message(&mut out, payload, kind, is_last, true);
        out
    }

    fn received(frames: &[BytesMut]) -> Vec<Received> {
        let mut reader = Frames::default();
        let mut received = Vec::new();
        for frame in frames {
            // The bytes come in small pieces, because the network may split them anywhere.
            for piece in frame.chunks(frame.len().div_ceil(64)) {
                reader.buffer.extend_from_slice(piece);
                while let Some(one) = reader.take() {
                    let is_fault = matches!(one, Received::Fault(_));
                    received.push(one);
                    // No frame is read after a protocol error.
                    if is_fault {
                        return received;
                    }
                }
            }
        }
        received
    }

    fn text(payload: &str) -> Received {
        Received::Request(Encoded::Json(Bytes::copy_from_slice(payload.as_bytes())))
    }

    #[test]
    fn a_message_may_come_in_parts_with_pings_between_them() {
        let parts = [
            frame(false, OpCode::Text, b"one "),
            frame(true, OpCode::Ping, b"there?"),
            frame(false, OpCode::Continue, b"and "),
            frame(true, OpCode::Continue, b"two"),
            frame(true, OpCode::Text, b"three"),
        ];
        assert_eq!(
            received(&parts),
            [Received::Ping(Bytes::from_static(b"there?")), text("one and two"), text("three")]
        );
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_however_it_comes() {
        let max = vec![b'x'; MAX_MESSAGE_BYTES];
        assert_eq!(received(&[frame(true, OpCode::Text, &max)]).len(), 1);
        let too_much = vec![b'x'; MAX_MESSAGE_BYTES + 1];
        assert_eq!(received(&[frame(true, OpCode::Text, &too_much)]), [Received::Fault(Close::TOO_LARGE)]);
        let parts = [frame(false, OpCode::Text, &max), frame(true, OpCode::Continue, b"x")];
        assert_eq!(received(&parts), [Received::Fault(Close::TOO_LARGE)]);
        // The header alone is enough, without the mask and without a byte of the payload.
        let endless = BytesMut::from(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..]);
        let short = BytesMut::from(&[0x82, 0xfe, 0x20, 0x01][..]);
        let more = BytesMut::from(&[0x80, 0xfe, 0x10, 0x01][..]);
        assert_eq!(received(&[endless]), [Received::Fault(Close::TOO_LARGE)]);
        assert_eq!(received(&[short]), [Received::Fault(Close::TOO_LARGE)]);
        assert_eq!(
            received(&[frame(false, OpCode::Text, &max[..0x1000]), more.clone()]),
            [Received::Fault(Close::TOO_LARGE)]
        );
        assert_eq!(received(&[more]), []);
        // A frame within a message has its own length.
        let pong = BytesMut::from(&[0x8a, 0x85][..]);
        assert_eq!(received(&[frame(false, OpCode::Text, &max), pong]), []);
    }

    #[test]
    fn what_breaks_the_protocol_is_a_fault() {
        let unmasked = BytesMut::from(&[0x81, 0x01, b'x'][..]);
        let reserved_bit = BytesMut::from(&[0xc1, 0x80, 0, 0, 0, 0][..]);
        let reserved_kind = BytesMut::from(&[0x83, 0x80, 0, 0, 0, 0][..]);
        let faults = [
            vec![unmasked],
            vec![reserved_bit],
            vec![reserved_kind],
            vec![frame(false, OpCode::Ping, b"in parts")],
            vec![frame(true, OpCode::Ping, &[b'x'; 126])],
            vec![frame(true, OpCode::Continue, b"of nothing")],
            vec![frame(false, OpCode::Text, b"one"), frame(true, OpCode::Text, b"another")],
            vec![frame(true, OpCode::Close, b"x")],
            vec![frame(true, OpCode::Close, &[0x03, 0xec])],
        ];
        for fault in faults {
            assert_eq!(received(&fault), [Received::Fault(Close::PROTOCOL)], "{fault:?}");
        }
    }

    #[test]
    fn a_close_frame_gives_its_code() {
        assert_eq!(received(&[frame(true, OpCode::Close, &[0x0f, 0xa0])]), [Received::Close(Some(4000))]);
        assert_eq!(received(&[frame(true, OpCode::Close, b"")]), [Received::Close(None)]);
    }

    #[test]
    fn an_idle_reader_holds_no_memory() {
        let mut reader = Frames { buffer: frame(true, OpCode::Text, b"text"), begun: None };
        assert!(reader.take().is_some());
        assert!(reader.take().is_none());
        assert_eq!(reader.buffer.capacity(), 0);
    }
}
