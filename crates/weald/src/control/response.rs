//! What comes back: data for programs, text for people, and whether the network did what it should.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Cause, Failure};
use crate::screen;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Whether the network does what was asked of it.
    pub(crate) good: bool,
    /// For programs.
    pub(crate) data: Value,
    /// For people.
    pub(crate) text: String,
}

/// One line from the process that runs the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Response {
    /// It was done.
    Answer(Answer),
    /// It was not done.
    Error(Refusal),
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The exit code of whoever asked.
    pub(crate) code: u8,
}

impl Answer {
    /// An answer to a question that has no wrong answer.
    pub(crate) fn new(data: &impl Serialize, text: impl AsRef<str>) -> Self {
        // Plain data without maps that have anything but text as keys.
        let data = serde_json::to_value(data).unwrap_or(Value::Null);
        Self { good: true, data, text: screen::wrapped(text.as_ref()) }
    }

    pub(crate) fn judged(self, good: bool) -> Self {
        Self { good, ..self }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let code = failure.code();
        Self { message: failure.message, hint: failure.hint, code }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let cause = if refusal.code == 2 { Cause::Input } else { Cause::Network };
        let Refusal { message, hint, .. } = refusal;
        Self { cause, message, hint, problems: Vec::new() }
    }
}

impl From<Result<Answer, Failure>> for Response {
    fn from(result: Result<Answer, Failure>) -> Self {
        match result {
            Ok(answer) => Self::Answer(answer),
            Err(failure) => Self::Error(failure.into()),
        }
    }
}
