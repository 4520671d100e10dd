//! A region as large as asked, for measurements: counties like Sussex beside each other.
//!
//! The first county is examples/sussex; from 391 sites on it has the other real sites too, and
//! their organisations virtual networks. Further counties are copies under other names, with the
//! same addresses (virtual networks that no community joins may share them), joined by links between
//! their hospitals' points of presence. Two routers of the first county reflect for all.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use toml::{Table, Value};

use crate::workspace::Workspace;

const BASE: &str = "examples/sussex";
const MORE_SITES: &str = include_str!("../data/sussex-more-sites.csv");
/// Sites of the first county without the other ones: services name some of each organisation.
const WHOLE: usize = 390;
/// Counties in a row from west to east; the next ones lie north of them.
const ROW: usize = 10;
/// Degrees between counties: farther than Sussex is wide and high.
const EAST: f64 = 2.5;
const NORTH: f64 = 0.6;
/// The pools that are too small for more than a county.
const POOLS: [(&str, &str); 3] =
    [("core_links", "100.72.0.0/16"), ("uplinks", "100.80.0.0/12"), ("loopbacks", "100.64.0.0/20")];
/// Kinds of premises that only the other sites have, with the lines that they get.
const MORE_KINDS: [(&str, &str, Option<&str>); 2] =
    [("pharmacy", "fttc", None), ("independent_hospital", "ethernet-100", Some("fttc"))];
/// Which routers reflect, and where a county's links to the next ones begin and end.
const REFLECTORS: [&str; 2] = ["brighton", "crawley"];
const BETWEEN: [(usize, &str, &str); 3] =
    [(1, "brighton", "worthing"), (1, "crawley", "hastings"), (ROW, "crawley", "brighton")];

/// Writes the intent of a region with this many sites into a folder.
pub(crate) fn run(workspace: &Workspace, sites: usize, folder: &Path) -> anyhow::Result<()> {
    let read = |name: &str| workspace.read(&format!("{BASE}/{name}"));
    let rows = base_rows(&read("sites.csv")?, sites)?;
    // The last county may lack some of the other sites.
    let counties: Vec<&[Row]> = (0..sites)
        .step_by(rows.len().max(1))
        .map(|from| rows.get(..sites.saturating_sub(from)).unwrap_or(&rows))
        .collect();
    let last = counties.last().map_or(0, |rows| rows.len());
    if counties.len() > 1 && last < WHOLE {
        let before = sites - last;
        bail!(
            "the last county has {last} sites: ask for {before}, or for {} at least",
            before + WHOLE
        );
    }
    let network = network(&read("network.toml")?.parse()?, counties.len())?;
    let services = services(&read("services.toml")?.parse()?, &counties)?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("network.toml"), toml::to_string(&network)?)?;
    std::fs::write(folder.join("services.toml"), toml::to_string(&services)?)?;
    let mut csv = csv::Writer::from_path(folder.join("sites.csv"))?;
    csv.write_record(COLUMNS)?;
    for (county, rows) in counties.iter().enumerate() {
        for row in *rows {
            csv.write_record(row.in_county(county)?)?;
        }
    }
    csv.flush()?;
    Ok(())
}

const COLUMNS: [&str; 10] = [
    "ods_code",
    "name",
    "postcode",
    "lat",
    "lon",
    "kind",
    "organisation",
    "router",
    "backup",
    "pops",
];

/// A site of the first county, by column.
struct Row(BTreeMap<&'static str, String>);

impl Row {
    fn get(&self, column: &str) -> &str {
        self.0.get(column).map_or("", String::as_str)
    }

    fn in_county(&self, county: usize) -> anyhow::Result<Vec<String>> {
        let moved = |column: &str, by: f64| -> anyhow::Result<String> {
            Ok((self.get(column).parse::<f64>()? + by).to_string())
        };
        let (east, north) = place(county);
        COLUMNS
            .iter()
            .map(|column| match *column {
                "ods_code" | "router" => Ok(named(county, self.get(column))),
                "organisation" => Ok(owner(county, self.get(column))),
                "pops" => {
                    let pops = self.get(column).split(';').map(|pop| named(county, pop));
                    Ok(pops.collect::<Vec<_>>().join(";"))
                }
                "lat" => moved(column, north),
                "lon" => moved(column, east),
                _ => Ok(self.get(column).to_owned()),
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred counties at most")]
fn place(county: usize) -> (f64, f64) {
    ((county % ROW) as f64 * EAST, (county / ROW) as f64 * NORTH)
}

/// A name of the first county in another one.
fn named(county: usize, name: &str) -> String {
    if county == 0 || name.is_empty() { name.to_owned() } else { format!("c{county}-{name}") }
}

fn owner(county: usize, organisation: &str) -> String {
    if county == 0 { organisation.to_owned() } else { format!("{organisation} ({county})") }
}

fn base_rows(base: &str, sites: usize) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for text in [base, MORE_SITES] {
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let headers = reader.headers()?.clone();
        for record in reader.records() {
            let record = record?;
            let of = |column: &str| {
                let at = headers.iter().position(|header| header == column)?;
                record.get(at).map(str::to_owned)
            };
            let cells = COLUMNS.iter().map(|column| (*column, of(column).unwrap_or_default()));
            rows.push(Row(cells.collect()));
        }
        if rows.len() >= sites {
            break;
        }
    }
    Ok(rows)
}

/// The tables of an array, which may be missing.
fn tables<'t>(file: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> {
    file.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

fn text<'t>(table: &'t Table, key: &str) -> anyhow::Result<&'t str> {
    table.get(key).and_then(Value::as_str).with_context(|| format!("`{key}` is no text"))
}

/// The same names in another county.
fn names_in(county: usize, value: &Value) -> Value {
    let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| Value::from(named(county, name))).collect::<Vec<_>>().into()
}

fn network(base: &Table, counties: usize) -> anyhow::Result<Table> {
    let mut network = base.clone();
    let pools = network.get_mut("pools").and_then(Value::as_table_mut).context("no pools")?;
    for (pool, prefix) in POOLS.iter().filter(|_| counties > 1) {
        pools.insert((*pool).to_owned(), (*prefix).into());
    }
    let kinds = network.get_mut("kind").and_then(Value::as_table_mut).context("no kinds")?;
    for (kind, access, backup) in MORE_KINDS {
        let mut table = Table::from_iter([("access".to_owned(), Value::from(access))]);
        table.extend(backup.map(|backup| ("backup".to_owned(), Value::from(backup))));
        kinds.insert(kind.to_owned(), table.into());
    }
    let (mut pops, mut links) = (Vec::new(), Vec::new());
    for county in 0..counties {
        for pop in tables(base, "pop") {
            pops.push(Value::Table(pop_in(county, pop, counties > 1)?));
        }
        for link in tables(base, "link") {
            links.push(Value::Table(link_in(county, link)));
        }
        for (step, from, to) in BETWEEN.iter().filter(|(step, ..)| county + step < counties) {
            let ends = vec![Value::from(named(county, from)), named(county + step, to).into()];
            let link = [("between", Value::from(ends)), ("rate_mbps", Value::from(10_000))];
            let link = link.map(|(key, value)| (key.to_owned(), value));
            links.push(Value::Table(Table::from_iter(link)));
        }
    }
    network.insert("pop".to_owned(), pops.into());
    network.insert("link".to_owned(), links.into());
    Ok(network)
}

fn pop_in(county: usize, pop: &Table, several: bool) -> anyhow::Result<Table> {
    let name = text(pop, "name")?;
    let mut moved = pop.clone();
    moved.insert("name".to_owned(), named(county, name).into());
    let (east, north) = place(county);
    for (key, by) in [("latitude", north), ("longitude", east)] {
        let at = pop.get(key).and_then(Value::as_float).context("a point without a place")?;
        moved.insert(key.to_owned(), (at + by).into());
    }
    if several {
        moved.remove("reflector");
        if county == 0 && REFLECTORS.contains(&name) {
            moved.insert("reflector".to_owned(), true.into());
        }
    }
    Ok(moved)
}

fn link_in(county: usize, link: &Table) -> Table {
    let mut moved = link.clone();
    for key in ["between", "shared_risks"] {
        if let Some(names) = link.get(key) {
            moved.insert(key.to_owned(), names_in(county, names));
        }
    }
    moved
}

fn services(base: &Table, counties: &[&[Row]]) -> anyhow::Result<Table> {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (county, rows) in counties.iter().enumerate() {
        for kind in ["virtual_network", "application", "community", "demand"] {
            let of_kind = tables(base, kind).map(|table| Value::Table(service_in(county, table)));
            all.entry(kind).or_default().extend(of_kind);
        }
        let networks = all.entry("virtual_network").or_default();
        networks.extend(more_networks(base, rows, county)?);
    }
    if tables(base, "attached_router").next().is_some() {
        bail!("{BASE} has attached routers now: say here how they are copied");
    }
    all.retain(|_, tables| !tables.is_empty());
    Ok(all.into_iter().map(|(kind, tables)| (kind.to_owned(), Value::Array(tables))).collect())
}

/// Virtual networks of the organisations that the base has none for.
fn more_networks(base: &Table, rows: &[Row], county: usize) -> anyhow::Result<Vec<Value>> {
    let mut known = Vec::new();
    for network in tables(base, "virtual_network") {
        known.push(text(network, "organisation")?.to_owned());
    }
    let mut networks = Vec::new();
    for row in rows {
        let organisation = row.get("organisation");
        if known.iter().any(|other| other == organisation) {
            continue;
        }
        known.push(organisation.to_owned());
        let name = named(county, &format!("more-{}", networks.len()));
        let addresses = Value::from(vec![Value::from("10.200.0.0/16")]);
        let table = [
            ("name", name.into()),
            ("organisation", owner(county, organisation).into()),
            ("addresses", addresses),
            ("sites", Value::from("all")),
        ];
        let table = table.map(|(key, value): (&str, Value)| (key.to_owned(), value));
        networks.push(Value::Table(Table::from_iter(table)));
    }
    Ok(networks)
}

fn service_in(county: usize, service: &Table) -> Table {
    let one = |(key, value): (&String, &Value)| {
        let value = match (key.as_str(), value) {
            ("name" | "virtual_network" | "site" | "application", Value::String(name)) => {
                named(county, name).into()
            }
            ("organisation", Value::String(name)) => owner(county, name).into(),
            ("applications" | "members" | "sites", Value::Array(_)) => names_in(county, value),
            ("consents", Value::Table(consents)) => {
                let consents = consents.iter();
                let consents = consents.map(|(who, when)| (owner(county, who), when.clone()));
                Value::Table(consents.collect())
            }
            _ => value.clone(),
        };
        (key.clone(), value)
    };
    service.iter().map(one).collect()
}
