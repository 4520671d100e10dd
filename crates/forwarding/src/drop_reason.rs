//! Why a packet was not forwarded: one reason for each rule that says no.

use core::fmt;

macro_rules! drop_reasons {
    ($($name:ident = $text:literal,)+) => {
        /// Why a packet was not forwarded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DropReason {
            $(#[doc = concat!("The packet: ", $text, ".")] $name,)+
        }

        impl DropReason {
            /// Every reason, in order.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// The number of reasons.
            pub const COUNT: usize = Self::ALL.len();

            /// The reason's name in counters, the same for ever.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }

        impl fmt::Display for DropReason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$name => $text),+ })
            }
        }
    };
}

drop_reasons! {
    UnknownPort = "arrived on a port that is not configured",
    MalformedFrame = "link header cannot be read",
    NotAddressedToUs = "link header names another station",
    UnknownProtocol = "protocol is not spoken on any port",
    IsoNotAllowed = "is-is came from outside the core",
    MplsNotAllowed = "label came from an attachment",
    MalformedPacket = "ip header cannot be read",
    MalformedStack = "label stack ends before its bottom",
    StackTooDeep = "label stack is deeper than the limit",
    LabelNotAdvertised = "label was not advertised on this port",
    ReservedLabel = "reserved label that is not understood",
    RouterAlertLabel = "router alert label, which nobody here reads",
    LabelBeneathService = "another label hides beneath a service label",
    TtlExpired = "time to live ran out",
    SpoofedSource = "source address does not belong to the attachment",
    InvalidAddress = "source or destination address cannot be anybody's",
    Multicast = "multicast or broadcast, which never leaves its link",
    LinkLocal = "link-local address, which is never routed",
    NotOnLink = "neighbour discovery from beyond the link",
    UplinkTransit = "ip on an uplink that is not for the uplink itself",
    UnknownVrf = "vrf does not exist",
    NoRoute = "no route to the destination",
    NoUsablePath = "every path to the destination is down",
    PortDown = "port towards the destination is down",
    Hairpin = "came by label and its route leads back into the core",
    AccessNoRule = "no community joins these addresses",
    AccessNotPermitted = "community does not offer this protocol and port in this direction",
    AccessFragment = "later fragment between communities, which carries no ports",
    AccessUnreadable = "ports cannot be read between communities",
    AccessSourceRoute = "source route between communities",
    MtuExceeded = "longer than the link and must not be fragmented",
    NoListener = "for this router itself, which does not listen there",
    EchoLimited = "too many echo requests to the router itself from this port",
    PuntLimited = "too many packets for the router itself from this port",
    OwnDestination = "sent by this router to itself",
}
