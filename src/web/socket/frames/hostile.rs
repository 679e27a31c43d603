//! Hostile bytes. The frame reader must not panic on them, and its steps and memory must stay linear in their length.

use actix_http::ws::{OpCode, Parser};
use actix_web::web::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use quarterdeck_actors::steps::assert_linear;

use super::{Frames, MAX_MESSAGE_BYTES, Received};

/// The largest header of a frame, in bytes.
const MAX_FRAME_HEAD_BYTES: usize = 14;

/// Reads `bytes` in pieces of `piece` bytes, up to the first protocol error.
fn received(bytes: &[u8], piece: usize) -> Vec<Received> {
    let mut reader = Frames::default();
    let mut received = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.buffer.extend_from_slice(piece);
        while let Some(one) = reader.take() {
            let is_fault = matches!(one, Received::Fault(_));
            received.push(one);
            if is_fault {
                return received;
            }
        }
        let begun = reader.begun.as_ref().map_or(0, |begun| begun.payload.len());
        assert!(reader.buffer.len() <= MAX_MESSAGE_BYTES + MAX_FRAME_HEAD_BYTES && begun <= MAX_MESSAGE_BYTES);
    }
    received
}

/// Makes about the given number of frames.
type Shape = fn(usize) -> BytesMut;

/// A masked frame, as clients send it.
fn frame(is_last: bool, kind: OpCode, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    Parser::write_message(&mut out, payload, kind, is_last, true);
    out
}

fn kinds() -> impl Strategy<Value = OpCode> {
    select(vec![OpCode::Text, OpCode::Binary, OpCode::Continue, OpCode::Ping, OpCode::Pong, OpCode::Close])
}

/// Frames of any kind and length, with random bytes between some of them.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![0_usize..20, 120_usize..130, Just(MAX_MESSAGE_BYTES), Just(MAX_MESSAGE_BYTES + 1)];
    let whole = (any::<bool>(), kinds(), length)
        .prop_map(|(is_last, kind, length)| frame(is_last, kind, &vec![b'x'; length]).to_vec());
    let noise = vec(any::<u8>(), 0..20);
    vec(prop_oneof![8 => whole, 1 => noise], 0..8).prop_map(|parts| parts.concat())
}

#[test]
fn frames_are_read_in_steps_that_grow_as_they_do() {
    let shapes: [(&str, Shape); 4] = [
        ("pings", |size| (0..size).flat_map(|_| frame(true, OpCode::Ping, b"")).collect()),
        ("empty texts", |size| (0..size).flat_map(|_| frame(true, OpCode::Text, b"")).collect()),
        ("parts of nothing", |size| {
            let parts = (0..size).flat_map(|_| frame(false, OpCode::Continue, b""));
            frame(false, OpCode::Text, b"").into_iter().chain(parts).collect()
        }),
        ("long texts", |size| (0..size / 100).flat_map(|_| frame(true, OpCode::Text, &[b'x'; 800])).collect()),
    ];
    for (shape, frames) in shapes {
        for piece in [1, 64, 100_000] {
            // With pieces of one byte, an incomplete header is parsed again for each byte.
            assert_linear(shape, 400, |size| drop(received(&frames(size), piece)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn noise_is_read_without_a_panic_and_within_the_bound_of_memory(bytes in vec(any::<u8>(), 0..300), piece in 1_usize..50) {
        drop(received(&bytes, piece));
    }

    #[test]
    fn where_the_network_cuts_makes_no_difference(frames in frames(), piece in 1_usize..4_000) {
        prop_assert_eq!(received(&frames, piece), received(&frames, frames.len().max(1)));
    }
}
