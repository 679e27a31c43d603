//! Reads the connection string of a PostgreSQL server, in both forms that an operator may write, into words with
//! values. The store interprets them.
//!
//! No error repeats a value, because it may be part of the password.

use std::collections::HashSet;
use std::iter::Peekable;
use std::str::Chars;

use percent_encoding::percent_decode_str;

use thiserror::Error;

use crate::steps::{counted, walked};

const URL_SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// The message for an address in which a character of the password ends the password too early.
const UNESCAPED: &str =
    "in user names, passwords and database names, write @ as %40, / as %2F, ? as %3F, # as %23, : as %3A and % as %25";

/// A parameter of a connection string and its value.
#[derive(PartialEq)]
pub struct Parameter {
    /// The parameter's name, in lower case.
    pub name: String,
    /// The value without quotes and escapes.
    pub value: String,
    /// True if the word may be part of a password that was written without quotes.
    pub is_doubtful: bool,
}

/// The reason why a data source cannot be used. It contains no value of a word, because that may be the password.
#[derive(Debug, PartialEq, Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    /// Makes a problem with this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Makes a problem that names the word, unless the word may be part of the password.
    pub fn about(word: &Parameter, problem: &str) -> Self {
        let is_name = word.name.len() <= 64
            && word.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
        if word.is_doubtful {
            Self(format!("the word after the password {problem}; a password with blanks must be in single quotes"))
        } else if is_name {
            Self(format!("{} {problem}", word.name))
        } else {
            Self(format!("a word {problem}"))
        }
    }
}

impl Parameter {
    fn new(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_ascii_lowercase(), value: value.into(), is_doubtful: false }
    }
}

/// Returns true if the data source can only be the name of a file: it has no part of an address of a database.
pub fn is_file_name(text: &str) -> bool {
    let is_placeholder = text.chars().all(|character| character == '*');
    !text.trim().is_empty() && !is_placeholder && !text.contains("://") && !text.contains(['=', '@'])
}

/// Returns true if the text has the form of a PostgreSQL URL, for any configured driver.
pub fn is_address(text: &str) -> bool {
    after_scheme(text.trim()).is_some()
}

/// Returns the text after the scheme, if the text is a PostgreSQL URL.
pub(crate) fn after_scheme(text: &str) -> Option<&str> {
    URL_SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme))
}

/// Reads the words of either form. A repeated word is an error; words without a value are left out.
pub fn words(text: &str) -> Result<Vec<Parameter>, Problem> {
    walked(text.len());
    let text = text.trim();
    let words = match after_scheme(text) {
        Some(rest) => of_url(rest)?,
        None if text.contains("://") && !text.contains('=') => {
            return Err(Problem::new("a PostgreSQL URL must begin with postgres:// or postgresql://"));
        }
        None => of_pairs(text)?,
    };
    let words: Vec<Parameter> = words.into_iter().filter(|word| !word.value.is_empty()).collect();
    let mut names = HashSet::new();
    for word in counted(words.iter()) {
        if word.value.contains('\0') {
            return Err(Problem::new("a value contains the character NUL"));
        }
        let is_repeated = !names.insert(&word.name);
        if is_repeated {
            return Err(Problem::about(word, "is given twice"));
        }
    }
    Ok(words)
}

fn of_url(rest: &str) -> Result<Vec<Parameter>, Problem> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    let may_name_somebody = |name: &str| ["user", "password"].contains(&name);
    let names_nobody = !authority.contains('@');
    let is_cut = rest.contains('#')
        || authority.matches('@').count() > 1
        || database.contains('@')
        || names_nobody
            && pairs.iter().any(|(name, value)| name.contains('@') || value.contains('@') && !may_name_somebody(name));
    if is_cut {
        return Err(Problem::new(UNESCAPED));
    }
    let mut words = Vec::new();
    let (somebody, hosts) = authority.split_once('@').unwrap_or(("", authority));
    let (user, password) = somebody.split_once(':').unwrap_or((somebody, ""));
    words.push(Parameter::new("user", decoded(user)?));
    words.push(Parameter::new("password", decoded(password)?));
    words.extend(of_hosts(hosts)?);
    words.push(Parameter::new("dbname", decoded(database)?));
    for (name, value) in pairs {
        words.push(Parameter::new(&decoded(name)?, decoded(value)?));
    }
    Ok(words)
}

/// Reads `host`, `host:port` or `[address]:port`, or several of them with commas.
fn of_hosts(text: &str) -> Result<Vec<Parameter>, Problem> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for part in text.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(rest) => {
                let (host, port) =
                    rest.split_once(']').ok_or(Problem::new("a bracket around an address is not closed"))?;
                let port = if port.is_empty() { Some("") } else { port.strip_prefix(':') };
                (host, port.ok_or(Problem::new("only a port may follow an address in brackets"))?)
            }
            None => part.split_once(':').unwrap_or((part, "")),
        };
        if port.contains(':') {
            return Err(Problem::new("an IPv6 address must be in brackets"));
        }
        hosts.push(decoded(host)?);
        ports.push(port);
    }
    let names_ports = ports.iter().any(|port| !port.is_empty());
    let ports = if names_ports { ports.join(",") } else { String::new() };
    Ok(vec![Parameter::new("host", hosts.join(",")), Parameter::new("port", ports)])
}

fn decoded(text: &str) -> Result<String, Problem> {
    let mut escapes = text.split('%').skip(1).map(|rest| rest.as_bytes().get(..2).unwrap_or_default());
    let is_sound = escapes.all(|digits| digits.len() == 2 && digits.iter().all(u8::is_ascii_hexdigit));
    if !is_sound {
        return Err(Problem::new("a % that does not begin an escape must be written %25"));
    }
    let text =
        percent_decode_str(text).decode_utf8().map_err(|_| Problem::new("an escape with % is not valid UTF-8"))?;
    Ok(text.into_owned())
}

/// Reads `word=value word='a value'`. Blanks around `=` are allowed. A backslash takes the next character as it is.
fn of_pairs(text: &str) -> Result<Vec<Parameter>, Problem> {
    let mut words: Vec<Parameter> = Vec::new();
    let mut rest = text.chars().peekable();
    let mut follows_bare_password = false;
    loop {
        skip_blanks(&mut rest);
        if rest.peek().is_none() {
            return Ok(words);
        }
        let mut name = String::new();
        while let Some(character) = rest.next_if(|character| !character.is_whitespace() && *character != '=') {
            name.push(character);
        }
        skip_blanks(&mut rest);
        if rest.next_if_eq(&'=').is_none() {
            let number = words.len() + 1;
            return Err(Problem(format!(
                "word {number} has no = after it; a value with blanks must be in single quotes"
            )));
        }
        skip_blanks(&mut rest);
        let is_quoted = rest.peek() == Some(&'\'');
        let value = if is_quoted { quoted(&mut rest)? } else { bare(&mut rest) };
        let word = Parameter { is_doubtful: follows_bare_password, ..Parameter::new(&name, value) };
        follows_bare_password = !is_quoted && (word.name == "password" || word.name == "sslpassword");
        words.push(word);
    }
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|character| character.is_whitespace()).is_some() {}
}

fn bare(rest: &mut Peekable<Chars<'_>>) -> String {
    let mut value = String::new();
    while let Some(character) = rest.next_if(|character| !character.is_whitespace()) {
        value.extend(if character == '\\' { rest.next() } else { Some(character) });
    }
    value
}

fn quoted(rest: &mut Peekable<Chars<'_>>) -> Result<String, Problem> {
    let mut value = String::new();
    rest.next();
    loop {
        match rest.next() {
            Some('\'') => return Ok(value),
            Some('\\') => value.extend(rest.next()),
            Some(character) => value.push(character),
            None => return Err(Problem::new("a single quote is not closed; write one inside a value as \\'")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::assert_linear;

    #[test]
    fn reading_takes_steps_in_proportion_to_the_text() {
        for shape in ["a=b ", "=", " ", "'", "\\", "a='", "&", "&a=b", "@", ",", ":", "%41", "/", "#"] {
            for start in ["", "host=db ", "postgres://", "postgres://db/x?"] {
                assert_linear(&format!("{start} and many {shape:?}"), 1_000, |size| {
                    drop(words(&format!("{start}{}", shape.repeat(size))));
                });
            }
        }
        assert_linear("different words", 1_000, |size| {
            let pairs = (0..size).fold(String::new(), |text, at| text + &format!("word{at:07}=x "));
            assert_eq!(words(&pairs).map(|words| words.len()), Ok(size));
        });
    }
}
