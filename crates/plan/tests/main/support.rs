//! Intents to compile, and ways to edit them.

use std::path::Path;

use intent::{Application, ClassName, Date, Intent, Lock, Pop, Position, Site};
use model::config::RouterConfig;
use model::plan::{Listen, Plan};

pub(crate) const EXAMPLES: [&str; 3] = ["two-pops", "six-sites", "sussex"];

pub(crate) fn example(name: &str) -> Intent {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    match intent::load(&dir) {
        Ok(intent) => intent,
        Err(problems) => panic!("{name}: {problems}"),
    }
}

pub(crate) fn compile(intent: &Intent, lock: &mut Lock) -> Plan {
    compile_as_of(intent, lock, None)
}

pub(crate) fn compile_as_of(intent: &Intent, lock: &mut Lock, as_of: Option<Date>) -> Plan {
    match plan::compile(intent, lock, 1, as_of) {
        Ok(plan) => plan,
        Err(problems) => panic!("{problems:?}"),
    }
}

pub(crate) fn messages(intent: &Intent, lock: &mut Lock) -> Vec<String> {
    match plan::compile(intent, lock, 1, None) {
        Ok(_) => panic!("it compiles"),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn json(plan: &Plan) -> String {
    match serde_json::to_string(plan) {
        Ok(text) => text,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn router<'a>(plan: &'a Plan, name: &str) -> &'a RouterConfig {
    match plan.routers.iter().find(|router| router.name == name) {
        Some(router) => router,
        None => panic!("no router `{name}`"),
    }
}

/// A site like the one of that code, a little to the east, in the same virtual networks.
pub(crate) fn add_site_like(intent: &mut Intent, model: &str, code: &str) {
    let Some(like) = intent.sites.iter().find(|site| site.code == model) else {
        panic!("no site `{model}`")
    };
    let mut site = Site { code: code.to_owned(), pops: Vec::new(), ..like.clone() };
    site.position.longitude_e6 += 1000;
    intent.sites.push(site);
    for network in &mut intent.virtual_networks {
        if network.sites.iter().any(|code| code == model) {
            network.sites.push(code.to_owned());
        }
    }
}

pub(crate) fn remove_site(intent: &mut Intent, code: &str) {
    let gone: Vec<String> = intent
        .applications
        .iter()
        .filter(|application| application.site == code)
        .map(|application| application.name.clone())
        .collect();
    intent.sites.retain(|site| site.code != code);
    for network in &mut intent.virtual_networks {
        network.sites.retain(|site| site != code);
    }
    for name in gone {
        remove_application(intent, &name);
    }
}

pub(crate) fn remove_application(intent: &mut Intent, name: &str) {
    intent.applications.retain(|application| application.name != name);
    for community in &mut intent.communities {
        community.applications.retain(|application| application != name);
    }
}

pub(crate) fn application(name: &str, network: &str, site: &str) -> Application {
    Application {
        name: name.to_owned(),
        virtual_network: network.to_owned(),
        site: site.to_owned(),
        class: ClassName::Af2,
        address: None,
        listens: vec![Listen { protocol: 6, port_first: 443, port_last: 443 }],
    }
}

/// A PoP right where the site is, joined to the first two PoPs.
pub(crate) fn add_pop(intent: &mut Intent, name: &str, position: Position, routers: u8) {
    let ends: Vec<String> =
        intent.pops.iter().take(2).filter_map(|pop| pop.router_names().next()).collect();
    let pop = Pop {
        name: name.to_owned(),
        town: name.to_owned(),
        position,
        routers,
        reflector: false,
        shared_risks: Vec::new(),
    };
    let own: Vec<String> = pop.router_names().collect();
    for (end, own) in ends.iter().zip(own.iter().cycle()) {
        intent.links.push(intent::Link {
            ends: [end.clone(), own.clone()],
            rate_mbps: 1000,
            metric: 20,
            delay_us: 100,
            shared_risks: Vec::new(),
        });
    }
    intent.pops.push(pop);
}

/// Six sites grown to as many as wanted, a third of them in each network, with pools to match.
pub(crate) fn grown(sites: usize) -> Intent {
    let mut intent = example("six-sites");
    if let Ok(uplinks) = "100.64.32.0/19".parse() {
        intent.pools.uplinks = uplinks;
    }
    for network in &mut intent.virtual_networks {
        network.lan_length = 26;
    }
    let models: Vec<String> = intent.sites.iter().map(|site| site.code.clone()).collect();
    for (number, model) in (0..sites.saturating_sub(models.len())).zip(models.iter().cycle()) {
        add_site_like(&mut intent, model, &format!("X{number}"));
    }
    intent
}
