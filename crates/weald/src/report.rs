//! What bringing a network up showed: the figures, and whether every promise was kept.

use base::{Duration, Instant};
use model::config::Role;
use model::plan::{LinkKind, Plan};
use serde::Serialize;
use twin::Progress;
use twin::survey::{CommunityTally, Extent, Survey, Tally};

use crate::network::Network;
use crate::screen::{number, seconds, wrapped};

/// How big a region is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Region {
    pub(crate) region: String,
    pub(crate) pops: usize,
    pub(crate) sites: usize,
    pub(crate) routers: usize,
    pub(crate) core_routers: usize,
    pub(crate) links: usize,
    pub(crate) core_links: usize,
    pub(crate) virtual_networks: usize,
    pub(crate) applications: usize,
    pub(crate) communities: usize,
}

impl Region {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut networks: Vec<&str> =
            plan.attachments.iter().map(|lan| lan.virtual_network.as_str()).collect();
        networks.sort_unstable();
        networks.dedup();
        Self {
            region: plan.region.clone(),
            pops: plan.pops.len(),
            sites: plan.sites.len(),
            routers: plan.routers.len(),
            core_routers: plan.routers.iter().filter(|r| r.role == Role::Core).count(),
            links: plan.links.len(),
            core_links: plan.links.iter().filter(|link| link.kind == LinkKind::Core).count(),
            virtual_networks: networks.len(),
            applications: plan.applications.len(),
            communities: plan.communities.len(),
        }
    }

    /// Two columns of figures.
    pub(crate) fn text(&self) -> String {
        let figures = [
            ("sites", self.sites, "virtual networks", self.virtual_networks),
            ("routers", self.routers, "of the core", self.core_routers),
            ("links", self.links, "of the core", self.core_links),
            ("communities", self.communities, "applications", self.applications),
        ];
        let mut text = String::new();
        for (left, left_value, right, right_value) in figures {
            let (l, r) = (number(left_value as u64), number(right_value as u64));
            text.push_str(&format!("  {left:<12} {l:>7}    {right:<17} {r:>7}\n"));
        }
        text
    }
}

/// How many should be up, and how many are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct UpAndExpected {
    pub(crate) expected: usize,
    pub(crate) up: usize,
}

impl UpAndExpected {
    /// Of figures that were counted at both ends: what is up at one end alone is not up.
    pub(crate) const fn of_ends((up, expected): (usize, usize)) -> Self {
        Self { expected: expected / 2, up: up / 2 }
    }

    pub(crate) fn text(self) -> String {
        format!("{} of {} up", number(self.up as u64), number(self.expected as u64))
    }
}

/// What was sent and what came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Pairs {
    same_network: Tally,
    community: CommunityTally,
    separate: Tally,
}

/// What bringing a network up showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) region: Region,
    /// Whether every promise was kept.
    pub(crate) kept: bool,
    adjacencies: UpAndExpected,
    sessions: UpAndExpected,
    pairs: Pairs,
    packets: u64,
    /// Packets that ran out of time to live: a loop.
    expired: u64,
    slowest_us: u64,
    /// None where the network did not converge.
    converged_at_s: Option<f64>,
    virtual_time_s: f64,
    pub(crate) wall_time_s: f64,
    compile_time_s: f64,
    peak_memory_mib: f64,
    seed: u64,
    trace_hash: String,
    events: u64,
    breaches: usize,
    how_tested: String,
    /// The first things that went wrong, in words.
    failures: Vec<String>,
}

/// How the figures came about; `extent` is none where nothing was tested.
fn how_tested(extent: Option<Extent>) -> String {
    let from_where = match extent {
        None => return "Nothing was tested: the network did not converge.".to_owned(),
        Some(Extent::Full) => "from every LAN to every other one".to_owned(),
        Some(Extent::OneIn(share)) => {
            format!("from LAN to LAN, for about one in {share} of all ordered pairs")
        }
    };
    format!(
        "Real packets, in IPv4 and in IPv6, were sent from hosts on the sites' LANs through the \
         routers' own forwarding: access rules, VRFs, label stacks, and the links with their rates \
         and delays. In each virtual network a datagram went {from_where}. From every LAN of every \
         member of a community, connections went to the first and last port of every range that \
         its applications publish, and had to be answered; the ports beside those ranges, the \
         other protocol and an echo request had to stay without effect. From every virtual network \
         packets went to every other one that no community joins it with, and none may arrive. \
         Every packet that came out anywhere, at any moment, was held against the promises."
    )
}

/// What a report is made of besides the network itself.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) converged: Option<Progress>,
    pub(crate) survey: &'a Survey,
    pub(crate) extent: Extent,
    /// What went wrong besides what the survey found.
    pub(crate) failures: Vec<String>,
    pub(crate) compile_time: Duration,
    pub(crate) wall_time: Duration,
}

impl Report {
    pub(crate) fn new(network: &Network, run: Run<'_>) -> Self {
        let progress = network.progress();
        let Run { converged, survey, extent, mut failures, compile_time, wall_time } = run;
        let kept = converged.is_some()
            && failures.is_empty()
            && survey.kept()
            && network.breaches().is_empty();
        failures.extend(survey.failures.iter().cloned());
        failures.extend(network.breaches().iter().map(|breach| format!("breach: {breach}")));
        let since_start = |at: Instant| at.since(Instant::ZERO).as_secs_f64();
        Self {
            region: Region::of(network.plan()),
            kept,
            adjacencies: UpAndExpected::of_ends(progress.adjacencies),
            sessions: UpAndExpected::of_ends(progress.sessions),
            pairs: Pairs {
                same_network: survey.same_network,
                community: survey.community,
                separate: survey.separate,
            },
            packets: survey.packets,
            expired: survey.expired,
            slowest_us: survey.slowest_us,
            converged_at_s: converged.map(|progress| since_start(progress.now)),
            virtual_time_s: since_start(network.now()),
            wall_time_s: wall_time.as_secs_f64(),
            compile_time_s: compile_time.as_secs_f64(),
            peak_memory_mib: peak_memory_mib().unwrap_or(0.0),
            seed: network.seed(),
            trace_hash: network.trace_hash(),
            events: network.happened(),
            breaches: network.breaches().len(),
            how_tested: how_tested(converged.and(Some(extent))),
            failures,
        }
    }

    /// One screen.
    pub(crate) fn text(&self) -> String {
        let verdict = if self.kept { "every promise is kept" } else { "promises are broken" };
        let mut text = format!("{}: {verdict}\n{}", self.region.region, self.region.text());
        text.push_str(&format!(
            "  adjacencies  {}\n  sessions     {}\n",
            self.adjacencies.text(),
            self.sessions.text()
        ));
        let Pairs { same_network, community, separate } = self.pairs;
        let figures = [
            ("within virtual networks", same_network.delivered, same_network.tested, ""),
            ("by communities", community.delivered, community.tested, ""),
            (
                "beside communities' ports",
                community.wrong_port_delivered,
                community.wrong_port_tested,
                ", none may arrive",
            ),
            ("between virtual networks", separate.delivered, separate.tested, ", none may arrive"),
        ];
        for (what, delivered, tested, rule) in figures {
            let (delivered, tested) = (number(delivered), number(tested));
            text.push_str(&format!("  {what:<26} {delivered:>9} of {tested:>9} arrived{rule}\n"));
        }
        for failure in &self.failures {
            text.push_str(&format!("  failure: {failure}\n"));
        }
        let time = |seconds_f64: f64| seconds(Duration::from_secs_f64(seconds_f64.max(0.0)));
        let converged = self
            .converged_at_s
            .map_or_else(|| "not converged".to_owned(), |at| format!("converged at {}", time(at)));
        text.push_str(&format!(
            "  {converged} of virtual time; {} of it took {} and {:.0} MiB\n",
            time(self.virtual_time_s),
            time(self.wall_time_s),
            self.peak_memory_mib,
        ));
        text.push_str(&format!(
            "  {} packets tested, {} events, seed {}, trace {}\n",
            number(self.packets),
            number(self.events),
            self.seed,
            self.trace_hash
        ));
        wrapped(&text)
    }
}

/// The most memory that this process has had, where the system tells it.
pub(crate) fn peak_memory_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"))?
        .parse()
        .ok()?;
    Some(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::{UpAndExpected, how_tested, peak_memory_mib};
    use twin::survey::Extent;

    #[test]
    fn what_is_up_at_one_end_alone_is_not_up() {
        let figures = UpAndExpected::of_ends((7, 8));
        assert_eq!(figures, UpAndExpected { expected: 4, up: 3 });
        assert_eq!(figures.text(), "3 of 4 up");
    }

    #[test]
    fn how_it_was_tested_says_how_much_was() {
        assert!(how_tested(None).starts_with("Nothing was tested"));
        assert!(how_tested(Some(Extent::Full)).contains("from every LAN to every other one"));
        assert!(how_tested(Some(Extent::OneIn(20))).contains("one in 20 of all ordered pairs"));
    }

    #[test]
    fn this_process_has_some_memory() {
        if cfg!(target_os = "linux") {
            assert!(peak_memory_mib().unwrap() > 1.0);
        }
    }
}
