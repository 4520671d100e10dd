//! Isolation, repairs and loads, in figures.

use core::cmp::Reverse;

use model::plan::{Link, Plan};
use proof::{Capacity, Excess, Isolation, LinkLoad, Repairs, Witness};

use super::map::bits;
use super::markup::Markup;
use super::table::{Cell, Table, verdict};
use crate::proving::capacity_figures;
use crate::screen::{count, number};

/// Links that are listed as the fullest.
const FULLEST_MAX: usize = 20;
/// Lines of a table of what is wrong: more would not be read.
const ROWS_MAX: usize = 500;

fn many(value: usize) -> String {
    number(value as u64)
}

pub(super) fn isolation(markup: &mut Markup, proved: &Isolation) {
    markup.leaf("h2", &[("id", "isolation")], "Isolation");
    let total = proved.violations_total;
    markup.element("p", &[], |markup| {
        let words = match total {
            0 => "No packet leaves its virtual network but as communities allow.".to_owned(),
            _ => format!("{} of isolation.", count(total, "violation", "violations")),
        };
        verdict(markup, total == 0, &words);
    });
    markup.paragraph(&format!(
        "On {} every entry of every virtual network's forwarding table was followed to its end: {} \
         routes and {} labels. Every end is in a virtual network that agreed to it, every label \
         means something where it leads, and access rules admit the published ports and no others. \
         {} promised destinations were looked up.",
        count(proved.routers, "router", "routers"),
        many(proved.entries),
        many(proved.labels),
        many(proved.promises),
    ));
    if total == 0 {
        return;
    }
    let shown = proved.violations.len().min(ROWS_MAX);
    let mut table = Table::new(
        "violations",
        format!("Violations, the first {} of {}", many(shown), many(total)),
        &["Router", "Entry", "Rule that is broken", "A packet that shows it"],
    );
    for one in proved.violations.iter().take(ROWS_MAX) {
        let packet = one.witness.as_ref().map_or_else(|| "none".to_owned(), packet);
        table.row([
            one.router.as_str().into(),
            one.place.to_string().into(),
            one.breach.to_string().into(),
            packet.into(),
        ]);
    }
    table.write(markup);
}

fn packet(witness: &Witness) -> String {
    let Witness { site, virtual_network, source, destination, protocol, port } = witness;
    let protocol = protocol.map_or_else(String::new, |number| format!(", protocol {number}"));
    let port = port.map_or_else(String::new, |number| format!(", port {number}"));
    format!("from {site} in {virtual_network}: {source} to {destination}{protocol}{port}")
}

pub(super) fn repairs(markup: &mut Markup, plan: &Plan, proved: &Repairs) {
    markup.leaf("h2", &[("id", "repairs")], "Repairs");
    markup.paragraph(&format!(
        "When a core link fails, routers send on by another way that they have installed \
         beforehand, before anybody else has noticed. Of {} over a core link, {} such a repair, {} \
         none although there is another way, and {} no other way at all.",
        count(proved.repairable() + proved.no_alternative, "way", "ways"),
        count(proved.protected, "has", "have"),
        count(proved.unprotected, "has", "have"),
        count(proved.no_alternative, "has", "have"),
    ));
    markup.element("p", &[], |markup| {
        let words = match proved.faulty {
            0 => "Every repair that is installed leads to its destination.".to_owned(),
            faulty => format!(
                "{} to its destination.",
                count(faulty, "repair does not lead", "repairs do not lead")
            ),
        };
        verdict(markup, proved.faulty == 0, &words);
    });
    let mut table = Table::new("faulty-repairs", "Faulty repairs", &["What is wrong"]);
    for fault in proved.faults.iter().take(ROWS_MAX) {
        table.row([fault.in_words(plan).into()]);
    }
    if !table.is_empty() {
        table.write(markup);
    }
}

pub(super) fn capacity(markup: &mut Markup, plan: &Plan, proved: &Capacity) {
    markup.leaf("h2", &[("id", "capacity")], "Capacity");
    if plan.demands.is_empty() {
        markup.paragraph("No demands are declared, so loads of links are not known.");
        return;
    }
    let figures = capacity_figures(proved);
    markup.element("p", &[], |markup| {
        let words = match figures.above_100 {
            0 => "No link is asked to carry more than its rate.".to_owned(),
            over => format!(
                "{} asked to carry more than the rate.",
                count(over, "link is", "links are")
            ),
        };
        verdict(markup, figures.above_100 == 0, &words);
    });
    let assumed = if proved.assumed { ", some of which are assumed and not measured," } else { "" };
    markup.paragraph(&format!(
        "{}{assumed} were routed normally and in each of {}. A link is counted once for each \
         direction.",
        count(plan.demands.len(), "demand", "demands"),
        count(proved.examined, "failure", "failures"),
    ));
    overloads(markup, plan, proved);
    classes(markup, plan, proved);
    fullest(markup, plan, proved);
}

fn overloads(markup: &mut Markup, plan: &Plan, proved: &Capacity) {
    let mut table = Table::new(
        "overloads",
        "Links above 75 % of their rate, above 100 %, and with more voice than its share",
        &["Link", "Towards", "Load", "Of", "When", "Verdict"],
    );
    for one in proved.overloads.iter().take(ROWS_MAX) {
        let (of, is_good, words) = match &one.excess {
            Excess::High => ("its rate".to_owned(), true, "above 75 %"),
            Excess::Rate => ("its rate".to_owned(), false, "above 100 %"),
            Excess::Share(class) => (format!("the share of {class}"), true, "above its share"),
        };
        let link = plan.links.get(one.link);
        table.row([
            link.map_or("", |link| &link.name).into(),
            receiver(link, one.from).into(),
            Cell::Number(format!("{} %", number(one.percent))),
            of.into(),
            when(plan, proved, one.failure).into(),
            if is_good { words.into() } else { Cell::Verdict(false, words.to_owned()) },
        ]);
    }
    if table.is_empty() {
        markup.paragraph("No link is loaded above 75 % of its rate in any of these states.");
    } else {
        table.write(markup);
    }
}

/// The router at the other end.
fn receiver(link: Option<&Link>, from: usize) -> &str {
    let end = link.and_then(|link| link.ends.get(1_usize.saturating_sub(from)));
    end.map_or("", |end| &end.router)
}

fn when(plan: &Plan, proved: &Capacity, failure: Option<usize>) -> String {
    let failure = failure.and_then(|place| proved.failures.get(place));
    failure.map_or_else(|| "normally".to_owned(), |one| format!("without {}", one.name(plan)))
}

/// Tenths of a per cent, as text.
fn percent(bps: u64, rate_bps: u64) -> String {
    let tenths = u128::from(bps) * 1000 / u128::from(rate_bps.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn classes(markup: &mut Markup, plan: &Plan, proved: &Capacity) {
    let mut table = Table::new(
        "classes",
        "Classes of service: guaranteed shares, and the most that any link carries of each",
        &["Class", "Guaranteed share", "Most, normally", "Most, in any failure", "On link", "When"],
    );
    for (place, class) in proved.classes.iter().enumerate() {
        let share = plan.classes.iter().find(|one| one.name == *class);
        let share =
            share.map_or_else(|| "none".to_owned(), |one| format!("{} %", one.share_percent));
        let part = |load: &LinkLoad, bps: u64| {
            u128::from(bps) * 1_000_000 / u128::from(load.rate_kbps.max(1))
        };
        let normal = |load: &&LinkLoad| load.normal.get(place).map_or(0, |bps| part(load, *bps));
        let peak = |load: &&LinkLoad| load.peaks.get(place).map_or(0, |peak| part(load, peak.bps));
        let (Some(usual), Some(worst)) =
            (proved.links.iter().max_by_key(normal), proved.links.iter().max_by_key(peak))
        else {
            continue;
        };
        let rate = |load: &LinkLoad| u64::from(load.rate_kbps) * 1000;
        let most = usual.normal.get(place).copied().unwrap_or(0);
        let Some(peak) = worst.peaks.get(place) else { continue };
        let is_used = peak.bps > 0;
        let on = plan.links.get(worst.link).map_or("", |link| &link.name);
        table.row([
            class.as_str().into(),
            Cell::Number(share),
            Cell::Number(percent(most, rate(usual))),
            Cell::Number(percent(peak.bps, rate(worst))),
            if is_used { on.into() } else { "no demand".into() },
            if is_used { when(plan, proved, peak.failure).into() } else { "".into() },
        ]);
    }
    table.write(markup);
}

fn fullest(markup: &mut Markup, plan: &Plan, proved: &Capacity) {
    let mut loads: Vec<&LinkLoad> = proved.links.iter().filter(|load| load.peak.bps > 0).collect();
    loads.sort_by_key(|load| {
        Reverse(u128::from(load.peak.bps) * 1_000_000 / u128::from(load.rate_kbps.max(1)))
    });
    let mut table = Table::new(
        "fullest",
        "The fullest links, by their load in the worst failure",
        &["Link", "Towards", "Rate", "Normally", "At worst", "When"],
    );
    for load in loads.into_iter().take(FULLEST_MAX) {
        let link = plan.links.get(load.link);
        let rate = u64::from(load.rate_kbps) * 1000;
        table.row([
            link.map_or("", |link| &link.name).into(),
            receiver(link, load.from).into(),
            Cell::Number(bits(load.rate_kbps)),
            Cell::Number(percent(load.normal_total(), rate)),
            Cell::Number(percent(load.peak.bps, rate)),
            when(plan, proved, load.peak.failure).into(),
        ]);
    }
    if !table.is_empty() {
        table.write(markup);
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn per_cents_have_one_decimal() {
        assert_eq!(percent(843, 1000), "84.3 %");
        assert_eq!(percent(1, 0), "100.0 %");
        assert_eq!(percent(u64::MAX, 1_000), format!("{}.{} %", u64::MAX / 10, u64::MAX % 10));
    }
}
