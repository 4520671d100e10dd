//! Proofs of regions of several sizes: the county, the county with all its known sites, and copies
//! of it beside each other.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::grow;
use crate::workspace::{Workspace, stdout};

/// How many sites, and how long it may take in milliseconds, where there is a limit.
const SIZES: [(usize, Option<f64>); 4] =
    [(390, Some(100.0)), (1_283, None), (10_000, Some(1_000.0)), (100_000, Some(10_000.0))];
/// A day on which no community of the example has expired.
const DATE: &str = "2026-06-01";
/// What is worth a figure: key, and where it is in the report.
const PARTS: [(&str, &str); 6] = [
    ("entries", "/isolation/entries"),
    ("labels", "/isolation/labels"),
    ("tables_ms", "/times/tables_ms"),
    ("isolation_ms", "/times/isolation_ms"),
    ("survival_ms", "/times/survival_ms"),
    ("peak_memory_mib", "/peak_memory_mib"),
];

/// The figures, size by size.
pub(super) const FIGURES: [(&str, &str); 31] = [
    ("390_entries", ""),
    ("390_labels", ""),
    ("390_tables_ms", "ms"),
    ("390_isolation_ms", "ms"),
    ("390_survival_ms", "ms"),
    ("390_peak_memory_mib", "MiB"),
    ("390_all_ms", "ms"),
    ("390_of_limit", ""),
    ("1283_entries", ""),
    ("1283_labels", ""),
    ("1283_tables_ms", "ms"),
    ("1283_isolation_ms", "ms"),
    ("1283_survival_ms", "ms"),
    ("1283_peak_memory_mib", "MiB"),
    ("1283_all_ms", "ms"),
    ("10000_entries", ""),
    ("10000_labels", ""),
    ("10000_tables_ms", "ms"),
    ("10000_isolation_ms", "ms"),
    ("10000_survival_ms", "ms"),
    ("10000_peak_memory_mib", "MiB"),
    ("10000_all_ms", "ms"),
    ("10000_of_limit", ""),
    ("100000_entries", ""),
    ("100000_labels", ""),
    ("100000_tables_ms", "ms"),
    ("100000_isolation_ms", "ms"),
    ("100000_survival_ms", "ms"),
    ("100000_peak_memory_mib", "MiB"),
    ("100000_all_ms", "ms"),
    ("100000_of_limit", ""),
];

/// Proves each region once.
pub(super) fn run(workspace: &Workspace, program: &Path) -> anyhow::Result<Value> {
    let mut figures = Map::new();
    for (sites, limit_ms) in SIZES {
        let target = workspace.metadata(false)?.target_directory;
        let folder = target.join(format!("bench/region-{sites}"));
        grow::run(workspace, sites, &folder)?;
        let mut command = workspace.command(program);
        command.arg("prove").arg(&folder).args(["--quick", "--json", "--date", DATE]);
        let report: Value =
            serde_json::from_str(&stdout(command)?).context("the report is not JSON")?;
        let mut all_ms = 0.0;
        for (key, pointer) in PARTS {
            let value = report.pointer(pointer).and_then(Value::as_f64);
            let value = value.with_context(|| format!("`{pointer}` is missing from the report"))?;
            if key.ends_with("_ms") {
                all_ms += value;
            }
            figures.insert(format!("{sites}_{key}"), value.into());
        }
        figures.insert(format!("{sites}_all_ms"), all_ms.into());
        if let Some(limit_ms) = limit_ms {
            figures.insert(format!("{sites}_of_limit"), (all_ms / limit_ms).into());
        }
    }
    Ok(figures.into())
}
