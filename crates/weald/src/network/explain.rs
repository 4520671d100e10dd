//! Why a packet may not pass, in the words of the plan's promises.

use core::net::IpAddr;

use model::plan::{Application, Listen, Plan};

use crate::control::request::protocol_name;

/// What a packet asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted<'a> {
    /// The virtual network that it is sent from.
    pub(crate) network: &'a str,
    /// The virtual network it is sent to, as far as that is known.
    pub(crate) to_network: Option<&'a str>,
    pub(crate) destination: IpAddr,
    /// IP protocol number.
    pub(crate) protocol: u8,
    pub(crate) port: u16,
}

/// Why no promise lets the packet pass; none where one does.
pub(crate) fn refusal(plan: &Plan, wanted: &Wanted<'_>) -> Option<String> {
    if wanted.to_network == Some(wanted.network) {
        return None;
    }
    let shared: Vec<(&str, &Application)> = plan
        .communities
        .iter()
        .filter(|community| community.members.iter().any(|member| member == wanted.network))
        .flat_map(|community| {
            let of_community = |application: &&Application| {
                community.applications.contains(&application.name)
                    && wanted.to_network.is_none_or(|to| application.virtual_network == to)
            };
            let applications = plan.applications.iter().filter(of_community);
            applications.map(|application| (community.name.as_str(), application))
        })
        .collect();
    let (from, at) = (wanted.network, wanted.destination);
    if shared.is_empty() {
        let to = wanted.to_network.map_or_else(|| at.to_string(), |network| format!("`{network}`"));
        return Some(format!("no community joins `{from}` and {to}"));
    }
    let there: Vec<_> =
        shared.iter().filter(|(_, application)| application.addresses.contains(&at)).collect();
    if there.is_empty() {
        let offered: Vec<_> = shared.iter().map(|(_, one)| format!("`{}`", one.name)).collect();
        return Some(format!(
            "a community lets `{from}` reach {}, and {at} is none of them",
            offered.join(", ")
        ));
    }
    let fits = |listen: &Listen| {
        listen.protocol == wanted.protocol
            && (listen.port_first..=listen.port_last).contains(&wanted.port)
    };
    if there.iter().any(|(_, application)| application.listens.iter().any(fits)) {
        return None;
    }
    let offers: Vec<_> = there
        .iter()
        .map(|(community, application)| {
            format!(
                "community `{community}` offers {} of `{}`",
                listens(&application.listens),
                application.name
            )
        })
        .collect();
    Some(format!("{} only", offers.join(", ")))
}

/// What an application listens on: `tcp/443, tcp/33962-33964`.
pub(crate) fn listens(listens: &[Listen]) -> String {
    let one = |listen: &Listen| {
        let Listen { protocol, port_first, port_last } = *listen;
        let name = protocol_name(protocol);
        if port_first == port_last {
            format!("{name}/{port_first}")
        } else {
            format!("{name}/{port_first}-{port_last}")
        }
    };
    listens.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Wanted, refusal};
    use core::net::IpAddr;
    use model::plan::{Application, Community, Listen, Plan};

    fn plan() -> Plan {
        let records = Application {
            name: "records".to_owned(),
            virtual_network: "hospitals".to_owned(),
            site: "H1".to_owned(),
            addresses: vec![IpAddr::from([10, 1, 0, 10])],
            listens: vec![
                Listen { protocol: 6, port_first: 443, port_last: 443 },
                Listen { protocol: 6, port_first: 33_962, port_last: 33_964 },
            ],
        };
        let community = Community {
            name: "shared-records".to_owned(),
            purpose: String::new(),
            applications: vec!["records".to_owned()],
            members: vec!["practices".to_owned()],
            expires: None,
        };
        Plan {
            region: "test".to_owned(),
            generation: 1,
            pops: Vec::new(),
            routers: Vec::new(),
            links: Vec::new(),
            sites: Vec::new(),
            virtual_networks: Vec::new(),
            attachments: Vec::new(),
            applications: vec![records],
            communities: vec![community],
            classes: Vec::new(),
            demands: Vec::new(),
        }
    }

    #[test]
    fn every_refusal_says_what_is_missing() {
        let cases = [
            ("practices", Some("hospitals"), 10, 443, None),
            ("practices", Some("practices"), 77, 22, None),
            (
                "practices",
                Some("hospitals"),
                10,
                22,
                Some(
                    "community `shared-records` offers tcp/443, tcp/33962-33964 of `records` only",
                ),
            ),
            (
                "practices",
                Some("hospitals"),
                77,
                443,
                Some("a community lets `practices` reach `records`, and 10.1.0.77 is none of them"),
            ),
            (
                "councils",
                Some("hospitals"),
                10,
                443,
                Some("no community joins `councils` and `hospitals`"),
            ),
            (
                "hospitals",
                Some("practices"),
                10,
                443,
                Some("no community joins `hospitals` and `practices`"),
            ),
            ("councils", None, 10, 443, Some("no community joins `councils` and 10.1.0.10")),
        ];
        for (network, to_network, host, port, expected) in cases {
            let destination = IpAddr::from([10, 1, 0, host]);
            let wanted = Wanted { network, to_network, destination, protocol: 6, port };
            assert_eq!(refusal(&plan(), &wanted).as_deref(), expected, "{network} {host} {port}");
        }
    }
}
