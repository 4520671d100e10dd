//! Small regions drawn at random, and what the proofs and the twin say of them.
//!
//! The tables of a plan say who can talk with whom ([`proof::reach`]); in the twin a packet is sent
//! for every one of these pairs and for every other one. Both must find the same, with everything
//! up and without each link and each router.

use core::fmt::Write as _;
use std::collections::BTreeSet;

use base::{Duration, Rng};
use model::plan::Plan;
use proof::{Gone, Pair, Reach, converged, reach};
use twin::fault::Fault;
use twin::probe::Flow;
use twin::{LinkState, Twin};

/// Longer than a hold time.
const CONVERGENCE_MAX: Duration = Duration::from_secs(240);
/// Stale labels linger, and rest.
const FORGETTING: Duration = Duration::from_secs(5);
/// How long the last answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who owns sites and virtual networks.
const ORGANISATIONS: usize = 2;
/// Between two packets.
const SPACING: Duration = Duration::from_micros(200);

fn below(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.below(u64::try_from(len.max(1)).expect("a length"))).expect("an index")
}

/// The six classes of service.
fn classes() -> String {
    let classes = [
        ("EF", 46, 10),
        ("AF4", 34, 15),
        ("AF3", 26, 20),
        ("AF2", 18, 25),
        ("AF1", 10, 20),
        ("DE", 0, 10),
    ];
    let mut text = String::new();
    for (class, dscp, share) in classes {
        let _ = write!(
            text,
            "[[class]]\nname = \"{class}\"\ndscp = {dscp}\nshare_percent = {share}\n\
             description = \"drawn\"\n"
        );
    }
    text
}

/// A network of two to five points of presence, some with two routers, in a chain with chords.
fn network(rng: &mut Rng, pops: usize) -> String {
    let mut text = r#"
[region]
name = "drawn"
as_number = 65010
resilient = false
[pools]
loopbacks = "100.64.0.0/24"
loopbacks_v6 = "fd00:64::/64"
core_links = "100.64.16.0/24"
uplinks = "100.64.32.0/24"
virtual_networks_v6 = "fd00:100::/32"
[isis]
area = "49.0001"
authentication = { algorithm = "hmac-sha-256", key_id = 1, key = "drawn" }
[access.fibre]
medium = "ethernet"
down_mbps = 100
up_mbps = 100
delay_ms = 1
assumed = true
description = "Ethernet over fibre"
[kind.single]
access = "fibre"
[kind.dual]
access = "fibre"
backup = "fibre"
"#
    .to_owned();
    text.push_str(&classes());
    let routers: Vec<usize> = (0..pops).map(|_| 1 + usize::from(rng.chance(300_000))).collect();
    for (pop, count) in routers.iter().enumerate() {
        let _ = write!(
            text,
            "[[pop]]\nname = \"pop{pop}\"\ntown = \"Town {pop}\"\nlatitude = 50.9{pop}\nlongitude = -0.1{pop}\n\
             routers = {count}\nreflector = {}\n",
            pop < 2
        );
    }
    for (pop, _) in routers.iter().enumerate().filter(|(_, count)| **count > 1) {
        let _ = write!(
            text,
            "[[link]]\nbetween = [\"pop{pop}-1\", \"pop{pop}-2\"]\nrate_mbps = 1000\n"
        );
    }
    for far in 1..pops {
        let mut nears = BTreeSet::from([below(rng, far)]);
        if rng.chance(700_000) {
            nears.insert(below(rng, far));
        }
        for near in nears {
            let mut end = |pop: usize| 1 + below(rng, routers.get(pop).copied().unwrap_or(1));
            let (a, b) = (end(near), end(far));
            let _ = write!(
                text,
                "[[link]]\nbetween = [\"pop{near}-{a}\", \"pop{far}-{b}\"]\nrate_mbps = 1000\n"
            );
        }
    }
    text
}

fn sites(rng: &mut Rng, count: usize) -> String {
    let mut text = "ods_code,name,kind,organisation,postcode,lat,lon\n".to_owned();
    for site in 0..count {
        let kind = if rng.chance(500_000) { "single" } else { "dual" };
        let (lat, lon) = (rng.below(90), rng.below(90));
        let _ = writeln!(
            text,
            "S{site},Site {site},{kind},Org {},BN1 1AA,50.{lat:02},-0.{lon:02}",
            site % ORGANISATIONS
        );
    }
    text
}

/// Virtual networks, some with the addresses of others, and what they offer one another.
fn services(rng: &mut Rng, sites: usize) -> String {
    let mut text = String::new();
    let networks = 2 + below(rng, 3);
    let mut pools = Vec::new();
    for network in 0..networks {
        // The first offers applications: nobody else has its addresses.
        let pool = if network == 0 { 1 } else { 2 + below(rng, 2) };
        pools.push(pool);
        let organisation = network % ORGANISATIONS;
        let of_own = (0..sites).filter(|site| site % ORGANISATIONS == organisation);
        let mut own: BTreeSet<usize> = of_own.filter(|_| rng.chance(600_000)).collect();
        own.insert(organisation);
        if network == 0 {
            own.insert(ORGANISATIONS);
        }
        let own: Vec<String> = own.into_iter().map(|site| format!("\"S{site}\"")).collect();
        let _ = write!(
            text,
            "[[virtual_network]]\nname = \"net{network}\"\norganisation = \"Org {organisation}\"\n\
             addresses = [\"10.{pool}.0.0/16\"]\nsites = [{}]\n",
            own.join(", ")
        );
    }
    for (application, listen) in
        [(0, "[\"tcp/443\", \"tcp/8000-8003\"]"), (1, "[\"udp/53\", \"tcp/104\"]")]
    {
        let _ = write!(
            text,
            "[[application]]\nname = \"app{application}\"\nvirtual_network = \"net0\"\n\
             site = \"S{}\"\nclass = \"AF2\"\nlisten = {listen}\n",
            application * ORGANISATIONS
        );
    }
    // Members with the same addresses would meet in the first one's tables.
    let of_pool = |pool| (1..networks).find(|one| pools.get(*one) == Some(&pool));
    let candidates: Vec<usize> = [2, 3].into_iter().filter_map(of_pool).collect();
    for community in 0..below(rng, 3) {
        let mut members = candidates.clone();
        if members.len() > 1 && rng.chance(500_000) {
            members.remove(below(rng, 2));
        }
        let names: Vec<String> = members.iter().map(|one| format!("\"net{one}\"")).collect();
        let applications = if rng.chance(500_000) { "\"app0\"" } else { "\"app0\", \"app1\"" };
        let _ = write!(
            text,
            "[[community]]\nname = \"com{community}\"\npurpose = \"drawn\"\n\
             applications = [{applications}]\nmembers = [{}]\n[community.consents]\n",
            names.join(", ")
        );
        let owners = members.iter().map(|member| member % ORGANISATIONS).chain([0]);
        for owner in owners.collect::<BTreeSet<usize>>() {
            let _ = writeln!(text, "\"Org {owner}\" = 2026-01-12");
        }
    }
    text
}

/// The plan of the region of this seed, or why there is none.
pub(crate) fn draw(seed: u64) -> Result<Plan, String> {
    let mut rng = Rng::new(seed);
    let pops = 2 + below(&mut rng, 4);
    let count = 3 + below(&mut rng, 6);
    let file = |name: &str, text: String| intent::File { name: name.to_owned(), text };
    let files = intent::Files {
        network: file("network.toml", network(&mut rng, pops)),
        sites: file("sites.csv", sites(&mut rng, count)),
        services: file("services.toml", services(&mut rng, count)),
        keys: std::collections::BTreeMap::new(),
    };
    let checked = intent::check(&files, None);
    let Some(intent) = checked.intent else { return Err(checked.problems.to_string()) };
    let mut lock = intent::Lock::default();
    plan::compile(&intent, &mut lock, 1, None).map_err(|problems| format!("{problems:?}"))
}

/// What is sent, and whether the proof says that it arrives and is answered.
struct Question {
    from: usize,
    to: usize,
    flow: Flow,
    expected: bool,
}

fn questions(twin: &Twin, reach: &Reach) -> Vec<Question> {
    let plan = twin.plan();
    let mut all = Vec::new();
    let lans = 0..plan.attachments.len();
    for (from, to) in lans.clone().flat_map(|from| lans.clone().map(move |to| (from, to))) {
        for v6 in [false, true].into_iter().filter(|_| from != to) {
            let (Some(source), Some(destination)) = (twin.host(from, v6), twin.host(to, v6)) else {
                continue;
            };
            let protocol = if v6 { 58 } else { 1 };
            let flow = Flow { source, destination, protocol, source_port: 0, destination_port: 0 };
            let expected = reach.pairs.contains(&Pair { from, to, v6 });
            all.push(Question { from, to, flow, expected });
        }
    }
    for (from, lan) in plan.attachments.iter().enumerate() {
        for (number, application) in plan.applications.iter().enumerate() {
            let to = twin.lan(&application.site, Some(&application.virtual_network));
            let Some(to) = to.filter(|_| lan.virtual_network != application.virtual_network) else {
                continue;
            };
            let ports = application.listens.iter().flat_map(|one| {
                let ports = [one.port_first, one.port_last, one.port_last + 1, one.port_first - 1];
                ports.map(|port| (one.protocol, port)).into_iter().chain([(6, one.port_first)])
            });
            let ports: BTreeSet<(u8, u16)> = ports.collect();
            for (destination, (protocol, destination_port)) in application
                .addresses
                .iter()
                .flat_map(|address| ports.iter().map(move |port| (*address, *port)))
            {
                let on = (destination, protocol, destination_port);
                let expected = reach.serves((from, number), on);
                let source = twin.host(from, destination.is_ipv6());
                let source_port = 40_000;
                all.extend(source.map(|source| {
                    let flow =
                        Flow { source, destination, protocol, source_port, destination_port };
                    Question { from, to, flow, expected }
                }));
            }
        }
    }
    all
}

/// How many packets were sent, and how many of them arrived and were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Compared {
    pub(crate) states: u64,
    pub(crate) packets: u64,
    pub(crate) answered: u64,
}

/// Compares what both say with something gone.
fn compare(twin: &mut Twin, gone: &Gone, compared: &mut Compared) -> Result<(), String> {
    let reach = reach(twin.plan(), &converged(twin.plan(), gone));
    let questions = questions(twin, &reach);
    let mut at = twin.now();
    let mut probes = Vec::with_capacity(questions.len());
    for question in &questions {
        probes.push(twin.send_probe(question.from, question.flow, at));
        at = at + SPACING;
    }
    twin.run_until(at + PATIENCE);
    compared.states += 1;
    for (question, number) in questions.iter().zip(probes) {
        let state = twin.probe(number).copied();
        let arrived = state.and_then(|one| one.arrived).is_some_and(|(lan, _)| lan == question.to);
        let found = arrived && state.is_some_and(|one| one.answered.is_some());
        compared.packets += 1;
        compared.answered += u64::from(found);
        if found != question.expected {
            let Question { from, to, flow, expected } = question;
            return Err(format!(
                "LAN {from} to LAN {to}, {flow:?}: the proof says {expected}, the twin {found}"
            ));
        }
    }
    if twin.breach_count() > 0 {
        return Err(format!("{:?}", twin.breaches()));
    }
    Ok(())
}

/// Compares what both say in the normal state and in every single failure.
pub(crate) fn agree(plan: &Plan, seed: u64) -> Result<Compared, String> {
    let mut compared = Compared::default();
    let mut twin = Twin::new(plan.clone(), seed).map_err(|why| why.to_string())?;
    let settle = |twin: &mut Twin| {
        let converged = twin.run_until_converged(CONVERGENCE_MAX, &mut |_| {});
        converged.map_err(|why| why.to_string())?;
        twin.run_for(FORGETTING);
        Ok::<_, String>(())
    };
    settle(&mut twin)?;
    compare(&mut twin, &Gone::default(), &mut compared)?;
    let links = (0..plan.links.len()).map(|number| {
        let gone = Gone { links: BTreeSet::from([number]), ..Gone::default() };
        (Fault::Link(number, LinkState::Cut), Fault::Link(number, LinkState::Up), gone)
    });
    let routers = (0..plan.routers.len()).map(|number| {
        let gone = Gone { routers: BTreeSet::from([number]), ..Gone::default() };
        (Fault::RouterDown(number), Fault::RouterUp(number), gone)
    });
    for (strike, mend, gone) in links.chain(routers) {
        let what = twin.describe_fault(strike);
        twin.strike(strike).map_err(|why| why.to_string())?;
        settle(&mut twin).map_err(|why| format!("{what}: {why}"))?;
        compare(&mut twin, &gone, &mut compared).map_err(|why| format!("{what}: {why}"))?;
        twin.strike(mend).map_err(|why| why.to_string())?;
        settle(&mut twin).map_err(|why| format!("mended after {what}: {why}"))?;
    }
    Ok(compared)
}
