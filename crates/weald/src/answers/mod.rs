//! Answers to what a running network is asked: data for programs and text for people, from one
//! look at the network.

mod cut;
mod ping;
pub(crate) mod show;
mod status;
mod thing;
mod trace;

use crate::control::request::Request;
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::lan;
use crate::network::Network;

/// Answers a request.
pub(crate) fn answer(network: &mut Network, request: &Request) -> Result<Answer, Failure> {
    match request {
        Request::Status(status) => match &status.name {
            Some(name) => thing::answer(network, name),
            None => Ok(status::answer(network)),
        },
        Request::Ping(asked) => ping::answer(network, asked),
        Request::Trace(asked) => trace::answer(network, &asked.probe),
        Request::Show(show) => show::answer(network, show),
        Request::Cut(cut) => cut::cut(network, &cut.name, cut.silent),
        Request::Mend(mend) => cut::mend(network, mend),
        Request::Lan(asked) => {
            let number = lan::find(network.plan(), asked)?;
            let host = network.host(number).zip(network.plan().attachments.get(number));
            let (host, attachment) = host.ok_or_else(|| {
                Failure::network(format!("the LAN of `{}` is not on this machine", asked.site))
                    .hint("`weald up --attach SITE` and `weald lab` give it to this machine")
            })?;
            Ok(host.answer(attachment))
        }
        Request::Metrics => Err(Failure::network("figures are given by routers of their own")
            .hint("`weald router` runs one")),
        Request::Down => Err(Failure::input("the network cannot be stopped from within")),
    }
}
