//! `weald status`: the network at a glance.

use serde::Serialize;

use crate::answers::cut;
use crate::control::response::Answer;
use crate::network::Network;
use crate::network::faults::InForce;
use crate::network::reach::{Affected, Standing};
use crate::report::{Region, UpAndExpected};
use crate::screen::{list, moment, number};

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    region: Region,
    generation: u64,
    seed: u64,
    virtual_time_s: f64,
    routers_up: UpAndExpected,
    adjacencies_up: UpAndExpected,
    sessions_up: UpAndExpected,
    vrf_routes: usize,
    labels: usize,
    converged: bool,
    faults: Vec<InForce>,
    cut_off: Vec<Affected>,
    one_uplink_less: Vec<String>,
    breaches: Vec<String>,
}

/// The network at a glance. It is well while what should be up is up and no site is cut off.
pub(crate) fn answer(network: &Network) -> Answer {
    let progress = network.progress();
    let affected = network.reach().affected(network.plan());
    let one_uplink_less = affected.iter().filter(|site| site.standing == Standing::OneUplinkLess);
    let status = Status {
        region: Region::of(network.plan()),
        generation: network.plan().generation,
        seed: network.seed(),
        virtual_time_s: network.now().since(base::Instant::ZERO).as_secs_f64(),
        routers_up: UpAndExpected { expected: progress.routers.1, up: progress.routers.0 },
        adjacencies_up: UpAndExpected::of_ends(progress.adjacencies),
        sessions_up: UpAndExpected::of_ends(progress.sessions),
        vrf_routes: progress.sizes.vrf_routes,
        labels: progress.sizes.labels,
        converged: progress.converged(),
        faults: network.faults(),
        one_uplink_less: one_uplink_less.map(|site| site.code.clone()).collect(),
        cut_off: affected.into_iter().filter(|site| !site.standing.is_connected()).collect(),
        breaches: network.breaches().iter().map(ToString::to_string).collect(),
    };
    let good = status.cut_off.is_empty() && status.breaches.is_empty();
    Answer::new(&status, text(network, &status)).judged(good)
}

fn text(network: &Network, status: &Status) -> String {
    let mut text = format!(
        "{} at {} of virtual time, seed {}, plan {}\n",
        status.region.region,
        moment(network.now()),
        status.seed,
        status.generation
    );
    text.push_str(&status.region.text());
    let size = |size: usize| number(size as u64);
    text.push_str(&format!(
        "  routers      {}\n  adjacencies  {}\n  sessions     {}\n",
        status.routers_up.text(),
        status.adjacencies_up.text(),
        status.sessions_up.text(),
    ));
    text.push_str(&format!(
        "  routes       {}, labels {}\n",
        size(status.vrf_routes),
        size(status.labels)
    ));
    if !status.faults.is_empty() {
        let faults: Vec<_> =
            status.faults.iter().map(|one| format!("{} {}", one.name, one.fault)).collect();
        text.push_str(&format!("faults in force: {}\n", list(&faults)));
    }
    text.push_str(&cut::affected(&status.cut_off, &status.one_uplink_less));
    if status.breaches.is_empty() {
        text.push_str("no packet has crossed between virtual networks without a community\n");
    }
    for breach in &status.breaches {
        text.push_str(&format!("breach: {breach}\n"));
    }
    text
}
