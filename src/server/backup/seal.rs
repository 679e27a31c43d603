//! A file that is encrypted with a passphrase, in chunks that can be read in any order.
//!
//! The header says how the key is derived from the passphrase, and every chunk authenticates it. The nonce of a chunk
//! contains its number and whether it is the last: so a moved chunk or a cut-off end fails to decrypt.
//! `docs/backup.md` describes every byte.

use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::num::NonZeroU32;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{pbkdf2, rand};
use quarterdeck_actors::secret::Secret;

/// The first bytes of an encrypted backup.
pub(super) const MAGIC: &[u8; 8] = b"QDBACKUP";

const VERSION: u8 = 1;

/// The id of the key derivation: PBKDF2 with HMAC-SHA-256.
const KDF: u8 = 1;

/// The number of PBKDF2 rounds for a new backup.
const ROUNDS: u32 = 1_000_000;

/// The accepted number of rounds. Fewer give no protection; more would keep the reader busy for hours.
const ACCEPTED_ROUNDS: std::ops::RangeInclusive<u32> = 100_000..=20_000_000;

const SALT_BYTES: usize = 16;

const CHUNK_BYTES: usize = 64 * 1024;

const TAG_BYTES: usize = 16;

const HEAD_BYTES: usize = 8 + 1 + 1 + 4 + SALT_BYTES + 4;

type Head = [u8; HEAD_BYTES];

/// A writer that encrypts.
pub(super) struct Sealing<W: Write> {
    out: W,
    seal: Seal,
    number: u32,
    waiting: Vec<u8>,
}

/// A reader that decrypts.
pub(super) struct Opening<R> {
    source: R,
    seal: Seal,
    plain_bytes: u64,
    last: u32,
    position: u64,
    /// The chunk that was decrypted last, with its number.
    current: Option<(u32, Vec<u8>)>,
}

struct Seal {
    key: LessSafeKey,
    head: Head,
}

impl Seal {
    fn new(passphrase: &Secret, head: Head, rounds: u32, salt: &[u8]) -> Result<Self> {
        let mut key = [0; 32];
        let rounds = NonZeroU32::new(rounds).ok_or_else(|| Error::other("the number of rounds is 0"))?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, passphrase.expose().as_bytes(), &mut key);
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(|_| Error::other("no key"))?;
        Ok(Self { key: LessSafeKey::new(key), head })
    }

    /// Returns the nonce of a chunk. The key is used for one file only, so no nonce is used twice with it.
    fn nonce(number: u32, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let (_, end) = nonce.split_at_mut(NONCE_LEN - 5);
        for (place, byte) in end.iter_mut().zip(number.to_be_bytes().into_iter().chain([u8::from(is_last)])) {
            *place = byte;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

impl<W: Write> Sealing<W> {
    pub(super) fn begin(mut out: W, passphrase: &Secret) -> Result<Self> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| Error::other("no random numbers"))?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&[VERSION, KDF]);
        head.extend_from_slice(&ROUNDS.to_be_bytes());
        head.extend_from_slice(&salt);
        head.extend_from_slice(&u32::try_from(CHUNK_BYTES).map_err(Error::other)?.to_be_bytes());
        let head = Head::try_from(head).map_err(|_| Error::other("the header has a wrong length"))?;
        out.write_all(&head)?;
        Ok(Self { out, seal: Seal::new(passphrase, head, ROUNDS, &salt)?, number: 0, waiting: Vec::new() })
    }

    fn seal(&mut self, mut chunk: Vec<u8>, is_last: bool) -> Result<()> {
        let nonce = Seal::nonce(self.number, is_last);
        let sealed = self.seal.key.seal_in_place_append_tag(nonce, Aad::from(self.seal.head), &mut chunk);
        sealed.map_err(|_| Error::other("a chunk cannot be encrypted"))?;
        self.number = self.number.checked_add(1).ok_or_else(|| Error::other("the backup is too large"))?;
        self.out.write_all(&chunk)
    }

    /// Encrypts and writes the last chunk.
    pub(super) fn finish(mut self) -> Result<W> {
        let last = std::mem::take(&mut self.waiting);
        self.seal(last, true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.waiting.extend_from_slice(bytes);
        // A full chunk stays in memory until more bytes follow, because it may be the last one.
        while self.waiting.len() > CHUNK_BYTES {
            let rest = self.waiting.split_off(CHUNK_BYTES);
            let chunk = std::mem::replace(&mut self.waiting, rest);
            self.seal(chunk, false)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

impl<R: Read + Seek> Opening<R> {
    /// Reads the header and decrypts the last chunk first, which fails for an incomplete file.
    pub(super) fn begin(mut source: R, passphrase: &Secret) -> Result<Self> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut head = [0; HEAD_BYTES];
        source.read_exact(&mut head).map_err(|_| invalid("its header is incomplete"))?;
        let (rounds, salt) = parsed(&head)?;
        let sealed_bytes = length.saturating_sub(as_u64(HEAD_BYTES));
        let chunk = as_u64(CHUNK_BYTES + TAG_BYTES);
        let chunks = sealed_bytes.div_ceil(chunk);
        let last_bytes = sealed_bytes.saturating_sub(chunks.saturating_sub(1) * chunk);
        let last = chunks.checked_sub(1).and_then(|last| u32::try_from(last).ok());
        let last = last.filter(|_| last_bytes >= as_u64(TAG_BYTES)).ok_or_else(|| invalid("it was cut off"))?;
        let plain_bytes = sealed_bytes - chunks * as_u64(TAG_BYTES);
        let seal = Seal::new(passphrase, head, rounds, salt)?;
        let mut opening = Self { source, seal, plain_bytes, last, position: 0, current: None };
        opening.load(last).map_err(|cause| {
            let is_other_chunk = cause.kind() == ErrorKind::InvalidData;
            if is_other_chunk { invalid("the passphrase is wrong, or it was cut off or changed") } else { cause }
        })?;
        Ok(opening)
    }

    fn load(&mut self, number: u32) -> Result<()> {
        if self.current.as_ref().is_some_and(|(current, _)| *current == number) {
            return Ok(());
        }
        let chunk = as_u64(CHUNK_BYTES + TAG_BYTES);
        self.source.seek(SeekFrom::Start(as_u64(HEAD_BYTES) + u64::from(number) * chunk))?;
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + TAG_BYTES);
        self.source.by_ref().take(chunk).read_to_end(&mut bytes)?;
        let nonce = Seal::nonce(number, number == self.last);
        let opened = self.seal.key.open_in_place(nonce, Aad::from(self.seal.head), &mut bytes);
        let length = opened.map_err(|_| invalid("it was changed"))?.len();
        bytes.truncate(length);
        self.current = Some((number, bytes));
        Ok(())
    }
}

/// Returns the rounds and the salt of a header.
fn parsed(head: &Head) -> Result<(u32, &[u8])> {
    let (begin, rest) = head.split_at(MAGIC.len() + 2);
    let (rounds, rest) = rest.split_at(4);
    let (salt, chunk) = rest.split_at(SALT_BYTES);
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_be_bytes).unwrap_or_default();
    let is_known = begin.starts_with(MAGIC) && begin.ends_with(&[VERSION, KDF]);
    if !is_known || as_u64(CHUNK_BYTES) != u64::from(number(chunk)) {
        return Err(invalid("it uses an encryption that this version does not support"));
    }
    let rounds = number(rounds);
    if ACCEPTED_ROUNDS.contains(&rounds) {
        Ok((rounds, salt))
    } else {
        Err(invalid("the number of rounds in its header must be from 100,000 to 20,000,000"))
    }
}

impl<R: Read + Seek> Read for Opening<R> {
    fn read(&mut self, target: &mut [u8]) -> Result<usize> {
        if self.position >= self.plain_bytes {
            return Ok(0);
        }
        let (number, within) = (self.position / as_u64(CHUNK_BYTES), self.position % as_u64(CHUNK_BYTES));
        self.load(u32::try_from(number).map_err(Error::other)?)?;
        let within = usize::try_from(within).map_err(Error::other)?;
        let rest = self.current.as_ref().and_then(|(_, plain)| plain.get(within..)).unwrap_or_default();
        let read = rest.len().min(target.len());
        for (place, byte) in target.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.position += as_u64(read);
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Opening<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.plain_bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or_else(|| invalid("a position before the start of the file"))?;
        Ok(self.position)
    }
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidData, text)
}

fn as_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealing = Sealing::begin(Vec::new(), &Secret::new("correct horse".to_owned())).unwrap();
        sealing.write_all(plain).unwrap();
        sealing.finish().unwrap()
    }

    fn opened(sealed: Vec<u8>, passphrase: &str) -> Result<Vec<u8>> {
        let mut plain = Vec::new();
        Opening::begin(Cursor::new(sealed), &Secret::new(passphrase.to_owned()))?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_was_written_is_read_at_every_length_around_a_chunk() {
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES] {
            let plain: Vec<u8> = (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect();
            let sealed = sealed(&plain);
            assert!(length < 9 || !sealed.windows(9).any(|found| found == &plain[..9]), "it is in clear");
            assert_eq!(opened(sealed, "correct horse").unwrap(), plain, "{length}");
        }
    }

    #[test]
    fn a_cut_a_change_or_another_order_is_refused() {
        let plain = vec![7; 2 * CHUNK_BYTES + 5];
        let good = sealed(&plain);
        let chunk = CHUNK_BYTES + TAG_BYTES;
        let mut moved = good.clone();
        let (first, second) = moved[HEAD_BYTES..].split_at_mut(chunk);
        first.swap_with_slice(&mut second[..chunk]);
        let changed = |place: usize| {
            let mut bytes = good.clone();
            bytes[place] ^= 1;
            bytes
        };
        let bad = [
            moved,
            changed(HEAD_BYTES + 3),
            changed(good.len() - 1),
            changed(20),
            good[..good.len() - 1].to_vec(),
            good[..HEAD_BYTES + 2 * chunk].to_vec(),
            good[..HEAD_BYTES].to_vec(),
            good[..10].to_vec(),
            [&good[..], &[0]].concat(),
        ];
        for (case, bytes) in bad.into_iter().enumerate() {
            assert_eq!(opened(bytes, "correct horse").unwrap_err().kind(), ErrorKind::InvalidData, "case {case}");
        }
        assert!(opened(good, "another").unwrap_err().to_string().contains("the passphrase is wrong"));
    }

    #[test]
    fn a_head_with_too_many_or_too_few_rounds_is_refused_before_any_work() {
        for rounds in [1_u32, 99_999, 20_000_001, u32::MAX] {
            let mut bytes = sealed(b"x");
            bytes[10..14].copy_from_slice(&rounds.to_be_bytes());
            assert!(opened(bytes, "correct horse").unwrap_err().to_string().contains("rounds"), "{rounds}");
        }
    }
}
