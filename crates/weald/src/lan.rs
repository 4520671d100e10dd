//! A site's LAN on this machine: a network namespace with one host in it, for any program to run on.
//!
//! The host has the addresses of the site's applications, and one of its own.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use base::Prefix;
use host::ethernet;
use host::namespace::Namespace;
use model::plan::{Attachment, Plan};
use serde_json::json;

use crate::control::request;
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::names::{SITES, site_number, unknown};

/// The interface of the host.
pub(crate) const INTERFACE: &str = "lan0";

/// A LAN's host.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    /// Its addresses, its own first.
    pub(crate) addresses: Vec<IpAddr>,
}

impl Host {
    /// Gives it its addresses, and the gateway as its way to everybody else.
    pub(crate) fn set_up(&self, attachment: &Attachment, plan: &Plan) -> io::Result<()> {
        let router = plan.routers.iter().find(|router| router.name == attachment.router);
        let port = router.and_then(|r| r.ports().find(|(id, _)| *id == attachment.port));
        let mtu = port.map_or(1500, |(_, port)| port.mtu);
        let mut script = format!("link set lan0 mtu {mtu} up\n");
        for address in &self.addresses {
            let prefix = attachment.prefixes.iter().find(|prefix| prefix.contains(*address));
            let len = prefix.map_or(32, |prefix| prefix.len());
            let nodad = if address.is_ipv6() { " nodad" } else { "" };
            script.push_str(&format!("addr add {address}/{len} dev lan0{nodad}\n"));
        }
        for gateway in &attachment.gateways {
            let everybody = if gateway.is_ipv6() { "::/0" } else { "0.0.0.0/0" };
            script.push_str(&format!("route add {everybody} via {gateway} dev lan0\n"));
        }
        ip(&self.namespace, &script)?;
        self.namespace.run(|| ethernet::send_whole_frames("lan0"))
    }

    /// Where it is, and who it is.
    pub(crate) fn answer(&self, attachment: &Attachment) -> Answer {
        let namespace = self.namespace.path().display().to_string();
        let data = json!({
            "site": attachment.site,
            "virtual_network": attachment.virtual_network,
            "namespace": namespace,
            "interface": INTERFACE,
            "addresses": self.addresses,
            "gateways": attachment.gateways,
        });
        let listed =
            |all: &[IpAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!(
            "the LAN of {} in `{}` is the namespace {namespace}\n  interface  {INTERFACE}\n  \
             addresses  {}\n  gateways   {}\n",
            attachment.site,
            attachment.virtual_network,
            listed(&self.addresses),
            listed(&attachment.gateways)
        );
        Answer::new(&data, text)
    }
}

/// Runs `ip` on a script, in a namespace.
pub(crate) fn ip(namespace: &Namespace, script: &str) -> io::Result<()> {
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(Stdio::piped());
    namespace.lend(&mut command);
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(script.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// The addresses of a LAN's host: one of its own for each prefix, and those of the applications
/// that are at the site.
pub(crate) fn addresses(plan: &Plan, lan: &Attachment) -> Vec<IpAddr> {
    let here = plan.applications.iter().filter(|application| {
        application.site == lan.site && application.virtual_network == lan.virtual_network
    });
    let served: Vec<IpAddr> = here.flat_map(|application| application.addresses.clone()).collect();
    let own = lan.prefixes.iter().filter_map(|prefix| {
        let taken = |address: &IpAddr| served.contains(address) || lan.gateways.contains(address);
        own_address(*prefix, &taken)
    });
    own.chain(served.iter().copied()).collect()
}

/// An address in the lower half of a prefix, which is not handed out to others.
fn own_address(prefix: Prefix, taken: &dyn Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    /// Out of the way of gateways and of what people number by hand.
    const PLACE_MAX: u64 = 20;
    let in_lower_half = |place: &u64| prefix.nth(2 * place + 1).is_some();
    let places = (1..=PLACE_MAX).rev().filter(in_lower_half);
    places.filter_map(|place| prefix.nth(place)).find(|address| !taken(address))
}

/// The LAN that is meant: its place in the plan.
pub(crate) fn find(plan: &Plan, asked: &request::Lan) -> Result<usize, Failure> {
    let site = site_number(plan, &asked.site).and_then(|number| plan.sites.get(number));
    let site = site.ok_or_else(|| {
        unknown("site", &asked.site, plan.sites.iter().map(|site| site.code.as_str()), SITES)
    })?;
    let here = plan.attachments.iter().enumerate().filter(|(_, lan)| lan.site == site.code);
    let fits = |network: &str| asked.network.as_deref().is_none_or(|wanted| wanted == network);
    let fitting: Vec<_> = here.clone().filter(|(_, lan)| fits(&lan.virtual_network)).collect();
    match fitting.as_slice() {
        [(number, _)] => Ok(*number),
        [] => {
            let networks: Vec<_> = here.map(|(_, lan)| lan.virtual_network.as_str()).collect();
            Err(Failure::network(format!("`{}` has no such LAN", site.code))
                .hint(format!("its virtual networks are: {}", networks.join(", "))))
        }
        several => {
            let networks: Vec<_> =
                several.iter().map(|(_, lan)| lan.virtual_network.as_str()).collect();
            Err(Failure::input(format!("`{}` has several LANs", site.code))
                .hint(format!("choose one with `--network`: {}", networks.join(", "))))
        }
    }
}
