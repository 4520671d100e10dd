//! Policy: what is accepted from a neighbour, what is offered to it, and in which form.
//!
//! The way in is [`Policy::check_attributes`] and [`Policy::check_route`]. A refused route is kept
//! with its [`RejectReason`] beside the accepted ones, never used and never announced; so a changed
//! configuration takes effect by checking again what is already there, and a person can be shown
//! why a route is not used.
//!
//! The way out is [`Policy::offer`]: whether a path is offered to a neighbour, with which next hop
//! and label ([`Relabel`]) and which changes to its attributes ([`Transform`]). Both are small
//! values; the attributes themselves are only built when an update is written. A router inside a VRF
//! is offered no VPN route; what it is told is in [`crate::customer`].
//!
//! Standards: RFC 4271 §5.1 (attributes towards other ASes), §6.3 (first AS, next hop), §9.1.2
//! (AS loop), RFC 4364 §10 option B, RFC 4456 §6 and §8 (reflection, loops), RFC 4360 §6
//! (non-transitive communities end at the border), RFC 1997 (NO_EXPORT, NO_ADVERTISE), RFC 8212.
//! Not implemented: AS_SET aggregation, confederations, RFC 8326 (graceful shutdown).

use std::collections::{BTreeMap, BTreeSet};

use base::{AsNumber, Label, LabelSpace, PortId, Prefix, RouteTarget, RouterId, VrfId};
use core::fmt;
use core::net::IpAddr;

use crate::config::{CustomerFilter, Neighbour, NeighbourKind};
use crate::labels::LabelBinding;
use crate::rib::{Path, Source};
use crate::route::{AsSegment, LabelledNextHop, PathAttributes, VpnPrefix};

/// The preference of a route that came without one (RFC 4271 §9.1.1 leaves it to us).
pub const LOCAL_PREF_DEFAULT: u32 = 100;

/// The flag of an optional attribute that somebody on the way did not know (RFC 4271 §4.3).
const FLAG_PARTIAL: u8 = 0x20;

/// The bit of an extended community's type that keeps it inside the AS (RFC 4360 §2).
const NON_TRANSITIVE: u8 = 0x40;

const NO_EXPORT: u32 = 0xffff_ff01;
const NO_ADVERTISE: u32 = 0xffff_ff02;
const NO_EXPORT_SUBCONFED: u32 = 0xffff_ff03;

/// The most hops that one segment of an AS path holds: its count is one octet.
const SEGMENT_MAX: usize = 255;

/// Why a route is not accepted, or accepted and not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// The plan does not give this prefix with this route distinguisher to the site.
    PrefixNotOfSite,
    /// The plan does not give this prefix to the router inside the VRF.
    PrefixNotOfCustomer,
    /// The VRF that it was heard in is not there.
    NoVrf,
    /// It carries a route target that the plan does not give to the site.
    TargetNotAllowed,
    /// It carries no route target: no VRF could import it.
    NoTarget,
    /// The neighbour announced more routes than it may.
    TooManyRoutes,
    /// The site announced its routes over and over.
    TooManyChanges,
    /// The neighbour announced more memberships than it may.
    TooManyMemberships,
    /// The own AS is in its path (RFC 4271 §9.1.2).
    AsLoop,
    /// It began here (RFC 4456 §8).
    OriginatorLoop,
    /// It passed this cluster before (RFC 4456 §8).
    ClusterLoop,
    /// Its path does not begin with the neighbour's AS (RFC 4271 §6.3).
    FirstAs,
    /// An uplink's route leads somewhere else than to its sender.
    NextHopNotPeer,
    /// It leads to this router itself (RFC 4271 §6.3).
    NextHopSelf,
    /// Its next hop is of another address family than its prefix.
    NextHopFamily,
    /// A customer's route leads to an address that is not on the attachment (RFC 4271 §6.3).
    NextHopOffLink,
    /// Nothing leads to its next hop.
    NextHopUnreachable,
    /// Its label is a reserved one that no route may use (RFC 7274).
    ReservedLabel,
    /// The message was malformed; the route counts as withdrawn (RFC 7606 §2).
    Malformed,
    /// All labels are in use: the route could not be announced onward.
    NoLabel,
    /// Its attributes leave no room for a route in a message: it could not be announced onward.
    TooLarge,
}

impl RejectReason {
    /// Whether it belongs to ordinary reflection: counted, but nobody is told.
    #[must_use]
    pub const fn is_ordinary(self) -> bool {
        matches!(self, Self::OriginatorLoop | Self::ClusterLoop)
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrefixNotOfSite => "prefix is not the site's",
            Self::PrefixNotOfCustomer => "prefix is not one that this router may announce",
            Self::NoVrf => "its VRF is not configured",
            Self::TargetNotAllowed => "route target is not allowed for the site",
            Self::NoTarget => "no route target",
            Self::TooManyRoutes => "too many routes",
            Self::TooManyChanges => "too many changes",
            Self::TooManyMemberships => "too many memberships",
            Self::AsLoop => "own AS in the path",
            Self::OriginatorLoop => "originated here",
            Self::ClusterLoop => "passed this cluster before",
            Self::FirstAs => "path does not begin with the neighbour's AS",
            Self::NextHopNotPeer => "next hop is not the neighbour",
            Self::NextHopSelf => "next hop is this router",
            Self::NextHopFamily => "next hop is of another address family",
            Self::NextHopOffLink => "next hop is not on the link",
            Self::NextHopUnreachable => "next hop is unreachable",
            Self::ReservedLabel => "label is reserved",
            Self::Malformed => "malformed update",
            Self::NoLabel => "no label left",
            Self::TooLarge => "attributes leave no room in a message",
        })
    }
}

/// Who we are, as far as policy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The own AS.
    pub as_number: AsNumber,
    /// The BGP identifier.
    pub router_id: RouterId,
    /// The cluster that we reflect for.
    pub cluster: RouterId,
    /// The own next hop inside the AS.
    pub loopback: Option<IpAddr>,
}

/// A neighbour's policy, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// See [`NeighbourKind::Internal`].
    Internal {
        /// Whether it is a client of this reflector.
        client: bool,
    },
    /// See [`NeighbourKind::Site`].
    Site(SitePolicy),
    /// See [`NeighbourKind::Core`].
    Core {
        /// The preference of routes from here.
        local_pref: u32,
        /// Additional prepending.
        prepend: u8,
    },
    /// See [`NeighbourKind::Customer`].
    Customer(CustomerFilter),
}

/// What a site may announce and is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SitePolicy {
    port: PortId,
    local_pref: u32,
    accept: BTreeMap<VpnPrefix, BTreeSet<RouteTarget>>,
    /// Every route target that the site may announce.
    pub accepted_targets: BTreeSet<RouteTarget>,
    /// See [`crate::config::SiteFilter::max_routes`].
    pub max_routes: usize,
    /// See [`crate::config::SiteFilter::send`].
    pub send: BTreeSet<RouteTarget>,
}

/// What happens to the attributes on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transform {
    /// Reflected: names the originator where none is named, and adds the cluster.
    Reflect {
        /// The router that brought the route into the AS, if it is not named yet.
        originator: RouterId,
    },
    /// A membership told to a client: this router is the originator, so that no client takes it
    /// for its own (RFC 4684 §3.2 i).
    Vouch,
    /// Brought into the AS with this preference.
    Internal {
        /// LOCAL_PREF.
        local_pref: u32,
    },
    /// Sent to another AS.
    External {
        /// How many more times than once the own AS is put in front.
        prepend: u8,
    },
}

/// What happens to next hop and label on the way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relabel {
    /// Both as received.
    Unchanged,
    /// Next hop self, the VRF's own label.
    Own(LabelledNextHop),
    /// Next hop self, the label that stands for `binding` in `space`.
    Bind {
        /// The own address towards that neighbour.
        next_hop: IpAddr,
        /// Where the label is valid.
        space: LabelSpace,
        /// What it means.
        binding: LabelBinding,
    },
}

/// A path as it is offered to one neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// What happens to the attributes.
    pub transform: Transform,
    /// What happens to next hop and label.
    pub relabel: Relabel,
}

/// Where a path comes from, as far as its way out asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// An own VRF, or a router inside it.
    Vrf {
        /// The VRF.
        vrf: VrfId,
        /// Its label.
        label: Label,
        /// Whether the route distinguisher is the one for this neighbour.
        rd_fits: bool,
    },
    /// Another AS.
    External,
    /// The own AS.
    Internal {
        /// Whether the sender is a client of this reflector.
        client: bool,
        /// The sender's BGP identifier.
        router_id: RouterId,
    },
}

const fn label_is_usable(label: Label) -> bool {
    label.value() >= Label::FIRST_FREE.value()
        || matches!(label, Label::EXPLICIT_NULL_V4 | Label::EXPLICIT_NULL_V6 | Label::IMPLICIT_NULL)
}

impl Policy {
    /// The policy that this kind of neighbour implies.
    #[must_use]
    pub fn new(kind: &NeighbourKind) -> Self {
        match kind {
            NeighbourKind::Internal { client } => Self::Internal { client: *client },
            &NeighbourKind::Core { local_pref, prepend } => Self::Core { local_pref, prepend },
            NeighbourKind::Customer(filter) => Self::Customer(filter.clone()),
            NeighbourKind::Site(filter) => {
                let mut accept: BTreeMap<VpnPrefix, BTreeSet<RouteTarget>> = BTreeMap::new();
                for entry in &filter.accept {
                    accept.entry(entry.key).or_default().extend(&entry.targets);
                }
                Self::Site(SitePolicy {
                    port: filter.port,
                    local_pref: filter.local_pref,
                    accepted_targets: accept.values().flatten().copied().collect(),
                    accept,
                    max_routes: filter.max_routes,
                    send: filter.send.clone(),
                })
            }
        }
    }

    /// The degree of preference of a route from here (RFC 4271 §9.1.1).
    #[must_use]
    pub fn local_pref(&self, attributes: &PathAttributes) -> u32 {
        match self {
            Self::Internal { .. } => attributes.local_pref.unwrap_or(LOCAL_PREF_DEFAULT),
            Self::Site(site) => site.local_pref,
            Self::Core { local_pref, .. } => *local_pref,
            Self::Customer(_) => LOCAL_PREF_DEFAULT,
        }
    }

    /// Whether routes with these attributes may come from this neighbour.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_attributes(
        &self,
        own: &Identity,
        neighbour: &Neighbour,
        attributes: &PathAttributes,
    ) -> Result<(), RejectReason> {
        match self {
            Self::Internal { .. } => {
                if attributes.originator_id == Some(own.router_id) {
                    return Err(RejectReason::OriginatorLoop);
                }
                if attributes.cluster_list.contains(&own.cluster) {
                    return Err(RejectReason::ClusterLoop);
                }
            }
            Self::Site(_) | Self::Core { .. } | Self::Customer(_) => {
                let first = match attributes.as_path.first() {
                    Some(AsSegment::Sequence(numbers)) => numbers.first(),
                    Some(AsSegment::Set(_)) | None => None,
                };
                if first != Some(&neighbour.as_number) {
                    return Err(RejectReason::FirstAs);
                }
            }
        }
        if attributes.as_path_contains(own.as_number) {
            return Err(RejectReason::AsLoop);
        }
        Ok(())
    }

    /// Whether this one route may come from this neighbour; its attributes were checked before.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn check_route(
        &self,
        own: &Identity,
        neighbour: &Neighbour,
        key: VpnPrefix,
        attributes: &PathAttributes,
        to: LabelledNextHop,
    ) -> Result<(), RejectReason> {
        if let Self::Customer(filter) = self {
            return check_customer_route(filter, neighbour, key.prefix, to.next_hop);
        }
        if Some(to.next_hop) == own.loopback || to.next_hop == neighbour.local_address {
            return Err(RejectReason::NextHopSelf);
        }
        if !self.is_internal() && to.next_hop != neighbour.address {
            return Err(RejectReason::NextHopNotPeer);
        }
        if !label_is_usable(to.label) {
            return Err(RejectReason::ReservedLabel);
        }
        match self {
            Self::Internal { .. } | Self::Core { .. } | Self::Customer(_) => Ok(()),
            Self::Site(site) => {
                let allowed = site.accept.get(&key).ok_or(RejectReason::PrefixNotOfSite)?;
                let mut targets = attributes.route_targets().peekable();
                if targets.peek().is_none() {
                    return Err(RejectReason::NoTarget);
                }
                if targets.all(|target| allowed.contains(&target)) {
                    Ok(())
                } else {
                    Err(RejectReason::TargetNotAllowed)
                }
            }
        }
    }

    const fn is_internal(&self) -> bool {
        matches!(self, Self::Internal { .. })
    }

    /// Whether and how a path is offered to this neighbour; what it asked for by memberships is
    /// the caller's to ask.
    #[must_use]
    pub fn offer(
        &self,
        own: &Identity,
        neighbour: &Neighbour,
        origin: Provenance,
        path: &Path,
    ) -> Option<Offer> {
        if path.source == Source::Neighbour(neighbour.id)
            || matches!(origin, Provenance::Vrf { rd_fits: false, .. })
            || !self.communities_allow(&path.attributes)
        {
            return None;
        }
        match self {
            Self::Internal { client } => {
                let next_hop = own.loopback.unwrap_or(neighbour.local_address);
                internal_offer(*client, next_hop, origin, path)
            }
            Self::Core { prepend, .. } => match origin {
                Provenance::Vrf { label, .. } => {
                    let next_hop = neighbour.local_address;
                    let relabel = Relabel::Own(LabelledNextHop { next_hop, label });
                    Some(Offer { transform: Transform::External { prepend: *prepend }, relabel })
                }
                Provenance::External | Provenance::Internal { .. } => None,
            },
            Self::Site(site) => {
                let wanted = path.attributes.route_targets().any(|t| site.send.contains(&t));
                // A route that the site announced elsewhere must not come back to it.
                if !wanted || path.attributes.as_path_contains(neighbour.as_number) {
                    return None;
                }
                let binding = match origin {
                    Provenance::Vrf { vrf, .. } => LabelBinding::Vrf(vrf),
                    Provenance::External | Provenance::Internal { .. } => {
                        LabelBinding::Swap(path.to)
                    }
                };
                let space = LabelSpace::Port(site.port);
                let next_hop = neighbour.local_address;
                Some(Offer {
                    transform: Transform::External { prepend: 0 },
                    relabel: Relabel::Bind { next_hop, space, binding },
                })
            }
            Self::Customer(_) => None,
        }
    }

    /// Whether the well-known communities (RFC 1997) allow to send a route to this neighbour.
    #[must_use]
    pub fn communities_allow(&self, attributes: &PathAttributes) -> bool {
        !attributes.communities.iter().any(|&community| match community {
            NO_ADVERTISE => true,
            NO_EXPORT | NO_EXPORT_SUBCONFED => !self.is_internal(),
            _ => false,
        })
    }
}

/// RFC 4364 §10 option A: exactly what the plan says, over the attachment that it came from. An
/// IPv6 next hop may be any address there, because the session runs over IPv4.
fn check_customer_route(
    filter: &CustomerFilter,
    neighbour: &Neighbour,
    prefix: Prefix,
    next_hop: IpAddr,
) -> Result<(), RejectReason> {
    if next_hop == neighbour.local_address || Some(next_hop) == filter.local_v6.map(IpAddr::V6) {
        return Err(RejectReason::NextHopSelf);
    }
    match (prefix, next_hop) {
        (Prefix::V4(_), IpAddr::V6(_)) | (Prefix::V6(_), IpAddr::V4(_)) => {
            return Err(RejectReason::NextHopFamily);
        }
        (Prefix::V4(_), IpAddr::V4(_)) if next_hop != neighbour.address => {
            return Err(RejectReason::NextHopNotPeer);
        }
        (Prefix::V4(_), IpAddr::V4(_)) | (Prefix::V6(_), IpAddr::V6(_)) => {}
    }
    if !filter.is_on_link(next_hop) {
        return Err(RejectReason::NextHopOffLink);
    }
    if filter.accept.contains(&prefix) { Ok(()) } else { Err(RejectReason::PrefixNotOfCustomer) }
}

fn internal_offer(
    to_client: bool,
    next_hop: IpAddr,
    origin: Provenance,
    path: &Path,
) -> Option<Offer> {
    let internal = Transform::Internal { local_pref: path.local_pref };
    match origin {
        Provenance::Vrf { label, .. } => {
            let relabel = Relabel::Own(LabelledNextHop { next_hop, label });
            Some(Offer { transform: internal, relabel })
        }
        Provenance::External => {
            let (space, binding) = (LabelSpace::Platform, LabelBinding::Swap(path.to));
            let relabel = Relabel::Bind { next_hop, space, binding };
            Some(Offer { transform: internal, relabel })
        }
        // RFC 4456 §6: between two non-clients nothing is reflected.
        Provenance::Internal { client, router_id } => (client || to_client).then_some(Offer {
            transform: Transform::Reflect { originator: router_id },
            relabel: Relabel::Unchanged,
        }),
    }
}

impl Transform {
    /// The attributes as they go out.
    #[must_use]
    pub fn apply(self, own: &Identity, attributes: &PathAttributes) -> PathAttributes {
        let mut out = attributes.clone();
        for attribute in &mut out.unknown {
            attribute.flags |= FLAG_PARTIAL;
        }
        match self {
            Self::Reflect { originator } => {
                out.originator_id.get_or_insert(originator);
                out.cluster_list.insert(0, own.cluster);
            }
            Self::Vouch => {
                out.originator_id = Some(own.router_id);
                out.cluster_list.insert(0, own.cluster);
            }
            Self::Internal { local_pref } => {
                out.local_pref = Some(local_pref);
                out.originator_id = None;
                out.cluster_list.clear();
            }
            Self::External { prepend } => {
                out.local_pref = None;
                out.med = None;
                out.originator_id = None;
                out.cluster_list.clear();
                out.extended_communities.retain(|[kind, ..]| kind & NON_TRANSITIVE == 0);
                prepend_as(&mut out.as_path, own.as_number, usize::from(prepend) + 1);
            }
        }
        out
    }
}

/// RFC 4271 §5.1.2: in front of the first sequence, or in a sequence of its own where that is full.
fn prepend_as(path: &mut Vec<AsSegment>, number: AsNumber, times: usize) {
    for _ in 0..times {
        match path.first_mut() {
            Some(AsSegment::Sequence(numbers)) if numbers.len() < SEGMENT_MAX => {
                numbers.insert(0, number);
            }
            Some(AsSegment::Sequence(_) | AsSegment::Set(_)) | None => {
                path.insert(0, AsSegment::Sequence(vec![number]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Identity, NO_ADVERTISE, NO_EXPORT, Offer, Policy, Provenance, Relabel, SEGMENT_MAX,
        Transform, prepend_as,
    };
    use crate::config::{Neighbour, NeighbourId, NeighbourKind, SiteFilter};
    use crate::labels::LabelBinding;
    use crate::rib::{Path, Source};
    use crate::route::{AsSegment, LabelledNextHop, PathAttributes, UnknownAttribute};
    use base::{AsNumber, Label, LabelSpace, PortId, RouteTarget, RouterId, VrfId};
    use core::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    const OWN: Identity = Identity {
        as_number: AsNumber(65000),
        router_id: RouterId(Ipv4Addr::new(192, 0, 2, 1)),
        cluster: RouterId(Ipv4Addr::new(192, 0, 2, 9)),
        loopback: None,
    };

    fn received() -> PathAttributes {
        let mut attributes = PathAttributes::originated();
        attributes.as_path = vec![AsSegment::Sequence(vec![AsNumber(7)])];
        attributes.med = Some(3);
        attributes.local_pref = Some(200);
        attributes.originator_id = Some(RouterId(Ipv4Addr::new(192, 0, 2, 5)));
        attributes.cluster_list = vec![RouterId(Ipv4Addr::new(192, 0, 2, 6))];
        attributes.extended_communities =
            vec![[0, 2, 0, 1, 0, 0, 0, 1], [0x43, 0, 0, 0, 0, 0, 0, 0]];
        attributes.unknown = vec![UnknownAttribute { flags: 0xc0, code: 99, value: vec![1] }];
        attributes
    }

    #[test]
    fn what_is_of_this_as_alone_does_not_leave_it() {
        let out = Transform::External { prepend: 1 }.apply(&OWN, &received());
        assert_eq!((out.local_pref, out.med, out.originator_id), (None, None, None));
        assert!(out.cluster_list.is_empty());
        assert_eq!(out.extended_communities, [[0, 2, 0, 1, 0, 0, 0, 1]]);
        let path = [65000, 65000, 7].map(AsNumber).to_vec();
        assert_eq!(out.as_path, [AsSegment::Sequence(path)]);
        assert_eq!(out.unknown[0].flags, 0xe0);
    }

    #[test]
    fn reflection_keeps_the_originator_and_adds_the_cluster() {
        let other = RouterId(Ipv4Addr::new(192, 0, 2, 77));
        let reflect = Transform::Reflect { originator: other };
        let out = reflect.apply(&OWN, &received());
        assert_eq!(out.originator_id, received().originator_id);
        assert_eq!(out.cluster_list, [OWN.cluster, received().cluster_list[0]]);
        assert_eq!((out.med, out.local_pref), (Some(3), Some(200)));
        let first = PathAttributes { originator_id: None, ..received() };
        assert_eq!(reflect.apply(&OWN, &first).originator_id, Some(other));
    }

    #[test]
    fn a_full_segment_is_not_overfilled() {
        let full = AsSegment::Sequence(vec![AsNumber(1); SEGMENT_MAX]);
        let mut path = vec![full.clone()];
        prepend_as(&mut path, AsNumber(2), 2);
        assert_eq!(path, [AsSegment::Sequence(vec![AsNumber(2); 2]), full]);
    }
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(100, 64, 0, 1));
    const CLIENT: Provenance = Provenance::Internal { client: true, router_id: OWN.router_id };
    const PEER: Provenance = Provenance::Internal { client: false, router_id: OWN.router_id };
    const LABEL: Label = Label::FIRST_FREE;
    const LOCAL: Provenance = Provenance::Vrf { vrf: VrfId(0), label: LABEL, rd_fits: true };

    fn path(source: Source, attributes: PathAttributes) -> Path {
        let next_hop = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
        let to = LabelledNextHop { next_hop, label: Label::FIRST_FREE };
        Path { source, attributes: Arc::new(attributes), to, local_pref: 150, refused: None }
    }

    fn offered(kind: NeighbourKind, provenance: Provenance, path: &Path) -> Option<Offer> {
        let neighbour = Neighbour {
            id: NeighbourId(5),
            name: String::new(),
            address: IpAddr::V4(Ipv4Addr::new(100, 64, 0, 2)),
            local_address: HERE,
            as_number: AsNumber(64999),
            families: Vec::new(),
            passive: false,
            kind,
        };
        Policy::new(&neighbour.kind).offer(&OWN, &neighbour, provenance, path)
    }

    fn site() -> NeighbourKind {
        let send = [RouteTarget::with_as(1, 1)].into();
        let (accept, port) = (Vec::new(), PortId(3));
        NeighbourKind::Site(SiteFilter { port, local_pref: 1, accept, max_routes: 1, send })
    }

    fn core() -> NeighbourKind {
        NeighbourKind::Core { local_pref: 1, prepend: 2 }
    }

    fn internal(client: bool) -> NeighbourKind {
        NeighbourKind::Internal { client }
    }

    const HEARD: Source = Source::Neighbour(NeighbourId(1));

    #[test]
    fn between_non_clients_nothing_is_reflected() {
        let path = path(HEARD, received());
        let table = [(CLIENT, true, true), (CLIENT, false, true), (PEER, true, true)];
        for (provenance, to_client, expected) in table {
            let offer = offered(internal(to_client), provenance, &path);
            assert_eq!(offer.is_some(), expected);
            assert_eq!(offer.unwrap().relabel, Relabel::Unchanged);
        }
        assert_eq!(offered(internal(false), PEER, &path), None);
    }

    #[test]
    fn a_route_does_not_go_back_to_where_it_came_from() {
        let back = path(Source::Neighbour(NeighbourId(5)), received());
        for kind in [internal(true), site(), core()] {
            assert_eq!(offered(kind, CLIENT, &back), None);
        }
        let mut attributes = received();
        attributes.as_path = vec![AsSegment::Sequence(vec![AsNumber(64999)])];
        assert_eq!(offered(site(), CLIENT, &path(HEARD, attributes)), None);
    }

    #[test]
    fn a_site_is_never_transit_and_hears_only_what_it_may_import() {
        let heard = path(HEARD, received());
        assert_eq!(offered(core(), Provenance::External, &heard), None);
        let local = path(Source::Vrf(VrfId(0)), received());
        let offer = offered(core(), LOCAL, &local).unwrap();
        assert_eq!(offer.relabel, Relabel::Own(LabelledNextHop { next_hop: HERE, label: LABEL }));
        let elsewhere = Provenance::Vrf { vrf: VrfId(0), label: LABEL, rd_fits: false };
        assert_eq!(offered(core(), elsewhere, &local), None);

        let Relabel::Bind { next_hop, space, binding } =
            offered(site(), CLIENT, &heard).unwrap().relabel
        else {
            panic!("a site is given a label of its own port");
        };
        assert_eq!((next_hop, space), (HERE, LabelSpace::Port(PortId(3))));
        assert_eq!(binding, LabelBinding::Swap(heard.to));
        let mut foreign = received();
        foreign.extended_communities = vec![RouteTarget::with_as(1, 2).0];
        assert_eq!(offered(site(), CLIENT, &path(HEARD, foreign)), None);
    }

    #[test]
    fn well_known_communities_stop_a_route_at_the_border_or_here() {
        let with = |community| PathAttributes { communities: vec![community], ..received() };
        let (kept, silent) = (path(HEARD, with(NO_EXPORT)), path(HEARD, with(NO_ADVERTISE)));
        assert!(offered(internal(true), CLIENT, &kept).is_some());
        assert_eq!(offered(site(), CLIENT, &kept), None);
        assert_eq!(offered(internal(true), CLIENT, &silent), None);
    }
}
