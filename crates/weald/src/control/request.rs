//! What a running network can be asked, as it is typed and as it is sent: `weald status lewes-1` is
//! `{"do":"status","name":"lewes-1"}`.

use core::fmt;
use core::str::FromStr;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Request {
    /// The running network at a glance, or one part of it
    #[command(after_help = "\
Examples:
  weald status
  weald status lewes-1
  weald status H1")]
    Status(Status),
    /// Send packets from a site to a site, an application or an address
    #[command(after_help = "\
Sites are asked by ICMP echo, applications by a connection to their first published port. In a lab
the site's router asks, by ICMP echo alone, and a core router asks another one. At a router's own
socket that router asks, in its virtual network or, on a core router, in the region.

Examples:
  weald ping G1 records
  weald ping G1 G2 --v6 --count 3
  weald ping G1 H1 --port tcp/22
  weald ping lewes-1 brighton-1                         (in a lab)
  weald ping site-h1 10.1.2.1 --socket /run/weald/weald-site-h1.sock")]
    Ping(Ping),
    /// Follow a packet and its answer, router by router and label by label
    #[command(after_help = "\
In a lab and at a router's own socket that is the way there, as routers answer whose time to live a
packet runs out of, with the labels that they saw.

Examples:
  weald trace G1 records
  weald trace site-h1 10.1.2.1 --socket /run/weald/weald-site-h1.sock")]
    Trace(Trace),
    /// Show a router's tables, and why each path is used or not
    #[command(subcommand, after_help = "Example:\n  weald show routes H1 --prefix 10.2.0.0/16")]
    Show(Show),
    /// Cut a link, or take the power of a router or of a whole point of presence
    #[command(after_help = "\
Examples:
  weald cut brighton-1--lewes-1
  weald cut brighton-1--lewes-1 --silent
  weald cut pop:brighton")]
    Cut(Cut),
    /// Mend what was cut
    #[command(after_help = "\
Examples:
  weald mend brighton-1--lewes-1
  weald mend --all")]
    Mend(Mend),
    /// Where a site's LAN is on this machine, for programs that are to be run on it
    #[command(after_help = "\
Examples:
  weald lan H1
  nsenter --net=$(weald lan H1 --json | jq -r .namespace) ip address")]
    Lan(Lan),
    /// A router's figures for Prometheus
    #[command(after_help = "Example:\n  weald metrics --socket /run/weald/weald-lewes-1.sock")]
    Metrics,
    /// Stop the running network
    #[command(after_help = "Example:\n  weald down")]
    Down,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    /// A router, a site, a link, a virtual network or `pop:NAME`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Packets from somewhere to somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
pub(crate) struct Probe {
    /// The code of the site that sends, or the name of a router
    pub(crate) from: String,
    /// The code of a site, the name of an application, or an address
    pub(crate) to: String,
    /// The virtual network that the sender is in, where it has several
    #[arg(long, value_name = "VN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
    /// Use IPv6
    #[arg(long)]
    #[serde(default)]
    pub(crate) v6: bool,
    /// Try this protocol and port
    #[arg(long, value_name = "tcp/443")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<Service>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trace {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) probe: Probe,
}

/// Packets, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ping {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) probe: Probe,
    /// How many packets to send
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX)
    )]
    #[serde(default = "one")]
    pub(crate) count: u32,
}

/// The most packets of one request: each may take two seconds.
pub(crate) const COUNT_MAX: i64 = 100;

const fn one() -> u32 {
    1
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Subcommand)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Show {
    /// Routes of a router's VRFs, each with all paths and why they are used or not
    #[command(after_help = "\
Examples:
  weald show routes H1
  weald show routes H1 --vrf practices --prefix 10.2.0.0/24")]
    Routes(Routes),
    /// Routes of the region's own addresses
    #[command(after_help = "Example:\n  weald show global lewes-1")]
    Global(Named),
    /// What a router does with each label
    #[command(after_help = "Example:\n  weald show labels lewes-1")]
    Labels(Named),
    /// Forwarding tables in full, as data: a router's, or those of all
    #[command(after_help = "\
Examples:
  weald show tables lewes-1 --json
  weald show tables --json")]
    Tables(OneOrAll),
    /// The plan that runs, as data, without the region's keys
    #[command(after_help = "Example:\n  weald show plan --json")]
    Plan,
    /// A router's adjacencies and sessions
    #[command(after_help = "Example:\n  weald show neighbours lewes-1")]
    Neighbours(Named),
    /// What happened lately
    #[command(after_help = "\
Examples:
  weald show events
  weald show events lewes-1")]
    Events(OneOrAll),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Routes {
    /// A router, or the code of a site for its router
    pub(crate) router: String,
    /// One VRF only
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vrf: Option<String>,
    /// Routes for this address or prefix only
    #[arg(long)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// A router, or the code of a site for its router
    pub(crate) router: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneOrAll {
    /// A router, or the code of a site for its router [default: all of them]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) router: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cut {
    /// A link, a router, the code of a site for its router, or `pop:NAME`
    pub(crate) name: String,
    /// The link swallows everything and its ports do not notice
    #[arg(long)]
    #[serde(default)]
    pub(crate) silent: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
#[group(required = true, multiple = false)]
pub(crate) struct Mend {
    /// A link, a router, the code of a site for its router, or `pop:NAME`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Everything that was cut
    #[arg(long)]
    #[serde(default)]
    pub(crate) all: bool,
}

/// A LAN of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lan {
    /// The code of a site
    pub(crate) site: String,
    /// The virtual network, where the site has several
    #[arg(long, value_name = "VN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
}

/// A protocol and a port: `tcp/443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    /// IP protocol number.
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

/// IP protocol number of TCP.
pub(crate) const TCP: u8 = 6;
/// IP protocol number of UDP.
pub(crate) const UDP: u8 = 17;

/// Why a text is not a protocol and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParseServiceError;

impl fmt::Display for ParseServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a protocol and a port as `tcp/443` or `udp/53`")
    }
}

impl core::error::Error for ParseServiceError {}

impl FromStr for Service {
    type Err = ParseServiceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (protocol, port) = text.split_once('/').ok_or(ParseServiceError)?;
        let protocol = match protocol {
            "tcp" => TCP,
            "udp" => UDP,
            _ => return Err(ParseServiceError),
        };
        let port = port.parse().map_err(|_| ParseServiceError)?;
        Ok(Self { protocol, port })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", protocol_name(self.protocol), self.port)
    }
}

/// The name of an IP protocol.
pub(crate) const fn protocol_name(protocol: u8) -> &'static str {
    match protocol {
        TCP => "tcp",
        UDP => "udp",
        _ => "icmp",
    }
}

impl Serialize for Service {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{OneOrAll, Ping, Probe, Request, Service, Show, Status};

    #[test]
    fn requests_are_one_flat_object() {
        let status = Request::Status(Status { name: Some("lewes-1".to_owned()) });
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(text, r#"{"do":"status","name":"lewes-1"}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), status);
        let events = Request::Show(Show::Events(OneOrAll { router: None }));
        let text = serde_json::to_string(&events).unwrap();
        assert_eq!(text, r#"{"do":"show","what":"events"}"#);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), events);
        let down = serde_json::from_str::<Request>(r#"{"do":"down"}"#).unwrap();
        assert_eq!(down, Request::Down);
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let request = r#"{"do":"ping","from":"G1","to":"records","port":"tcp/443"}"#;
        let Request::Ping(ping) = serde_json::from_str(request).unwrap() else { panic!() };
        let port = Some(Service { protocol: 6, port: 443 });
        let (from, to) = ("G1".to_owned(), "records".to_owned());
        let probe = Probe { from, to, network: None, v6: false, port };
        assert_eq!(ping, Ping { probe, count: 1 });
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for text in [
            "",
            "{}",
            r#"{"do":"dance"}"#,
            r#"{"do":"status","nam":"x"}"#,
            r#"{"do":"ping","from":"G1","to":"G2","port":"icmp/1"}"#,
            r#"{"do":"ping","from":"G1","to":"G2","cuont":1}"#,
            r#"{"do":"trace","from":"G1","to":"G2","count":1}"#,
            r#"{"do":"show","what":"events","name":"lewes-1"}"#,
        ] {
            assert!(serde_json::from_str::<Request>(text).is_err(), "{text}");
        }
    }
}
