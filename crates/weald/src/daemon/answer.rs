//! Answers of one router.

use std::collections::BTreeMap;

use host::Driver;
use host::device::Counters;
use model::config::RouterConfig;
use model::plan::Plan;
use model::view::RouterView;
use router::Router;
use serde::Serialize;

use crate::answers::show::{self, Inspect};
use crate::control::request::Request;
use crate::control::response::Answer;
use crate::daemon::{Daemon, metrics};
use crate::failure::Failure;
use crate::network::Event;
use crate::screen::{Align, Table, moment, number};

/// A router and what is known beside it.
struct Inspected<'a> {
    driver: &'a Driver,
    daemon: &'a Daemon,
}

impl Inspect for Inspected<'_> {
    fn find<'a>(&'a self, name: &str) -> Result<&'a str, Failure> {
        own_name(self.driver.router().config(), name)
    }

    fn names(&self) -> Vec<&str> {
        vec![&self.driver.router().config().name]
    }

    fn plan(&self) -> Option<&Plan> {
        None
    }

    fn config(&self, _: &str) -> Option<&RouterConfig> {
        Some(self.driver.router().config())
    }

    fn router(&self, _: &str) -> Option<&Router> {
        Some(self.driver.router())
    }

    fn happened(&self) -> Vec<&Event> {
        self.daemon.events().iter().collect()
    }
}

/// The router's name, if that is who is meant.
pub(crate) fn own_name<'a>(config: &'a RouterConfig, name: &str) -> Result<&'a str, Failure> {
    let own = &config.name;
    if name == own {
        return Ok(own);
    }
    Err(Failure::network(format!("this router is `{own}`, not `{name}`"))
        .hint("each router answers at a socket of its own: choose it with `--socket`"))
}

/// Answers a request that can be answered at once.
pub(crate) fn answer(
    daemon: &Daemon,
    driver: &mut Driver,
    request: &Request,
) -> Result<Answer, Failure> {
    match request {
        Request::Status(asked) => {
            let inspected = Inspected { driver, daemon };
            if let Some(name) = &asked.name {
                inspected.find(name)?;
            }
            Ok(status(driver))
        }
        Request::Show(asked) => show::answer(&Inspected { driver, daemon }, asked),
        Request::Metrics => {
            let text = metrics::text(driver);
            Ok(Answer { good: true, data: text.clone().into(), text })
        }
        Request::Ping(_) | Request::Trace(_) => {
            Err(Failure::network("what comes back of a probe is not known at once"))
        }
        Request::Lan(_) => Err(Failure::network("a router does not know where its LANs are")
            .hint("`weald up` and `weald lab` run the whole network")),
        Request::Cut(_) | Request::Mend(_) => Err(Failure::network("a router does not cut links")
            .hint("`weald up` and `weald lab` run the whole network")),
        Request::Down => Err(Failure::input("the router cannot be stopped from within")),
    }
}

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    view: RouterView,
    up_s: f64,
    resident_kib: u64,
    devices: Vec<Device>,
    /// Packets dropped, by reason.
    drops: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Device {
    port: String,
    #[serde(flatten)]
    counters: Frames,
}

#[derive(Debug, Serialize)]
struct Frames {
    received: u64,
    sent: u64,
    lost_in: u64,
    lost_out: u64,
    refused: u64,
}

impl From<Counters> for Frames {
    fn from(counters: Counters) -> Self {
        let Counters { received, sent, lost_in, lost_out, refused } = counters;
        Self { received, sent, lost_in, lost_out, refused }
    }
}

/// The router at a glance. It is well while every port, adjacency and session is up.
fn status(driver: &mut Driver) -> Answer {
    let counted: Vec<_> = driver.counters().collect();
    let view = driver.router().view();
    let name = |id| {
        let port = view.ports.iter().find(|port| port.port == id);
        port.map_or_else(String::new, |port| port.name.clone())
    };
    let devices = counted
        .into_iter()
        .map(|(id, counters)| Device { port: name(id), counters: counters.into() })
        .collect();
    let up_s = driver.now().since(base::Instant::ZERO).as_secs_f64();
    let good = view.ports.iter().all(|port| port.up)
        && view.adjacencies.iter().all(|one| one.up)
        && view.sessions.iter().all(|one| one.up);
    let drops = driver.router().drops().collect();
    let status = Status { up_s, resident_kib: metrics::resident_kib(), devices, drops, view };
    Answer::new(&status, text(driver, &status)).judged(good)
}

fn text(driver: &Driver, status: &Status) -> String {
    let view = &status.view;
    let mut text = format!(
        "{}, plan {}, up for {}, {} KiB of memory\n",
        view.name,
        view.generation,
        moment(driver.now()),
        number(status.resident_kib)
    );
    let columns = [
        ("port", Align::Left),
        ("state", Align::Left),
        ("bfd", Align::Left),
        ("received", Align::Right),
        ("sent", Align::Right),
        ("lost in", Align::Right),
        ("lost out", Align::Right),
        ("why not", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for port in &view.ports {
        let device = status.devices.iter().find(|device| device.port == port.name);
        let count = |of: fn(&Frames) -> u64| {
            device.map_or_else(String::new, |device| number(of(&device.counters)))
        };
        table.row([
            port.name.clone(),
            if port.up { "up" } else { "down" }.to_owned(),
            port.bfd.clone().unwrap_or_default(),
            count(|frames| frames.received),
            count(|frames| frames.sent),
            count(|frames| frames.lost_in),
            count(|frames| frames.lost_out),
            port.reason.clone().unwrap_or_default(),
        ]);
    }
    text.push_str(&table.text());
    text.push_str(&show::neighbours(view));
    let sizes = view.sizes;
    text.push_str(&format!(
        "{} routes of vrfs, {} of the region, {} labels\n",
        number(sizes.vrf_routes as u64),
        number(sizes.global_routes as u64),
        number(sizes.labels as u64)
    ));
    for (reason, count) in &status.drops {
        text.push_str(&format!("{} dropped: {reason}\n", number(*count)));
    }
    text
}
