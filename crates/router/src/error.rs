//! What is wrong with a configuration: all of it at once, each with the path of the field.

use core::fmt;
use std::collections::BTreeSet;

use base::{PortId, VrfId};
use model::config::{NeighbourKind, PortKind, Role, RouterConfig};

use crate::translate::neighbour_port;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `neighbours[3].kind.port`.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The router's name.
    pub router: String,
    /// What is wrong, in order of the fields.
    pub errors: Vec<ConfigError>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration of `{}` is refused", self.router)?;
        for error in &self.errors {
            write!(f, "\n  {}: found {}, allowed: {}", error.field, error.found, error.allowed)?;
        }
        Ok(())
    }
}

impl core::error::Error for ConfigErrors {}

#[derive(Default)]
struct Findings(Vec<ConfigError>);

impl Findings {
    fn add(&mut self, field: String, found: impl fmt::Display, allowed: &str) {
        let (found, allowed) = (format!("`{found}`"), allowed.to_owned());
        self.0.push(ConfigError { field, found, allowed });
    }
}

/// Checks what the parts of a router take for granted.
pub(crate) fn check(config: &RouterConfig, running: Option<u64>) -> Result<(), ConfigErrors> {
    let mut findings = Findings::default();
    if let Some(running) = running
        && config.generation < running
    {
        let allowed = format!("{running} or newer");
        findings.add("generation".to_owned(), config.generation, &allowed);
    }
    check_role(config, &mut findings);
    check_ports(config, &mut findings);
    check_neighbours(config, &mut findings);
    check_vrfs(config, &mut findings);
    if findings.0.is_empty() {
        return Ok(());
    }
    Err(ConfigErrors { router: config.name.clone(), errors: findings.0 })
}

fn check_role(config: &RouterConfig, findings: &mut Findings) {
    let core = config.role == Role::Core;
    if core != config.isis.is_some() {
        findings.add("isis".to_owned(), config.isis.is_some(), "on core routers, only there");
    }
    if core != config.loopback.is_some() {
        findings.add(
            "loopback".to_owned(),
            config.loopback.is_some(),
            "on core routers, only there",
        );
    }
    let last = config.labels.first.value().saturating_add(config.labels.count);
    if config.labels.first < base::Label::FIRST_FREE || last > base::Label::MAX.value() + 1 {
        findings.add("labels".to_owned(), last, "a block within 16 to 1048575");
    }
}

fn check_ports(config: &RouterConfig, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (id, port) in config.ports() {
        let field = format!("ports[{}]", id.0);
        let unused = matches!(port.kind, PortKind::Unused);
        if !unused && !names.insert(port.name.as_str()) {
            findings.add(format!("{field}.name"), &port.name, "a name that no other port has");
        }
        if !unused && port.mtu < 1280 {
            findings.add(format!("{field}.mtu"), port.mtu, "1280 or more (RFC 8200 §5)");
        }
        match &port.kind {
            PortKind::Attachment { vrf, .. } => {
                if !has_vrf(config, *vrf) {
                    findings.add(format!("{field}.kind.vrf"), vrf, "the number of a VRF");
                }
            }
            PortKind::CoreLink { metric, .. } => {
                if config.role == Role::Site {
                    findings.add(format!("{field}.kind"), "core_link", "on core routers only");
                }
                if !(1..0xff_ffff).contains(metric) {
                    findings.add(format!("{field}.kind.metric"), metric, "1 to 16777214");
                }
            }
            PortKind::Uplink { .. } | PortKind::Unused => {}
        }
    }
}

fn has_vrf(config: &RouterConfig, vrf: VrfId) -> bool {
    usize::try_from(vrf.0).is_ok_and(|index| index < config.vrfs.len())
}

fn is_uplink(config: &RouterConfig, port: PortId) -> bool {
    let port = usize::try_from(port.0).ok().and_then(|index| config.ports.get(index));
    port.is_some_and(|port| matches!(port.kind, PortKind::Uplink { .. }))
}

fn check_neighbours(config: &RouterConfig, findings: &mut Findings) {
    let mut addresses = BTreeSet::new();
    for (index, neighbour) in config.neighbours.iter().enumerate() {
        let field = format!("neighbours[{index}]");
        if !addresses.insert((neighbour.local_address, neighbour.address)) {
            let allowed = "an address that no other neighbour has";
            findings.add(format!("{field}.address"), neighbour.address, allowed);
        }
        if let Some(port) = neighbour_port(neighbour)
            && !is_uplink(config, port)
        {
            findings.add(format!("{field}.kind.port"), port, "the number of an uplink port");
        }
        let internal = matches!(neighbour.kind, NeighbourKind::Internal { .. });
        if internal != (neighbour.as_number == config.as_number) {
            let allowed = "the own AS for an interior neighbour, another one for all others";
            findings.add(format!("{field}.as_number"), neighbour.as_number, allowed);
        }
    }
}

fn check_vrfs(config: &RouterConfig, findings: &mut Findings) {
    let mut names = BTreeSet::new();
    for (id, vrf) in config.vrfs() {
        let field = format!("vrfs[{}]", id.0);
        if !names.insert(vrf.name.as_str()) {
            findings.add(format!("{field}.name"), &vrf.name, "a name that no other VRF has");
        }
        if vrf.rds.is_empty() {
            findings.add(format!("{field}.rds"), "nothing", "a distinguisher per neighbour");
        }
        for (position, rd) in vrf.rds.iter().enumerate() {
            let known = usize::try_from(rd.neighbour).is_ok_and(|n| n < config.neighbours.len());
            if !known {
                let field = format!("{field}.rds[{position}].neighbour");
                findings.add(field, rd.neighbour, "the number of a neighbour");
            }
        }
        for (position, route) in vrf.export.iter().enumerate() {
            let port = usize::try_from(route.port.0).ok().and_then(|p| config.ports.get(p));
            let attached = port.is_some_and(
                |port| matches!(port.kind, PortKind::Attachment { vrf, .. } if vrf == id),
            );
            if !attached {
                let field = format!("{field}.export[{position}].port");
                findings.add(field, route.port, "an attachment of this VRF");
            }
        }
    }
}
