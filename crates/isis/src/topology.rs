//! What the database says, router by router: the fragments of each put together.
//!
//! Standards: ISO 10589 §7.2.5 (fragments without fragment 0 are not used), RFC 5305, RFC 8667.
//! Not implemented: pseudonodes; links to one are left out, as all links are point-to-point.

use core::net::Ipv4Addr;
use std::collections::BTreeMap;

use base::{Label, Prefix, RouterId, SystemId};

use crate::capability::CapabilitySubTlv;
use crate::codepoints as cp;
use crate::config::LabelRange;
use crate::database::Database;
use crate::reachability::{IsReach, IsSubTlv, PrefixReach, PrefixSubTlv, Sid};
use crate::tlv::Tlv;

/// What one router announces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub hostname: Option<String>,
    /// Its router id.
    pub router_id: Option<RouterId>,
    /// It asks for no transit traffic.
    pub overload: bool,
    /// It forwards IPv4 by label.
    pub sr_v4: bool,
    /// It forwards IPv6 by label.
    pub sr_v6: bool,
    /// The labels that SID indexes map to at this router; empty without segment routing.
    pub srgb: Vec<LabelRange>,
    /// Its links.
    pub links: Vec<Link>,
    /// Its prefixes.
    pub prefixes: Vec<NodePrefix>,
}

/// A link as one end announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The far end.
    pub neighbour: SystemId,
    /// The metric in this direction.
    pub metric: u32,
    /// The address of this end.
    pub v4: Option<Ipv4Addr>,
    /// The address of the far end.
    pub neighbour_v4: Option<Ipv4Addr>,
    /// The label that sends a packet over it.
    pub adjacency_sid: Option<Label>,
}

/// A prefix as a router announces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodePrefix {
    /// The prefix.
    pub prefix: Prefix,
    /// The metric from the router on.
    pub metric: u32,
    /// It was leaked from elsewhere: any that was not is preferred.
    pub down: bool,
    /// Its segment.
    pub sid: Option<PrefixSid>,
}

/// The segment of a prefix, for shortest paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixSid {
    /// The index into every SRGB.
    pub index: u32,
    /// The neighbour swaps instead of popping.
    pub no_php: bool,
    /// The neighbour swaps to explicit null; only with `no_php`.
    pub explicit_null: bool,
}

impl Node {
    /// The label of a SID index at this router; `None` outside its SRGB.
    #[must_use]
    pub fn label(&self, index: u32) -> Option<Label> {
        // RFC 8667 §3.1: indexes run through the ranges one after the other.
        let mut index = index;
        for range in &self.srgb {
            if index < range.count {
                return range.label(index);
            }
            index -= range.count;
        }
        None
    }

    fn add(&mut self, tlv: &Tlv) {
        match tlv {
            Tlv::Hostname(name) => self.hostname = Some(name.clone()),
            Tlv::RouterId(id) => self.router_id = Some(*id),
            Tlv::Capability(capability) => {
                for sub_tlv in &capability.sub_tlvs {
                    self.add_capability(sub_tlv);
                }
            }
            Tlv::IsReach(links) => self.links.extend(links.iter().filter_map(link)),
            Tlv::PrefixReach(prefixes) => self.prefixes.extend(prefixes.iter().filter_map(prefix)),
            Tlv::AreaAddresses(_)
            | Tlv::Padding(_)
            | Tlv::LspEntries(_)
            | Tlv::Authentication { .. }
            | Tlv::PurgeOriginator(..)
            | Tlv::Protocols(_)
            | Tlv::Ipv4Addresses(_)
            | Tlv::Ipv6Addresses(_)
            | Tlv::ThreeWay(_)
            | Tlv::Other { .. } => {}
        }
    }

    fn add_capability(&mut self, capability: &CapabilitySubTlv) {
        // RFC 8667 §3.1: where it is there more than once the first counts.
        if let CapabilitySubTlv::SegmentRouting { flags, srgb } = capability
            && self.srgb.is_empty()
        {
            self.sr_v4 = flags & cp::SR_IPV4 != 0;
            self.sr_v6 = flags & cp::SR_IPV6 != 0;
            self.srgb.clone_from(srgb);
        }
    }
}

fn link(reach: &IsReach) -> Option<Link> {
    if reach.pseudonode != 0 {
        return None;
    }
    let (neighbour, metric) = (reach.neighbour, reach.metric);
    let mut link = Link { neighbour, metric, v4: None, neighbour_v4: None, adjacency_sid: None };
    for sub_tlv in &reach.sub_tlvs {
        match sub_tlv {
            IsSubTlv::Ipv4Interface(addr) => link.v4 = Some(*addr),
            IsSubTlv::Ipv4Neighbour(addr) => link.neighbour_v4 = Some(*addr),
            IsSubTlv::AdjacencySid { sid: Sid::Label(label), .. } => {
                link.adjacency_sid = link.adjacency_sid.or(Some(*label));
            }
            IsSubTlv::AdjacencySid { sid: Sid::Index(_), .. } | IsSubTlv::Other { .. } => {}
        }
    }
    Some(link)
}

fn prefix(reach: &PrefixReach) -> Option<NodePrefix> {
    // RFC 5305 §4: such a prefix is for other uses than routing.
    if reach.metric > cp::PATH_METRIC_MAX {
        return None;
    }
    let sid = reach.sub_tlvs.iter().find_map(|sub_tlv| match sub_tlv {
        PrefixSubTlv::PrefixSid { flags, algorithm: cp::ALGORITHM_SPF, sid: Sid::Index(index) } => {
            let no_php = flags & cp::PREFIX_SID_NO_PHP != 0;
            // RFC 8667 §2.1.1: without the P flag the E flag is ignored.
            let explicit_null = no_php && flags & cp::PREFIX_SID_EXPLICIT_NULL != 0;
            Some(PrefixSid { index: *index, no_php, explicit_null })
        }
        PrefixSubTlv::PrefixSid { .. } | PrefixSubTlv::Other { .. } => None,
    });
    Some(NodePrefix { prefix: reach.prefix, metric: reach.metric, down: reach.down, sid })
}

/// Every router that has a live fragment 0.
pub(crate) fn nodes(database: &Database) -> BTreeMap<SystemId, Node> {
    let mut nodes: BTreeMap<SystemId, Node> = BTreeMap::new();
    for (id, entry) in database.iter() {
        if id.pseudonode != 0 || entry.purged {
            continue;
        }
        if id.fragment == 0 {
            let overload = entry.lsp.overload();
            nodes.insert(id.system_id, Node { overload, ..Node::default() });
        }
        // Fragment 0 comes first in order, so it is here already where it exists.
        if let Some(node) = nodes.get_mut(&id.system_id) {
            for tlv in &entry.lsp.tlvs {
                node.add(tlv);
            }
        }
    }
    nodes
}
