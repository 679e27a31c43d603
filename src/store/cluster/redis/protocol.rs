//! The part of the Redis protocol (RESP2) that the bus needs. Every answer has a bound, because another program may have
//! written what Redis answers.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The maximum length of a line, which holds a number, a status or an error, in bytes.
const MAX_LINE_BYTES: u64 = 1024;

/// The maximum depth of lists in lists: the fields of an entry of a stream of all streams.
const MAX_DEPTH: u8 = 5;

/// The maximum number of answers in a list.
const MAX_ELEMENTS: u64 = 64;

/// An answer of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Nothing,
    Number(i64),
    Text(Vec<u8>),
    List(Vec<Answer>),
    /// Redis refuses the command, with this reason.
    Refused(String),
}

/// The reason why no answer could be read. The connection cannot be used any more.
#[derive(Debug)]
pub(super) enum Broken {
    Lost(String),
    TooLong,
    Malformed,
}

/// Returns a command as bytes.
pub(super) fn packed(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Reads an answer, of at most `left` bytes, which are counted there.
pub(super) async fn answer(reader: &mut (impl AsyncBufRead + Send + Unpin), left: &mut u64) -> Result<Answer, Broken> {
    part(reader, left, MAX_DEPTH).await
}

fn part<'a, R: AsyncBufRead + Send + Unpin>(
    reader: &'a mut R,
    left: &'a mut u64,
    depth: u8,
) -> BoxFuture<'a, Result<Answer, Broken>> {
    async move {
        let line = line(reader, left).await?;
        let Some((kind, rest)) = line.split_at_checked(1) else { return Err(Broken::Malformed) };
        match kind {
            "+" => Ok(Answer::Text(rest.as_bytes().to_vec())),
            "-" => Ok(Answer::Refused(rest.chars().filter(|character| !character.is_control()).collect())),
            ":" => rest.parse().map(Answer::Number).map_err(|_| Broken::Malformed),
            "$" => match count(rest)? {
                Some(length) => text(reader, left, length).await,
                None => Ok(Answer::Nothing),
            },
            "*" => match count(rest)? {
                Some(length) => list(reader, left, length, depth).await,
                None => Ok(Answer::Nothing),
            },
            _ => Err(Broken::Malformed),
        }
    }
    .boxed()
}

async fn text(reader: &mut (impl AsyncBufRead + Unpin), left: &mut u64, length: u64) -> Result<Answer, Broken> {
    let with_end = length.saturating_add(2);
    *left = left.checked_sub(with_end).ok_or(Broken::TooLong)?;
    let mut bytes = vec![0; usize::try_from(with_end).map_err(|_| Broken::TooLong)?];
    reader.read_exact(&mut bytes).await.map_err(|cause| Broken::Lost(cause.to_string()))?;
    let content = bytes.strip_suffix(b"\r\n").ok_or(Broken::Malformed)?;
    Ok(Answer::Text(content.to_vec()))
}

async fn list(
    reader: &mut (impl AsyncBufRead + Send + Unpin),
    left: &mut u64,
    length: u64,
    depth: u8,
) -> Result<Answer, Broken> {
    let depth = depth.checked_sub(1).ok_or(Broken::Malformed)?;
    if length > MAX_ELEMENTS {
        return Err(Broken::TooLong);
    }
    let mut answers = Vec::new();
    for _ in 0..length {
        answers.push(part(reader, left, depth).await?);
    }
    Ok(Answer::List(answers))
}

/// Reads a line without its end.
async fn line(reader: &mut (impl AsyncBufRead + Unpin), left: &mut u64) -> Result<String, Broken> {
    let limit = MAX_LINE_BYTES.min(*left);
    let mut bytes = Vec::new();
    let read = (&mut *reader).take(limit).read_until(b'\n', &mut bytes).await;
    let read = u64::try_from(read.map_err(|cause| Broken::Lost(cause.to_string()))?).unwrap_or(limit);
    *left = left.saturating_sub(read);
    match bytes.strip_suffix(b"\r\n") {
        Some(content) => Ok(String::from_utf8_lossy(content).into_owned()),
        None if read == limit => Err(Broken::TooLong),
        None if read == 0 => Err(Broken::Lost("the connection was closed".to_owned())),
        None => Err(Broken::Malformed),
    }
}

/// Returns the length of a text or a list; `None` for one that is missing.
fn count(text: &str) -> Result<Option<u64>, Broken> {
    if text == "-1" { Ok(None) } else { text.parse().map(Some).map_err(|_| Broken::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Answer, Broken> {
        answer(&mut bytes, &mut 100).await
    }

    #[actix_rt::test]
    async fn all_kinds_of_answers_are_read() {
        let text = |text: &str| Answer::Text(text.as_bytes().to_vec());
        for (bytes, expected) in [
            ("+OK\r\n", text("OK")),
            (":-7\r\n", Answer::Number(-7)),
            ("$4\r\na\r\nb\r\n", text("a\r\nb")),
            ("$0\r\n\r\n", text("")),
            ("$-1\r\n", Answer::Nothing),
            ("*-1\r\n", Answer::Nothing),
            ("*0\r\n", Answer::List(Vec::new())),
            ("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", Answer::List(vec![Answer::Number(1), Answer::List(vec![text("x")])])),
            ("-ERR no\x1b such\r\n", Answer::Refused("ERR no such".to_owned())),
        ] {
            assert_eq!(read(bytes.as_bytes()).await.unwrap(), expected, "{bytes:?}");
        }
    }

    #[actix_rt::test]
    async fn an_answer_that_is_too_long_is_refused_before_it_is_read() {
        for bytes in
            ["$101\r\n", "$18446744073709551615\r\n", &format!("+{}", "x".repeat(200)), "*64\r\n:1\r\n", "*65\r\n"]
        {
            let bytes = format!("{bytes}{}", ":1\r\n".repeat(50));
            assert!(matches!(read(bytes.as_bytes()).await, Err(Broken::TooLong)), "{bytes:?}");
        }
    }

    #[actix_rt::test]
    async fn several_answers_have_one_bound() {
        let (mut bytes, mut left) = (&b"$40\r\n1234567890123456789012345678901234567890\r\n$60\r\n"[..], 100);
        answer(&mut bytes, &mut left).await.unwrap();
        assert!(matches!(answer(&mut bytes, &mut left).await, Err(Broken::TooLong)), "{left}");
    }

    #[actix_rt::test]
    async fn malformed_and_cut_answers_are_refused() {
        for bytes in ["\r\n", "!x\r\n", ":x\r\n", "$-2\r\n", "*x\r\n", "$1\r\nxyz", "x", &"*1\r\n".repeat(10)] {
            assert!(matches!(read(bytes.as_bytes()).await, Err(Broken::Malformed)), "{bytes:?}");
        }
        for bytes in ["", "$5\r\nabc", "*2\r\n:1\r\n"] {
            assert!(matches!(read(bytes.as_bytes()).await, Err(Broken::Lost(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_command_tells_the_length_of_each_word() {
        assert_eq!(packed(&[b"GET", b"a\r\nb"]), b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n");
    }
}
