//! One request head: where it ends, how its body is framed, and which of its bytes offer an upgrade.

use std::mem::MaybeUninit;
use std::ops::Range;

use httparse::{Error, Request, Status};
use quarterdeck_actors::steps::walked;

/// The largest number of headers. actix-http refuses more.
const MAX_HEADERS: usize = 96;

/// A complete request head.
pub(super) struct Head {
    /// The length of the head, in bytes.
    pub(super) length: usize,
    pub(super) framing: Framing,
    /// The bytes of the offers that the HTTP server must not see.
    offers: Vec<Range<usize>>,
}

/// The end of the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    /// All further bytes of the connection belong to this request.
    Endless,
}

/// The headers that matter here.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    is_chunked: bool,
    /// The places of the option `upgrade` in `Connection`.
    options: Vec<Range<usize>>,
    /// The places of the values of `Upgrade`.
    protocols: Vec<Range<usize>>,
    /// The place of `websocket` among them.
    websocket: Option<Range<usize>>,
    /// True with `Sec-WebSocket-Key`, which every request for a WebSocket has.
    has_key: bool,
}

impl Head {
    /// Reads the head at the start of `bytes`; `None` if it is incomplete.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let mut space = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut request = Request::new(&mut []);
        let Status::Complete(length) = request.parse_with_uninit_headers(bytes, &mut space)? else { return Ok(None) };
        walked(length);
        let is_current = request.version == Some(1);
        let mut fields = Fields::default();
        for header in request.headers.iter() {
            // The value is a part of `bytes`.
            let start = header.value.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
            fields.add(header.name, header.value, start, is_current)?;
        }
        let has_body = fields.is_chunked || fields.length.is_some_and(|length| length > 0);
        let opens_websocket = request.method == Some("GET")
            && is_current
            && !has_body
            && !fields.options.is_empty()
            && fields.websocket.is_some()
            && fields.has_key;
        let framing = if opens_websocket || request.method == Some("CONNECT") {
            Framing::Endless
        } else if fields.is_chunked {
            Framing::Chunked
        } else {
            Framing::Length(fields.length.unwrap_or(0))
        };
        let offers = if opens_websocket { fields.other_protocols() } else { fields.all() };
        Ok(Some(Self { length, framing, offers }))
    }

    /// Overwrites the offers with spaces. `bytes` are those from which the head was read.
    pub(super) fn remove_offers(&self, bytes: &mut [u8]) {
        for offer in &self.offers {
            if let Some(part) = bytes.get_mut(offer.clone()) {
                part.fill(b' ');
            }
        }
    }
}

impl Fields {
    /// Adds a header whose value begins at `start`. The errors are those of headers that actix-http refuses as well.
    fn add(&mut self, name: &str, value: &[u8], start: usize, is_current: bool) -> Result<(), Error> {
        let refused = Error::HeaderValue;
        if name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(value).map_err(|_| refused)?.trim();
            let length = text.parse().ok().filter(|_| !text.starts_with('+') && self.length.is_none());
            self.length = Some(length.ok_or(refused)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
            if !is_chunked || self.is_chunked || !is_current {
                return Err(refused);
            }
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            self.options.extend(places(value, start, b"upgrade"));
        } else if name.eq_ignore_ascii_case("sec-websocket-key") {
            self.has_key = true;
        } else if name.eq_ignore_ascii_case("upgrade") {
            self.protocols.push(start..start + value.len());
            self.websocket = self.websocket.take().or_else(|| places(value, start, b"websocket").next());
        }
        if self.is_chunked && self.length.is_some() { Err(refused) } else { Ok(()) }
    }

    fn all(self) -> Vec<Range<usize>> {
        [self.options, self.protocols].concat()
    }

    /// Returns the places of all values of `Upgrade` except `websocket`. actix-http recognises it only if it stands
    /// alone.
    fn other_protocols(self) -> Vec<Range<usize>> {
        let Some(kept) = self.websocket else { return Vec::new() };
        let around = |value: Range<usize>| {
            if value.contains(&kept.start) { [value.start..kept.start, kept.end..value.end] } else { [value, 0..0] }
        };
        self.protocols.into_iter().flat_map(around).collect()
    }
}

/// Returns the places of `token` in the list `value`, which begins at `start`.
fn places(value: &[u8], start: usize, token: &'static [u8]) -> impl Iterator<Item = Range<usize>> {
    let mut begin = start;
    value.split(|byte| *byte == b',').filter_map(move |part| {
        let blanks = part.len() - part.trim_ascii_start().len();
        let (from, trimmed) = (begin + blanks, part.trim_ascii());
        begin += part.len() + 1;
        trimmed.eq_ignore_ascii_case(token).then(|| from..from + trimmed.len())
    })
}
