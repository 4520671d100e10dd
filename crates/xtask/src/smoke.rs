//! The reference network, brought up once: everything allowed is delivered, nothing else is.

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::workspace::{Workspace, stdout};

/// The network that is brought up, and how.
pub(crate) const UP: [&str; 4] = ["up", "examples/sussex", "--once", "--json"];

/// Brings the network up and reads its report.
pub(crate) fn run(workspace: &Workspace) -> anyhow::Result<()> {
    let mut command = workspace.cargo();
    command.args(["run", "--quiet", "--release", "--"]).args(UP);
    let report = stdout(command)?;
    let report = serde_json::from_str(&report).context("the report is not JSON")?;
    let problems = problems(&report);
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("the network does not keep its promises");
    }
    Ok(())
}

/// The number named `key`, in the object named `group` where one is given, at any depth: the report
/// may grow around what is read here.
pub(crate) fn number(report: &Value, group: Option<&str>, key: &str) -> Option<f64> {
    let found = match group {
        Some(group) => find(report, group)?.get(key)?,
        None => find(report, key)?,
    };
    found.as_f64()
}

fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            fields.get(key).or_else(|| fields.values().find_map(|inner| find(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What in a report is not as promised.
fn problems(report: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let mut count = |group: Option<&str>, key: &str| {
        let found = number(report, group, key);
        if found.is_none() {
            let group = group.map_or(String::new(), |group| format!("{group}."));
            problems.push(format!("`{group}{key}` is missing from the report"));
        }
        found.unwrap_or(f64::NAN)
    };
    let same = (count(Some("same_network"), "tested"), count(Some("same_network"), "delivered"));
    let community = (count(Some("community"), "tested"), count(Some("community"), "delivered"));
    let separate = (count(Some("separate"), "tested"), count(Some("separate"), "delivered"));
    let wrong_port = (count(None, "wrong_port_tested"), count(None, "wrong_port_delivered"));
    if !problems.is_empty() {
        return problems;
    }
    for (what, (tested, delivered)) in [("same_network", same), ("community", community)] {
        if tested == 0.0 || tested != delivered {
            problems.push(format!("`{what}`: {delivered} of {tested} pairs delivered"));
        }
    }
    if separate.0 == 0.0 || separate.1 != 0.0 {
        problems.push(format!("`separate`: {} of {} pairs delivered", separate.1, separate.0));
    }
    if wrong_port.0 == 0.0 || wrong_port.1 != 0.0 {
        let (tested, delivered) = wrong_port;
        problems.push(format!("ports not published: {delivered} of {tested} packets delivered"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::problems;
    use serde_json::{Value, json};

    fn report(same: [u64; 2], community: [u64; 4], separate: [u64; 2]) -> Value {
        json!({ "pairs": {
            "same_network": { "tested": same[0], "delivered": same[1] },
            "community": {
                "tested": community[0],
                "delivered": community[1],
                "wrong_port_tested": community[2],
                "wrong_port_delivered": community[3],
            },
            "separate": { "tested": separate[0], "delivered": separate[1] },
        }})
    }

    #[test]
    fn a_network_that_keeps_its_promises_passes() {
        assert_eq!(problems(&report([9, 9], [4, 4, 5, 0], [7, 0])), [""; 0]);
    }

    #[test]
    fn each_broken_promise_is_found() {
        let broken = [
            report([0, 0], [4, 4, 5, 0], [7, 0]),
            report([9, 8], [4, 4, 5, 0], [7, 0]),
            report([9, 9], [0, 0, 5, 0], [7, 0]),
            report([9, 9], [4, 3, 5, 0], [7, 0]),
            report([9, 9], [4, 4, 5, 1], [7, 0]),
            report([9, 9], [4, 4, 0, 0], [7, 0]),
            report([9, 9], [4, 4, 5, 0], [0, 0]),
            report([9, 9], [4, 4, 5, 0], [7, 1]),
        ];
        for report in broken {
            assert_eq!(problems(&report).len(), 1, "{report}");
        }
    }

    #[test]
    fn a_report_without_the_figures_is_no_pass() {
        assert_eq!(problems(&json!({})).len(), 8);
    }
}
