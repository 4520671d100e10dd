//! What breaks a rule: which entry, which rule, and a packet that shows it.

use core::fmt;
use core::net::IpAddr;

use base::{Label, LabelSpace, PortId, Prefix};

/// What goes wrong on the way of a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A label is used that the router at its end does not know.
    Dead {
        /// The router.
        at: String,
        /// The label.
        label: Label,
    },
    /// A service label leads out of every VRF, into the region's own table.
    FallsOut {
        /// The router.
        at: String,
        /// The label.
        label: Label,
    },
    /// A service label stands where a label of the core is expected.
    ServiceOnTop {
        /// The router.
        at: String,
        /// The label.
        label: Label,
    },
    /// It leads through a port that has no link to another router.
    NoLink {
        /// The router.
        at: String,
        /// The port.
        port: PortId,
    },
    /// A way has no hop.
    NoHop(String),
    /// It comes back to this router.
    Loop(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead { at, label } => write!(f, "label {label} means nothing at {at}"),
            Self::FallsOut { at, label } => {
                write!(f, "label {label} leads out of every VRF at {at}")
            }
            Self::ServiceOnTop { at, label } => {
                write!(f, "label {label} of a service is taken for one of the core at {at}")
            }
            Self::NoLink { at, port } => write!(f, "port {} of {at} has no link", port.0),
            Self::NoHop(at) => write!(f, "a way leads nowhere at {at}"),
            Self::Loop(at) => write!(f, "the way comes back to {at}"),
        }
    }
}

/// The rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// A router's tables are missing.
    NoTables,
    /// A router's tables are of another plan.
    Generation {
        /// Theirs.
        found: u64,
        /// The plan's.
        wanted: u64,
    },
    /// The tables say two things of it.
    Twice,
    /// A promised LAN is not there.
    NoLan,
    /// One VRF has LANs of two virtual networks.
    Mixed {
        /// Both.
        networks: [String; 2],
    },
    /// A router that the plan does not have, or an attachment that nobody was promised.
    Stranger,
    /// Packets of a virtual network would end in another that gave no right.
    Leak {
        /// The router at the end.
        at: String,
        /// The virtual network there; none where it is nobody's.
        into: Option<String>,
    },
    /// Something goes wrong on the way.
    Way(Fault),
    /// At the end nothing leads on to these addresses.
    NotDelivered {
        /// The router at the end.
        at: String,
    },
    /// A promised destination has no route.
    Missing,
    /// More may cross the boundary of the virtual network than was published.
    Wider,
    /// Less may cross than was promised.
    Narrower,
    /// Packets may come in with these addresses, which are not the virtual network's.
    ForeignSource,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTables => f.write_str("its tables are missing"),
            Self::Generation { found, wanted } => {
                write!(f, "its tables are of plan {found}, not {wanted}")
            }
            Self::Twice => f.write_str("the tables say two things of it"),
            Self::NoLan => f.write_str("the LAN is not there"),
            Self::Mixed { networks: [a, b] } => write!(f, "LANs of {a} and {b} share a VRF"),
            Self::Stranger => f.write_str("it is not in the plan"),
            Self::Leak { at, into: Some(into) } => write!(f, "it leads into {into} at {at}"),
            Self::Leak { at, into: None } => write!(f, "it leads into nobody's VRF at {at}"),
            Self::Way(fault) => fault.fmt(f),
            Self::NotDelivered { at } => write!(f, "nothing leads on at {at}"),
            Self::Missing => f.write_str("there is no route"),
            Self::Wider => f.write_str("more may cross than was published"),
            Self::Narrower => f.write_str("less may cross than was promised"),
            Self::ForeignSource => f.write_str("sources are let in that are not its own"),
        }
    }
}

/// Where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The router as a whole.
    Router,
    /// A port.
    Port(PortId),
    /// A site's LAN.
    Lan {
        /// The site's code.
        site: String,
        /// The port.
        port: PortId,
    },
    /// A route of a VRF.
    Route {
        /// The VRF's name.
        vrf: String,
        /// The prefix.
        prefix: Prefix,
    },
    /// A label.
    Label {
        /// Where it has its meaning.
        space: LabelSpace,
        /// The label.
        label: Label,
    },
    /// The access rules of a VRF.
    Access {
        /// The VRF's name.
        vrf: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.write_str("the router"),
            Self::Port(port) => write!(f, "port {}", port.0),
            Self::Lan { site, port } => write!(f, "the LAN of {site} on port {}", port.0),
            Self::Route { vrf, prefix } => write!(f, "route {prefix} of {vrf}"),
            Self::Label { space: LabelSpace::Platform, label } => write!(f, "label {label}"),
            Self::Label { space: LabelSpace::Port(port), label } => {
                write!(f, "label {label} of port {}", port.0)
            }
            Self::Access { vrf } => write!(f, "access rules of {vrf}"),
        }
    }
}

/// A packet that shows a violation: sent at a site, it goes where it may not, or does not go where
/// it may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// The code of the site at which it is sent.
    pub site: String,
    /// The virtual network in which it is sent.
    pub virtual_network: String,
    /// Its source.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// Its IP protocol; none: any will do.
    pub protocol: Option<u8>,
    /// Its destination port, or its source port where it is an answer.
    pub port: Option<u16>,
}

/// One violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The router.
    pub router: String,
    /// Where on it.
    pub place: Place,
    /// What is wrong.
    pub breach: Breach,
    /// A packet that shows it, where one can.
    pub witness: Option<Witness>,
}

impl Violation {
    pub(crate) fn at(router: &str, place: Place, breach: Breach) -> Self {
        Self { router: router.to_owned(), place, breach, witness: None }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { router, place, breach, witness } = self;
        write!(f, "{router}, {place}: {breach}")?;
        if let Some(Witness { site, virtual_network, source, destination, protocol, port }) =
            witness
        {
            write!(f, " (from {site} in {virtual_network}: {source} to {destination}")?;
            if let Some(protocol) = protocol {
                write!(f, ", protocol {protocol}")?;
            }
            if let Some(port) = port {
                write!(f, ", port {port}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}
