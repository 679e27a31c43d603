//! The error type of all actors and handlers: an id of the API's contract, its parameters and its cause.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::causes::chain;

/// A failure. Clients see its id.
///
/// It contains no HTTP status: the server looks up status and text by the id.
#[derive(Debug)]
pub struct AppError {
    /// The id, as the API's contract defines it, such as `api.context.permissions.app_error`.
    pub id: Cow<'static, str>,
    /// Values for the placeholders in the id's text.
    pub params: Vec<(&'static str, String)>,
    /// Details for developers. They are sent in developer mode only.
    pub detail: String,
    /// All faults of a document, if the error refuses a document.
    pub failures: Vec<Detail>,
    /// The results of a test, one for each step, if the caller requested them.
    pub report: Option<Box<Value>>,
    /// The underlying error. It is logged, and sent to clients in developer mode only.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// One fault of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The place of the fault, as a JSON pointer.
    pub pointer: String,
    /// The kind of fault, as an id of the API's contract.
    pub id: &'static str,
    /// Values for the placeholders in the id's text.
    pub params: Vec<(&'static str, String)>,
}

impl AppError {
    /// Makes an error from its id.
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id: id.into(),
            params: Vec::new(),
            detail: String::new(),
            failures: Vec::new(),
            report: None,
            cause: None,
        }
    }

    /// Keeps the details and the cause from clients, also in developer mode. The cause is logged.
    #[must_use]
    pub fn confidential(self) -> Self {
        let cause = self.cause.map(|cause| Box::new(Confidential(cause)) as Box<dyn Error + Send + Sync>);
        Self { detail: String::new(), cause, ..self }
    }

    /// Returns true if clients must not see the cause, also in developer mode.
    pub fn is_confidential(&self) -> bool {
        self.cause.as_ref().is_some_and(|cause| cause.is::<Confidential>())
    }

    /// Fills the placeholder `name` of the text.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.params.push((name, value.into()));
        self
    }

    /// Adds details for developers. They are sent in developer mode only.
    #[must_use]
    pub fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Keeps the underlying error as the cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns the error for a request body in which the member `name` is missing or wrong.
    pub fn invalid_body(name: &'static str) -> Self {
        Self::new("api.context.invalid_body_param.app_error").with("Name", name)
    }

    /// Returns the error for a wrong path or query parameter.
    pub fn invalid_url(name: &'static str) -> Self {
        Self::new("api.context.invalid_url_param.app_error").with("Name", name)
    }
}

/// A cause that is only logged.
#[derive(Debug)]
struct Confidential(Box<dyn Error + Send + Sync>);

impl fmt::Display for Confidential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Confidential {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.id)?;
        for (name, value) in &self.params {
            write!(formatter, " {name}={value:?}")?;
        }
        for Detail { pointer, id, .. } in &self.failures {
            write!(formatter, " {pointer}={id}")?;
        }
        match self.source() {
            Some(cause) => write!(formatter, ": {}", chain(cause)),
            None => Ok(()),
        }
    }
}

impl Error for AppError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// Converts the error of a step into the [`AppError`] with which the request fails.
pub trait OrFail<T> {
    /// Converts an error into an [`AppError`] with this id and keeps it as the cause.
    fn or_fail(self, id: &'static str) -> Result<T, AppError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self, id: &'static str) -> Result<T, AppError> {
        self.map_err(|cause| AppError::new(id).because(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_its_id_its_parameters_and_the_whole_chain_of_causes() {
        let io = std::io::Error::other("disk is full");
        let error = Err::<(), _>(io).or_fail("app.save_config.app_error").unwrap_err();
        let error = error.with("Name", "config");
        assert_eq!(error.to_string(), "app.save_config.app_error Name=\"config\": disk is full");
    }
}
