//! The loop that keeps a network in step with the wall clock and answers requests.

use std::io::{PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use crate::answers;
use crate::control::listener::{Asked, Listener};
use crate::control::request::Request;
use crate::control::response::{Answer, Response};
use crate::network::Network;
use crate::output;

/// Serves until somebody says `down`.
pub(crate) fn serve(network: &mut Network, listener: &Listener, mut bell: PipeReader) {
    let mut breaches = network.breaches().len();
    loop {
        network.keep_pace();
        for breach in network.breaches().iter().skip(breaches) {
            output::note(&format!("breach: {breach}"));
        }
        breaches = network.breaches().len();
        if network.wait(&[bell.as_fd()], Duration::MAX).contains(&true) {
            let mut rung = [0; 1];
            if bell.read(&mut rung).unwrap_or(0) == 0 {
                return;
            }
            if let Ok(asked) = listener.asked.try_recv()
                && answer(network, asked)
            {
                return;
            }
        }
    }
}

/// Answers, and says whether that was the last request.
fn answer(network: &mut Network, asked: Asked) -> bool {
    let is_last = asked.request == Request::Down;
    let response: Response = if is_last {
        Answer::new(&serde_json::json!({ "stopped": true }), "stopped").into()
    } else {
        answers::answer(network, &asked.request).into()
    };
    // Who asked may have gone away.
    let _ = asked.reply.send(response);
    is_last
}
