//! The side that asks.

use std::io;
use std::path::PathBuf;

use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::control::socket;
use crate::failure::Failure;

/// Asks the running network.
pub(crate) fn ask(argument: Option<PathBuf>, request: &Request) -> Result<Answer, Failure> {
    let stream = socket::connect(argument)?;
    let line = serde_json::to_string(request)
        .map_err(|error| Failure::input(format!("request cannot be written: {error}")))?;
    let exchange = || {
        socket::be_patient(&stream)?;
        socket::write_line(&stream, &line)?;
        socket::read_response(&stream)
    };
    let line = exchange().map_err(|error| {
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            return Failure::network("the running network takes too long to answer");
        }
        Failure::network(format!("the running network does not answer: {error}"))
    })?;
    match serde_json::from_str(&line) {
        Ok(Response::Answer(answer)) => Ok(answer),
        Ok(Response::Error(refusal)) => Err(refusal.into()),
        Err(error) => Err(Failure::network(format!("answer cannot be read: {error}"))
            .hint("the running network may be of another version of weald")),
    }
}
