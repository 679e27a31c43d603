//! Texts of a mix with variables: `${user.id}`, `${sequence}`, `${random:1..100}`.

use serde::Deserialize;

/// A text that is written anew for each request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Variable(Variable),
    /// A number from the first to the last, both included.
    Random(u64, u64),
}

/// A variable with a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Variable {
    UserId,
    UserName,
    UserPassword,
    AdminId,
    Sequence,
    Publication,
    Run,
    SilentHost,
}

const VARIABLES: [(&str, Variable); 8] = [
    ("user.id", Variable::UserId),
    ("user.name", Variable::UserName),
    ("user.password", Variable::UserPassword),
    ("admin.id", Variable::AdminId),
    ("sequence", Variable::Sequence),
    ("publication", Variable::Publication),
    ("run", Variable::Run),
    ("silent.host", Variable::SilentHost),
];

impl Template {
    /// Appends the text. `value` writes a variable, and `random` returns a number below its argument.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        mut value: impl FnMut(Variable, &mut Vec<u8>),
        mut random: impl FnMut(u64) -> u64,
    ) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => value(*variable, out),
                Piece::Random(first, last) => {
                    let number = first + random(last - first + 1);
                    out.extend_from_slice(number.to_string().as_bytes());
                }
            }
        }
    }

    /// Returns the text if it has no variables.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn uses(&self, wanted: &[Variable]) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Variable(variable) if wanted.contains(variable)))
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("${") {
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (name, after) = after.split_once('}').ok_or("a variable has no closing brace")?;
            pieces.push(piece(name)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

fn piece(name: &str) -> Result<Piece, String> {
    if let Some((_, variable)) = VARIABLES.iter().find(|(known, _)| *known == name) {
        return Ok(Piece::Variable(*variable));
    }
    if let Some(range) = name.strip_prefix("random:") {
        let (first, last) = range.split_once("..").ok_or("write ${random:FIRST..LAST}")?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number of ${{random:…}}"));
        let (first, last) = (number(first)?, number(last)?);
        let is_range = first <= last && last - first < u64::MAX;
        return if is_range { Ok(Piece::Random(first, last)) } else { Err(format!("`{range}` is not a range")) };
    }
    let names: Vec<&str> = VARIABLES.iter().map(|(known, _)| *known).collect();
    Err(format!("`${{{name}}}` is not a variable; there are {}, random:FIRST..LAST", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let template = Template::try_from(text.to_owned()).unwrap();
        let mut out = Vec::new();
        template.write(&mut out, |variable, out| out.extend(format!("<{variable:?}>").bytes()), |end| end - 1);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn variables_are_replaced_and_all_else_stays() {
        assert_eq!(written("/users/${user.id}/audits?n=${random:3..7}"), "/users/<UserId>/audits?n=7");
        assert_eq!((written(""), written("$ { } 5$")), (String::new(), "$ { } 5$".to_owned()));
        assert_eq!(written("${sequence}${run}"), "<Sequence><Run>");
    }

    #[test]
    fn a_text_without_variables_is_fixed() {
        let fixed = |text: &str| Template::try_from(text.to_owned()).unwrap().fixed().map(str::to_owned);
        assert_eq!(fixed("/ping"), Some("/ping".to_owned()));
        assert_eq!((fixed("/${run}"), fixed("${run}"), fixed("")), (None, None, Some(String::new())));
    }

    #[test]
    fn an_unknown_variable_is_refused_with_the_known_ones() {
        let refused = Template::try_from("${user.nme}".to_owned()).unwrap_err();
        assert!(refused.contains("user.name") && refused.contains("`${user.nme}`"), "{refused}");
        for broken in
            ["${", "${user.id", "${random:5..1}", "${random:a..b}", "${random:5}", "${random:0..18446744073709551615}"]
        {
            assert!(Template::try_from(broken.to_owned()).is_err(), "{broken}");
        }
    }
}
