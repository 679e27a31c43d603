//! The SMTP conversation with a mail server (RFC 5321).

use super::failure::Problem;
use super::message::Letter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The maximum number of bytes that a mail server may send in a whole conversation.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The client's side of the conversation.
pub(super) struct Dialogue<S> {
    stream: S,
    /// The bytes that were read and not parsed yet.
    unread: Vec<u8>,
    received_bytes: usize,
}

/// A response of the mail server.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

/// The extensions that the mail server offers: keyword and parameters of each, in upper case.
pub(super) struct Extensions(Vec<String>);

impl Extensions {
    /// Returns the parameters of `keyword`, or `None` when the server does not offer it.
    pub(super) fn of(&self, keyword: &str) -> Option<impl Iterator<Item = &str>> {
        let mut words = self.0.iter().map(|line| line.split([' ', '=']));
        words.find_map(|mut words| (words.next() == Some(keyword)).then_some(words))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    /// Waits for the server's greeting and sends `EHLO`.
    pub(super) async fn open(stream: S, name: &str) -> Result<(Self, Extensions), Problem> {
        let mut dialogue = Self::new(stream);
        let greeting = dialogue.reply().await?;
        accepted(greeting, 2)?;
        let offers = dialogue.introduce(name).await?;
        Ok((dialogue, offers))
    }

    /// Sends `EHLO` again after the TLS handshake; everything received before it is discarded.
    pub(super) async fn resume(stream: S, name: &str) -> Result<(Self, Extensions), Problem> {
        let mut dialogue = Self::new(stream);
        let offers = dialogue.introduce(name).await?;
        Ok((dialogue, offers))
    }

    fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new(), received_bytes: 0 }
    }

    /// Sends `EHLO` and returns the extensions that the server offers.
    async fn introduce(&mut self, name: &str) -> Result<Extensions, Problem> {
        match self.ask(&format!("EHLO {name}"), 2).await {
            Ok(reply) => Ok(Extensions(reply.lines.iter().skip(1).map(|line| line.to_ascii_uppercase()).collect())),
            // Servers without extensions know only `HELO`.
            Err(Problem::Refused { code: 500..=599, .. }) => {
                self.ask(&format!("HELO {name}"), 2).await?;
                Ok(Extensions(Vec::new()))
            }
            Err(problem) => Err(problem),
        }
    }

    /// Sends `STARTTLS` and returns the connection. Fails when the server has sent more bytes after its response.
    pub(super) async fn leave_for_tls(mut self, offers: &Extensions) -> Result<S, Problem> {
        if offers.of("STARTTLS").is_none() {
            return Err(Problem::NoStartTls);
        }
        self.ask("STARTTLS", 2).await?;
        if self.unread.is_empty() { Ok(self.stream) } else { Err(Problem::Eager) }
    }

    /// Sends `MAIL FROM`.
    pub(super) async fn name_sender(&mut self, letter: &Letter, offers: &Extensions) -> Result<(), Problem> {
        let needs_utf8 = !letter.from.is_ascii() || !letter.to.is_ascii();
        if needs_utf8 && offers.of("SMTPUTF8").is_none() {
            return Err(Problem::NoUtf8);
        }
        let utf8 = if needs_utf8 { " SMTPUTF8" } else { "" };
        self.ask(&format!("MAIL FROM:<{}>{utf8}", letter.from), 2).await.map(drop)
    }

    /// Sends `RCPT TO`.
    pub(super) async fn name_recipient(&mut self, letter: &Letter) -> Result<(), Problem> {
        self.ask(&format!("RCPT TO:<{}>", letter.to), 2).await.map(drop)
    }

    /// Sends `DATA` and the message.
    pub(super) async fn transmit(&mut self, letter: &Letter) -> Result<(), Problem> {
        self.ask("DATA", 3).await?;
        self.write(&stuffed(&letter.message)).await?;
        let reply = self.reply().await?;
        accepted(reply, 2).map(drop)
    }

    /// Sends `QUIT` without waiting for the response.
    pub(super) async fn take_leave(&mut self) {
        let _ = self.write(b"QUIT\r\n").await;
        let _ = self.stream.shutdown().await;
    }

    /// Sends a command. Fails unless the response's code begins with `class`.
    pub(super) async fn ask(&mut self, line: &str, class: u16) -> Result<Reply, Problem> {
        // A line break in a name or an address would inject another SMTP command.
        if line.chars().any(char::is_control) {
            return Err(Problem::setting("a name or an address contains a line break or another control character"));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        let reply = self.reply().await?;
        accepted(reply, class)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.stream.write_all(bytes).await.map_err(Problem::Broken)?;
        self.stream.flush().await.map_err(Problem::Broken)
    }

    async fn reply(&mut self) -> Result<Reply, Problem> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            let (code, rest) = line.split_at_checked(3).ok_or(Problem::Gibberish)?;
            let code = code.parse().ok().filter(|code| (200..600).contains(code)).ok_or(Problem::Gibberish)?;
            let is_last = !rest.starts_with('-');
            lines.push(rest.get(1..).unwrap_or_default().trim().to_owned());
            if is_last {
                return Ok(Reply { code, lines });
            }
        }
    }

    async fn line(&mut self) -> Result<String, Problem> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut chunk = [0; 1024];
            let read = self.stream.read(&mut chunk).await.map_err(Problem::Broken)?;
            if read == 0 {
                return Err(Problem::Closed);
            }
            self.received_bytes += read;
            if self.received_bytes > MAX_REPLY_BYTES {
                return Err(Problem::TooMuch);
            }
            self.unread.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }
}

fn accepted(reply: Reply, class: u16) -> Result<Reply, Problem> {
    let is_as_wanted = reply.code / 100 == class;
    if is_as_wanted {
        Ok(reply)
    } else {
        Err(Problem::refused(reply.code, reply.lines.first().map_or("", String::as_str)))
    }
}

/// Returns the message with its end mark. A dot at the start of a line is doubled, because a single dot ends the mail.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 8);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    if !stuffed.ends_with(b"\r\n") {
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the result of one command to which the server responds with `said`.
    async fn answered(said: &[u8]) -> Result<Reply, Problem> {
        let (near, mut far) = tokio::io::duplex(256 * 1024);
        far.write_all(said).await.unwrap();
        far.shutdown().await.unwrap();
        Dialogue::new(near).ask("NOOP", 2).await
    }

    #[actix_web::test]
    async fn an_answer_may_have_several_lines() {
        let reply = answered(b"250-one\r\n250-two\r\n250 three\r\n").await.unwrap();
        assert_eq!((reply.code, reply.lines), (250, vec!["one".to_owned(), "two".to_owned(), "three".to_owned()]));
        assert_eq!(answered(b"250\r\n").await.unwrap().lines, [""]);
    }

    #[actix_web::test]
    async fn what_is_no_answer_is_told_from_a_refusal() {
        assert!(matches!(answered(b"HTTP/1.1 400 Bad Request\r\n").await, Err(Problem::Gibberish)));
        assert!(matches!(answered(b"250-half\r\n").await, Err(Problem::Closed)));
        assert!(matches!(answered(b"\xff\xfe\xff\xfe\r\n").await, Err(Problem::Gibberish)));
        assert!(matches!(answered(&b"2".repeat(100_000)).await, Err(Problem::TooMuch)));
        let endless = b"250-more\r\n".repeat(10_000);
        assert!(matches!(answered(&endless).await, Err(Problem::TooMuch)));
        assert!(matches!(
            answered(b"451-4.3.0 later\r\n451 please\r\n").await,
            Err(Problem::Refused { code: 451, .. })
        ));
    }

    #[actix_web::test]
    async fn a_server_from_before_extensions_is_greeted_in_the_old_way() {
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(b"220 hello\r\n500 what?\r\n250 well then\r\n").await.unwrap();
        let (dialogue, offers) = Dialogue::open(near, "chat.example").await.unwrap();
        drop(dialogue);
        let mut received_bytes = String::new();
        far.read_to_string(&mut received_bytes).await.unwrap();
        assert_eq!(received_bytes, "EHLO chat.example\r\nHELO chat.example\r\n");
        assert!(offers.0.is_empty());
    }

    #[actix_web::test]
    async fn a_line_break_never_becomes_a_command() {
        let (near, _far) = tokio::io::duplex(1024);
        let refused = Dialogue::new(near).ask("EHLO chat.example\r\nRCPT TO:<x@y.example>", 2).await;
        assert!(matches!(refused, Err(Problem::Setting(_))));
    }

    #[actix_web::test]
    async fn nothing_said_in_clear_counts_after_the_encryption() {
        let (near, mut far) = tokio::io::duplex(1024);
        far.write_all(b"220 go\r\n250 AUTH PLAIN\r\n").await.unwrap();
        let offers = Extensions(vec!["STARTTLS".to_owned()]);
        assert!(matches!(Dialogue::new(near).leave_for_tls(&offers).await, Err(Problem::Eager)));
    }

    #[test]
    fn a_dot_that_begins_a_line_is_doubled() {
        assert_eq!(stuffed(b".a\r\nb.\r\n..\r\n"), b"..a\r\nb.\r\n...\r\n.\r\n");
        assert_eq!(stuffed(b"a"), b"a\r\n.\r\n");
    }

    #[test]
    fn extensions_are_found_by_their_keyword() {
        let offers = Extensions(vec!["AUTH=LOGIN".to_owned(), "AUTH PLAIN LOGIN".to_owned(), "8BITMIME".to_owned()]);
        assert_eq!(offers.of("AUTH").unwrap().collect::<Vec<_>>(), ["LOGIN"]);
        assert!(offers.of("8BITMIME").is_some());
        assert!(offers.of("STARTTLS").is_none());
    }
}
