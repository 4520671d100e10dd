//! Why a command did not do what it was asked, and the exit code that says so to scripts.

use core::fmt;
use std::process::ExitCode;

use intent::{Problem, Problems, Severity};

/// How a command that ran to its end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is as it should be.
    Good,
    /// The network does not do what it should.
    Bad,
    /// There is something to do, and nothing stands against it.
    Change,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Good => ExitCode::SUCCESS,
            Self::Bad => ExitCode::from(1),
            Self::Change => ExitCode::from(3),
        }
    }
}

impl From<bool> for Outcome {
    fn from(good: bool) -> Self {
        if good { Self::Good } else { Self::Bad }
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Of the network, or of there being none: exit code 1.
    Network,
    /// Of what was typed, or of the files: exit code 2.
    Input,
}

/// Why a command could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What is wrong with an intent, in front of the message.
    pub(crate) problems: Vec<Problem>,
}

impl Failure {
    pub(crate) fn network(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { cause: Cause::Network, message, hint: None, problems: Vec::new() }
    }

    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self { cause: Cause::Input, ..Self::network(message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// An intent that cannot be used.
    pub(crate) fn problems(folder: &str, problems: Problems) -> Self {
        let errors = problems.0.iter().filter(|p| p.severity == Severity::Error).count();
        let plural = if errors == 1 { "error" } else { "errors" };
        let message = format!("{errors} {plural} in `{folder}`");
        Self { problems: problems.0, ..Self::input(message) }
    }

    pub(crate) const fn code(&self) -> u8 {
        match self.cause {
            Cause::Network => 1,
            Cause::Input => 2,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;
    use intent::{Problem, Problems};

    #[test]
    fn the_hint_has_a_line_of_its_own() {
        let failure = Failure::network("no running network found").hint("start one");
        assert_eq!(failure.to_string(), "error: no running network found\nhint: start one");
        assert_eq!(failure.code(), 1);
    }

    #[test]
    fn problems_come_first_and_are_counted() {
        let problem = Problem::error("a/sites.csv", Some(3), "wrong".to_owned());
        let failure = Failure::problems("a", Problems(vec![problem]));
        assert_eq!(failure.to_string(), "a/sites.csv:3: wrong\nerror: 1 error in `a`");
        assert_eq!(failure.code(), 2);
    }
}
