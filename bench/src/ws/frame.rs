//! WebSocket frames as a client reads and writes them: frames of the server are not masked, frames of the client are.

use std::io;

const IS_LAST: u8 = 0x80;
const IS_MASKED: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// The longest frame that a server may send, in bytes.
const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// A frame from the server.
#[derive(Debug, PartialEq)]
pub(crate) enum Frame<'a> {
    Text(&'a [u8]),
    Ping(&'a [u8]),
    /// The end of the connection, with a code of two bytes and a reason.
    Close(&'a [u8]),
    Other,
}

/// Returns the first frame of `bytes` and the bytes after it, or `None` if the frame is incomplete.
pub(crate) fn split_first(bytes: &[u8]) -> io::Result<Option<(Frame<'_>, &[u8])>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let is_readable = first & IS_LAST != 0 && second & IS_MASKED == 0;
    if !is_readable {
        return Err(io::Error::other("a fragmented or masked frame"));
    }
    let Some((length, rest)) = length_of(*second, rest)? else { return Ok(None) };
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    let frame = match first & 0xF {
        TEXT => Frame::Text(payload),
        PING => Frame::Ping(payload),
        CLOSE => Frame::Close(payload),
        _ => Frame::Other,
    };
    Ok(Some((frame, rest)))
}

fn length_of(short: u8, rest: &[u8]) -> io::Result<Option<(usize, &[u8])>> {
    let read = match short {
        126 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from(u16::from_be_bytes(*bytes)), rest)),
        127 => rest.split_first_chunk().map(|(bytes, rest)| (u64::from_be_bytes(*bytes), rest)),
        short => Some((u64::from(short), rest)),
    };
    let Some((length, rest)) = read else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME_BYTES);
    length.map(|length| Some((length, rest))).ok_or_else(|| io::Error::other("a frame of more than 1 MiB"))
}

/// Returns the error of a connection that the server closed.
pub(crate) fn closed(payload: &[u8]) -> io::Error {
    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default());
    let text = format!("closed by the server: {} {reason}", close_code(payload));
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

/// Returns the code with which the server closed a connection; 0 without one.
pub(crate) fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk().map_or(0, |code| u16::from_be_bytes(*code))
}

/// Returns a short text from a client, of at most 125 bytes. The mask is zero, but a server must still apply it.
pub(crate) fn text(payload: &[u8]) -> Vec<u8> {
    from_client(TEXT, payload)
}

/// Returns the answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Vec<u8> {
    from_client(PONG, payload)
}

fn from_client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    // A control frame carries at most 125 bytes; a longer frame needs more bytes for its length.
    let payload = payload.get(..125).unwrap_or(payload);
    let length = u8::try_from(payload.len()).unwrap_or_default();
    let head = [IS_LAST | opcode, IS_MASKED | length, 0, 0, 0, 0];
    [&head, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_server(length: usize) -> Vec<u8> {
        let size: Vec<u8> = match length {
            0..126 => vec![u8::try_from(length).unwrap()],
            126..65_536 => [&[126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
            _ => [&[127][..], &u64::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        [&[0x81], &size[..], &vec![b'x'; length]].concat()
    }

    #[test]
    fn a_frame_of_each_length_is_read_whole_or_not_at_all() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536] {
            let bytes = [from_server(length), b"more".to_vec()].concat();
            let (frame, rest) = split_first(&bytes).unwrap().unwrap();
            assert_eq!((frame, rest), (Frame::Text(&vec![b'x'; length]), &b"more"[..]), "{length}");
            for cut in [0, 1, 2, 3, bytes.len() - 5] {
                let is_whole = cut >= bytes.len() - 4;
                assert_eq!(split_first(&bytes[..cut]).unwrap().is_some(), is_whole, "{cut} of {length}");
            }
        }
    }

    #[test]
    fn pings_and_closes_are_told_from_texts() {
        assert_eq!(split_first(b"\x89\x02hi").unwrap().unwrap().0, Frame::Ping(b"hi"));
        assert_eq!(split_first(b"\x88\x04\x03\xf4so").unwrap().unwrap().0, Frame::Close(b"\x03\xf4so"));
        assert_eq!(closed(b"\x03\xf4so").to_string(), "closed by the server: 1012 so");
        assert_eq!(closed(b"").to_string(), "closed by the server: 0 ");
        assert_eq!(split_first(b"\x8a\x00").unwrap().unwrap().0, Frame::Other);
        assert_eq!(pong(b"hi"), b"\x8a\x82\0\0\0\0hi");
        assert_eq!(text(b"hi"), b"\x81\x82\0\0\0\0hi");
    }

    #[test]
    fn frames_in_parts_masked_ones_and_endless_ones_are_errors() {
        for bytes in [&b"\x01\x00"[..], b"\x81\x80\0\0\0\0", b"\x81\x7f\xff\0\0\0\0\0\0\0"] {
            assert!(split_first(bytes).is_err(), "{bytes:?}");
        }
    }
}
