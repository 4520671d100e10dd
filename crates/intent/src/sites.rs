//! `sites.csv`: one row per site, with the columns of the public registers that such lists come
//! from, so that a spreadsheet can edit it.
//!
//! Every line is a row of its own: a line break inside quotes is not allowed, so that one forgotten
//! quote spoils one row and not the rest of the file. Lines that start with `#`, empty lines and
//! rows of nothing but separators are skipped.

use std::collections::BTreeMap;

use crate::intent::router_name;
use crate::names::{Named, check_code, check_slug, is_invisible, shown};
use crate::network::Network;
use crate::problem::{Place, Report, list};
use crate::{File, Position, Site};

/// Columns that must be there.
const REQUIRED: [&str; 7] = ["ods_code", "name", "kind", "organisation", "postcode", "lat", "lon"];

/// Columns that may be there.
const OPTIONAL: [&str; 6] =
    ["access", "backup", "router", "pops", "shared_risks", "backup_shared_risks"];

/// Columns of uplinks: empty at a site that shares another site's router.
const OF_UPLINKS: [&str; 5] = ["access", "backup", "pops", "shared_risks", "backup_shared_risks"];

/// Sites of one region: an order of magnitude above the largest known health network.
const SITES_MAX: usize = 200_000;

/// Octets of a line, so that one line without an end does not become a row.
const LINE_MAX: usize = 4096;

/// The word in column `backup` for a site without the backup that its kind has.
const NO_BACKUP: &str = "none";

/// The sites, as far as they could be read.
#[derive(Debug)]
pub(crate) struct Sites {
    pub(crate) sites: Named<Site>,
    /// Every organisation, whether all of its rows are good or not.
    pub(crate) organisations: Named<()>,
    /// The sites of each organisation, by place.
    owned: BTreeMap<String, Vec<usize>>,
}

/// Where each known column is in a row.
struct Columns {
    count: usize,
    positions: BTreeMap<&'static str, usize>,
}

/// One row, by column name.
struct Row<'r> {
    place: Place,
    columns: &'r Columns,
    fields: &'r [String],
}

impl Row<'_> {
    /// What is in a column, without spaces around it; empty where there is no such column.
    fn field(&self, column: &str) -> &str {
        let position = self.columns.positions.get(column);
        position.and_then(|position| self.fields.get(*position)).map_or("", |field| field.trim())
    }
}

impl Sites {
    /// Reads and checks the file.
    pub(crate) fn read(report: &mut Report<'_>, file: &File, network: &Network) -> Self {
        let mut sites = Self {
            sites: Named::new("site", true),
            organisations: Named::new("organisation", true),
            owned: BTreeMap::new(),
        };
        let mut columns = None;
        // A spreadsheet may put a byte order mark before the first column's name.
        let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
        for (number, line) in (1..).zip(text.lines()) {
            let place = Place::Line(number);
            let blank = line.chars().all(|c| c == ',' || c.is_whitespace());
            if blank || line.starts_with('#') {
                continue;
            }
            let Some(fields) = split(report, place, line) else {
                sites.lose_row();
                if columns.is_none() {
                    return sites;
                }
                continue;
            };
            let Some(columns) = &columns else {
                columns = Some(Columns::read(report, place, &fields));
                continue;
            };
            if sites.sites.items.len() >= SITES_MAX {
                report.error(place, "too many sites").allow(format!("{SITES_MAX} at most"));
                sites.lose_row();
                break;
            }
            sites.add_row(report, network, &Row { place, columns, fields: &fields });
        }
        if columns.as_ref().is_none_or(|columns| !columns.is_complete()) {
            sites.lose_row();
        }
        if columns.is_none() {
            report.error(Place::File, "no header").allow(list(REQUIRED.into_iter()));
        }
        sites.share_routers(report);
        sites.check_router_names(report);
        for (place, (_, site)) in sites.sites.items.iter().enumerate() {
            sites.owned.entry(site.organisation.clone()).or_default().push(place);
        }
        sites
    }

    /// The sites of an organisation, in order.
    pub(crate) fn owned(&self, organisation: &str) -> impl Iterator<Item = &Site> {
        let places = self.owned.get(organisation).into_iter().flatten();
        places.filter_map(|place| self.sites.items.get(*place)).map(|(_, site)| site)
    }

    /// A row was lost: a code or an organisation that is not found may have been in it.
    fn lose_row(&mut self) {
        self.sites.complete = false;
        self.organisations.complete = false;
    }

    fn add_row(&mut self, report: &mut Report<'_>, network: &Network, row: &Row<'_>) {
        if row.fields.len() != row.columns.count {
            let (found, count) = (row.fields.len(), row.columns.count);
            let problem = report.error(row.place, format!("row of {found} columns"));
            problem
                .allow(format!("{count}, as the header has"))
                .help("a name with a comma in it needs quotes");
            self.lose_row();
            return;
        }
        let organisation = row.field("organisation");
        if !organisation.is_empty() && self.organisations.find(organisation).is_none() {
            self.organisations.add(report, row.place, organisation, ());
        }
        let code = row.field("ods_code");
        if !row.columns.is_complete() || !check_code(report, row.place, code) {
            self.sites.complete = false;
            return;
        }
        let site = site(report, network, row);
        // A row with a mistake in it still defines its code, so that what refers to it is not wrong.
        self.sites.add(report, row.place, code, site);
    }

    /// Sites that share another site's router have its uplinks.
    fn share_routers(&mut self, report: &mut Report<'_>) {
        let hosts: BTreeMap<String, Site> =
            self.sites.items.iter().map(|(_, site)| (site.code.clone(), site.clone())).collect();
        let complete = self.sites.complete;
        for (place, site) in &mut self.sites.items {
            let Some(code) = &site.router_of else { continue };
            let Some(host) = hosts.get(code) else {
                if complete {
                    let names = hosts.keys().map(String::as_str);
                    report.unknown(*place, "site in column `router`:", &shown(code), names);
                }
                continue;
            };
            if host.router_of.is_some() {
                report
                    .error(*place, format!("site `{code}` in column `router` has no router itself"))
                    .allow("the code of a site whose own column `router` is empty");
            } else if host.postcode != site.postcode {
                let message = format!(
                    "shares the router of site `{code}` at another postcode: `{}` and `{}`",
                    site.postcode, host.postcode
                );
                report.error(*place, message);
            }
            site.access.clone_from(&host.access);
            site.backup.clone_from(&host.backup);
            site.pops.clone_from(&host.pops);
            site.shared_risks.clone_from(&host.shared_risks);
            site.backup_shared_risks.clone_from(&host.backup_shared_risks);
        }
    }

    /// Codes that differ only in case or punctuation would give their routers one name.
    fn check_router_names(&self, report: &mut Report<'_>) {
        let mut names: BTreeMap<String, &str> = BTreeMap::new();
        for (place, site) in &self.sites.items {
            let name = router_name(&site.code);
            if let Some(other) = names.get(&name) {
                let code = &site.code;
                let message =
                    format!("sites `{other}` and `{code}` would both have router `{name}`");
                report.error(*place, message);
            } else {
                names.insert(name, &site.code);
            }
        }
    }
}

impl Columns {
    fn read(report: &mut Report<'_>, place: Place, fields: &[String]) -> Self {
        let known = || REQUIRED.into_iter().chain(OPTIONAL);
        let mut positions = BTreeMap::new();
        for (position, name) in fields.iter().map(|field| field.trim()).enumerate() {
            let Some(column) = known().find(|column| *column == name) else {
                report.unknown(place, "column", &shown(name), known());
                continue;
            };
            if positions.insert(column, position).is_some() {
                report.error(place, format!("duplicate column `{column}`"));
            }
        }
        for column in REQUIRED.into_iter().filter(|column| !positions.contains_key(column)) {
            report.error(place, format!("missing column `{column}`"));
        }
        Self { count: fields.len(), positions }
    }

    /// Whether every required column is there.
    fn is_complete(&self) -> bool {
        REQUIRED.iter().all(|column| self.positions.contains_key(column))
    }
}

/// The fields of a line.
fn split(report: &mut Report<'_>, place: Place, line: &str) -> Option<Vec<String>> {
    if line.len() > LINE_MAX {
        report.error(place, "line too long").allow(format!("{LINE_MAX} octets at most"));
        return None;
    }
    if line.matches('"').count() % 2 == 1 {
        report
            .error(place, "unclosed quote")
            .help("a quote inside quotes is written twice; a row has no line break in it");
        return None;
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(LINE_MAX)
        .from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(str::to_owned).collect())
}

/// The site of a row; what is wrong with it is reported.
fn site(report: &mut Report<'_>, network: &Network, row: &Row<'_>) -> Site {
    let place = row.place;
    for column in ["name", "organisation", "postcode"] {
        let text = row.field(column);
        if text.is_empty() {
            report.error(place, format!("column `{column}` is empty"));
        } else if text.chars().any(is_invisible) {
            let shown = shown(text);
            let message = format!("a control character in column `{column}`: `{shown}`");
            report.error(place, message);
        }
    }
    let kind = network.kinds.resolve(report, place, &shown(row.field("kind")));
    let (access, backup) = match (row.field("access"), row.field("backup")) {
        ("", "") => (None, None),
        (access, backup) => {
            for name in [access, backup] {
                if !name.is_empty() && name != NO_BACKUP {
                    network.access.resolve(report, place, &shown(name));
                }
            }
            (Some(access).filter(|name| !name.is_empty()), Some(backup))
        }
    };
    let backup = match backup {
        Some(NO_BACKUP) => None,
        None | Some("") => kind.and_then(|kind| kind.backup.clone()),
        Some(name) => Some(name.to_owned()),
    };
    let site = Site {
        code: row.field("ods_code").to_owned(),
        name: row.field("name").to_owned(),
        kind: row.field("kind").to_owned(),
        organisation: row.field("organisation").to_owned(),
        postcode: row.field("postcode").to_owned(),
        position: position(report, row),
        access: access.or(kind.map(|kind| kind.access.as_str())).unwrap_or_default().to_owned(),
        backup,
        router_of: Some(row.field("router").to_owned()).filter(|code| !code.is_empty()),
        pops: names(row, "pops"),
        shared_risks: risks(report, row, "shared_risks"),
        backup_shared_risks: risks(report, row, "backup_shared_risks"),
    };
    check_uplinks(report, network, row, &site);
    site
}

/// The names in a column.
fn names(row: &Row<'_>, column: &str) -> Vec<String> {
    let names = row.field(column).split(';').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The names of shared-risk groups in a column. A group is whatever names it, so that only how a
/// name looks can be wrong.
fn risks(report: &mut Report<'_>, row: &Row<'_>, column: &str) -> Vec<String> {
    let risks = names(row, column);
    for (at, risk) in risks.iter().enumerate() {
        check_slug(report, row.place, "shared risk", risk);
        if risks.iter().take(at).any(|before| before == risk) {
            let message = format!("column `{column}` names `{}` twice", shown(risk));
            report.error(row.place, message);
        }
    }
    risks
}

fn position(report: &mut Report<'_>, row: &Row<'_>) -> Position {
    for (column, limit) in [("lat", 90), ("lon", 180)] {
        let text = row.field(column);
        let good = match column {
            "lat" => Position::parse(text, "0").is_ok(),
            _ => Position::parse("0", text).is_ok(),
        };
        if !good {
            report
                .error(row.place, format!("column `{column}` is `{}`", shown(text)))
                .allow(format!("degrees as a decimal number, -{limit} to {limit}"));
        }
    }
    let position = Position::parse(row.field("lat"), row.field("lon"));
    position.unwrap_or(Position { latitude_e6: 0, longitude_e6: 0 })
}

fn check_uplinks(report: &mut Report<'_>, network: &Network, row: &Row<'_>, site: &Site) {
    let place = row.place;
    if let Some(code) = &site.router_of {
        let own = OF_UPLINKS.into_iter().find(|name| !row.field(name).is_empty());
        if let Some(column) = own {
            let code = shown(code);
            let message = format!("column `{column}` of a site that shares the router of `{code}`");
            report.error(place, message).allow("nothing: the uplinks are those of that site");
        }
        if *code == site.code {
            report
                .error(place, "column `router` names the site itself")
                .allow("nothing, or another site");
        }
        return;
    }
    for name in &site.pops {
        network.pops.resolve(report, place, &shown(name));
    }
    if site.backup.is_none() && !site.backup_shared_risks.is_empty() {
        report.error(place, "column `backup_shared_risks` of a site without a backup uplink");
    }
    let uplinks = 1 + usize::from(site.backup.is_some());
    if site.pops.len() > uplinks {
        let found = site.pops.len();
        let message =
            format!("{found} PoPs for {uplinks} uplink{}", if uplinks == 1 { "" } else { "s" });
        report.error(place, message).allow("at most one PoP per uplink");
    }
    if let [first, second] = site.pops.as_slice()
        && first == second
    {
        report.error(place, format!("both uplinks go to PoP `{}`", shown(first)));
    }
    if site.backup.is_some() && network.pops.complete && network.pops.items.len() < 2 {
        report.error(place, "a backup uplink, and no second PoP for it to go to");
    }
}
