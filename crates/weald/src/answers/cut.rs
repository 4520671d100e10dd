//! `weald cut` and `weald mend`: what was done, how long the network took over it, and whom it
//! affects.

use base::Duration;
use serde::Serialize;
use twin::fault::Fault;

use crate::control::request::Mend;
use crate::control::response::Answer;
use crate::failure::Failure;
use crate::network::Network;
use crate::network::faults::InForce;
use crate::network::reach::{Affected, Standing};
use crate::screen::{Table, count, list, seconds};

#[derive(Debug, Serialize)]
struct Done {
    /// In words.
    done: Vec<String>,
    /// Virtual seconds until everything that can be up was up and nothing had moved for a while;
    /// none where something still moves.
    converged_after_s: Option<f64>,
    /// Virtual seconds until a table changed for the last time.
    last_change_after_s: Option<f64>,
    /// Why the network counts as not converged.
    not_converged: Option<String>,
    /// Sites that are not connected any more.
    cut_off: Vec<Affected>,
    /// Codes of the sites that are connected over one uplink less.
    one_uplink_less: Vec<String>,
    /// Every fault that is in force now.
    in_force: Vec<InForce>,
}

/// Cuts what `name` means.
pub(crate) fn cut(network: &mut Network, name: &str, silent: bool) -> Result<Answer, Failure> {
    let faults = network.cuts(name, silent)?;
    strike(network, faults, "already cut")
}

/// Mends what `name` means, or everything.
pub(crate) fn mend(network: &mut Network, mend: &Mend) -> Result<Answer, Failure> {
    let faults = match (&mend.name, mend.all) {
        (Some(name), false) => network.mends(name)?,
        (None, true) => network.mends_of_all(),
        (Some(_), true) | (None, false) => {
            return Err(Failure::input("either a name or `all` is needed")
                .hint("`weald mend --all` mends everything"));
        }
    };
    strike(network, faults, "nothing to mend")
}

fn strike(network: &mut Network, faults: Vec<Fault>, idle: &str) -> Result<Answer, Failure> {
    let start = network.now();
    let mut done = Vec::new();
    for fault in faults.into_iter().filter(|&fault| !network.is_in_force(fault)).collect::<Vec<_>>()
    {
        done.push(network.describe(fault));
        network.strike(fault)?;
    }
    let converged = if done.is_empty() { None } else { Some(network.converge(&mut |_| {})) };
    network.take_events();
    let (converged, not_converged) = match converged {
        Some(Ok(progress)) => (Some(progress), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let after = |progress: twin::Progress| progress.now.since(start);
    let converged_after_s = converged.map(|progress| after(progress).as_secs_f64());
    let last_change_after_s =
        converged.map(|progress| after(progress).saturating_sub(progress.quiet).as_secs_f64());
    let affected = network.reach().affected(network.plan());
    let one_uplink_less = affected.iter().filter(|site| site.standing == Standing::OneUplinkLess);
    let one_uplink_less = one_uplink_less.map(|site| site.code.clone()).collect();
    let cut_off = affected.into_iter().filter(|site| !site.standing.is_connected()).collect();
    let in_force = network.faults();
    let good = not_converged.is_none();
    let done = Done {
        done,
        converged_after_s,
        last_change_after_s,
        not_converged,
        cut_off,
        one_uplink_less,
        in_force,
    };
    Ok(Answer::new(&done, text(&done, idle)).judged(good))
}

fn text(done: &Done, idle: &str) -> String {
    let mut text = String::new();
    if done.done.is_empty() {
        text.push_str(idle);
        text.push('\n');
    }
    for line in &done.done {
        text.push_str(line);
        text.push('\n');
    }
    if let Some((converged, last)) = done.converged_after_s.zip(done.last_change_after_s) {
        let [converged, last] = [converged, last].map(|s| seconds(Duration::from_secs_f64(s)));
        text.push_str(&format!(
            "last change of a table after {last}, converged after {converged} of virtual time\n"
        ));
    }
    if let Some(why) = &done.not_converged {
        text.push_str(&format!("{why}\n"));
    }
    text.push_str(&affected(&done.cut_off, &done.one_uplink_less));
    text
}

/// Whom the faults in force affect, in words.
pub(crate) fn affected(cut_off: &[Affected], one_uplink_less: &[String]) -> String {
    let mut text = String::new();
    if cut_off.is_empty() {
        text.push_str("no site is cut off\n");
    } else {
        text.push_str(&format!("{} cut off:\n", count(cut_off.len(), "site is", "sites are")));
        let mut table = Table::of_words(&["site", "name", "organisation", "why"]);
        for site in cut_off {
            table.row([
                site.code.clone(),
                site.name.clone(),
                site.organisation.clone(),
                site.standing.words().to_owned(),
            ]);
        }
        text.push_str(&table.text());
    }
    if !one_uplink_less.is_empty() {
        text.push_str(&format!(
            "{} connected over one uplink less: {}\n",
            count(one_uplink_less.len(), "site is", "sites are"),
            list(one_uplink_less)
        ));
    }
    text
}
