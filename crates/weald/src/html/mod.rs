//! What was proved of a plan as one page that a person can read, print and file.
//!
//! The page needs nothing else: no script, no font, no picture, no host. It is well-formed XML as
//! well as HTML, so that a program can read it. [`markup`] lets no text in but escaped, [`table`]
//! gives every table its caption and headings; [`reach`], [`failures`] and [`figures`] are the parts
//! of the page, [`map`] draws what [`geometry`] places.
//!
//! Standards: WCAG 2.2 AA (contrast, reflow at 320 px, keyboard), HTML and SVG as browsers have them.
//! Not implemented: outlines of districts, and where uplinks run.

mod failures;
mod figures;
mod geometry;
mod map;
mod markup;
mod reach;
mod table;

use intent::Date;
use model::plan::Plan;
use proof::certificate::{ASSUMPTIONS, Certificate, Judgement};

use self::markup::Markup;
use self::reach::pairs;
use self::table::{Cell, Table};
use crate::proving::{Proved, capacity_figures};
use crate::screen::{count, number};

/// How every page begins: a file that does not is not overwritten.
pub(crate) const BEGINNING: &str = "<!DOCTYPE html>\n<html lang=\"en-GB\"><head><meta charset=\"utf-8\"/>\
<meta name=\"generator\" content=\"weald\"/>";

const STYLE: &str = include_str!("style.css");

/// Parts of the page, and their ids.
const PARTS: [(&str, &str); 8] = [
    ("summary", "In short"),
    ("reach", "Who can reach what"),
    ("isolation", "Isolation"),
    ("survival", "What survives a failure"),
    ("repairs", "Repairs"),
    ("capacity", "Capacity"),
    ("assumptions", "Assumed, and not proved"),
    ("certificate", "Certificate"),
];

/// What the page is about.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) proved: &'a Proved,
    /// Where the tables come from.
    pub(crate) source: &'a str,
    /// The day that communities must not have expired on.
    pub(crate) as_of: Option<Date>,
    /// Today.
    pub(crate) made: Option<Date>,
    pub(crate) certificate: Option<&'a Certificate>,
}

/// The page.
pub(crate) fn page(subject: &Subject<'_>) -> String {
    let Subject { plan, proved, .. } = subject;
    let title = format!("Proof of plan {} of {}", plan.generation, plan.region);
    let mut markup = Markup::default();
    markup.own(BEGINNING);
    let viewport = [("name", "viewport"), ("content", "width=device-width, initial-scale=1")];
    markup.empty("meta", &viewport);
    markup.leaf("title", &[], &title);
    markup.element("style", &[], |markup| markup.own(STYLE));
    markup.own("</head>\n<body>\n");
    markup.leaf("a", &[("class", "skip"), ("href", "#main")], "Skip to the summary");
    header(&mut markup, subject, &title);
    markup.element("main", &[("id", "main"), ("tabindex", "-1")], |markup| {
        part(markup, "summary", |markup| summary(markup, subject));
        part(markup, "reach", |markup| reach::write(markup, plan));
        part(markup, "isolation", |markup| figures::isolation(markup, &proved.isolation));
        part(markup, "survival", |markup| failures::write(markup, plan, &proved.survival));
        part(markup, "repairs", |markup| figures::repairs(markup, plan, &proved.repairs));
        part(markup, "capacity", |markup| figures::capacity(markup, plan, &proved.capacity));
        part(markup, "assumptions", assumptions);
        part(markup, "certificate", |markup| certificate(markup, subject.certificate));
    });
    markup.element("footer", &[], |markup| {
        let version = env!("CARGO_PKG_VERSION");
        markup.paragraph(&format!("Made by weald {version}. This page asks nothing of any host."));
    });
    markup.own("</body></html>");
    markup.finish()
}

fn part(markup: &mut Markup, id: &str, inside: impl FnOnce(&mut Markup)) {
    markup.element("section", &[("aria-labelledby", id)], inside);
}

fn header(markup: &mut Markup, subject: &Subject<'_>, title: &str) {
    let Subject { plan, proved, .. } = subject;
    let day = |day: Option<Date>| day.map_or_else(|| "not known".to_owned(), |day| day.to_string());
    markup.element("header", &[], |markup| {
        markup.leaf("h1", &[], title);
        let is_good = proved.is_good();
        let class = if is_good { "verdict good" } else { "verdict bad" };
        markup.element("p", &[("class", class)], |markup| {
            table::verdict(markup, is_good, if is_good { "Holds." } else { "Refused." });
            markup.text(" ");
            markup.text(&sentence(plan, proved));
        });
        pairs(
            markup,
            &[
                ("Region", &plan.region),
                ("Plan", &number(plan.generation)),
                ("Compiled for", &day(subject.as_of)),
                ("This page made", &day(subject.made)),
                ("Tables", subject.source),
            ],
        );
    });
    markup.element("nav", &[("aria-label", "On this page")], |markup| {
        markup.element("ul", &[], |markup| {
            for (id, name) in PARTS {
                markup.element("li", &[], |markup| {
                    markup.leaf("a", &[("href", &format!("#{id}"))], name);
                });
            }
        });
    });
}

/// The verdict in one sentence.
fn sentence(plan: &Plan, proved: &Proved) -> String {
    let figures = capacity_figures(&proved.capacity);
    if proved.is_good() {
        let loads = if plan.demands.is_empty() {
            "how full links become is not known, for want of declared demands"
        } else {
            "no link is asked to carry more than its rate"
        };
        return format!(
            "No packet leaves its virtual network except as its owners agreed in a community, every \
             site promised as resilient survives each single failure, and {loads}."
        );
    }
    let reasons = [
        (proved.isolation.violations_total, "violation of isolation", "violations of isolation"),
        (
            proved.survival.not_resilient.len(),
            "site promised as resilient that a single failure cuts off",
            "sites promised as resilient that a single failure cuts off",
        ),
        (
            figures.above_100,
            "link that is asked to carry more than its rate",
            "links that are asked to carry more than their rates",
        ),
    ];
    let reasons: Vec<String> = reasons
        .into_iter()
        .filter(|(found, ..)| *found > 0)
        .map(|(found, singular, plural)| count(found, singular, plural))
        .collect();
    format!("This plan is not to ship: {}.", reasons.join("; "))
}

fn summary(markup: &mut Markup, subject: &Subject<'_>) {
    let Subject { plan, proved, .. } = subject;
    markup.leaf("h2", &[("id", "summary")], "In short");
    markup.paragraph(&format!(
        "{} of {} in {}, {}, {} in force; {} with {}.",
        count(plan.sites.len(), "site", "sites"),
        count(organisations(plan), "organisation", "organisations"),
        count(plan.virtual_networks.len(), "virtual network", "virtual networks"),
        count(plan.applications.len(), "published application", "published applications"),
        count(plan.communities.len(), "community", "communities"),
        count(plan.pops.len(), "point of presence", "points of presence"),
        count(plan.routers.len(), "router", "routers"),
    ));
    let mut table =
        Table::new("verdicts", "What was proved", &["Proof", "Verdict", "What was looked at"]);
    let holds = |is_good: bool| {
        Cell::Verdict(is_good, if is_good { "holds" } else { "refused" }.to_owned())
    };
    let (isolation, survival) = (&proved.isolation, &proved.survival);
    let (repairs, capacity) = (&proved.repairs, &proved.capacity);
    let entries = isolation.entries + isolation.labels;
    table.row([
        "Isolation".into(),
        holds(isolation.violations_total == 0),
        count(entries, "forwarding entry", "forwarding entries").into(),
    ]);
    table.row([
        "Survival".into(),
        holds(survival.not_resilient.is_empty()),
        count(survival.examined.total(), "single failure", "single failures").into(),
    ]);
    let words = if repairs.faulty == 0 { "sound" } else { "faulty" };
    table.row([
        "Repairs".into(),
        Cell::Verdict(repairs.faulty == 0, words.to_owned()),
        count(repairs.repairable(), "way over a core link", "ways over a core link").into(),
    ]);
    let loads = if plan.demands.is_empty() {
        Cell::from("not known")
    } else {
        holds(capacity_figures(capacity).above_100 == 0)
    };
    let demands = count(plan.demands.len(), "demand", "demands");
    let failures = count(capacity.examined, "failure", "failures");
    table.row(["Capacity".into(), loads, format!("{demands}, normally and in {failures}").into()]);
    table.write(markup);
}

fn organisations(plan: &Plan) -> usize {
    let names = plan.sites.iter().map(|site| site.organisation.as_str());
    names.collect::<std::collections::BTreeSet<_>>().len()
}

fn assumptions(markup: &mut Markup) {
    markup.leaf("h2", &[("id", "assumptions")], "Assumed, and not proved");
    markup.element("ul", &[], |markup| {
        for sentence in ASSUMPTIONS {
            markup.leaf("li", &[], sentence);
        }
    });
}

fn certificate(markup: &mut Markup, certificate: Option<&Certificate>) {
    markup.leaf("h2", &[("id", "certificate")], "Certificate");
    let Some(Certificate { statement, signer, .. }) = certificate else {
        markup.paragraph(
            "None was made with this page. The page itself is not signed: a certificate is what \
             can be checked.",
        );
        return;
    };
    markup.paragraph(match statement.result {
        Judgement::Holds => {
            "A certificate was signed with this page. The page itself is not signed: check the \
             certificate, with a public key of the signer that comes from elsewhere."
        }
        Judgement::Refused => {
            "A report of the refusal was signed with this page. It approves nothing."
        }
    });
    pairs(
        markup,
        &[
            ("Issued", &statement.issued),
            ("Compiled for", &statement.compiled_for),
            ("Checked by", &format!("{} {}", statement.checker.name, statement.checker.version)),
            ("Signer", &signer.to_string()),
        ],
    );
    let mut table = Table::new(
        "digests",
        "SHA-256 of everything that the proofs started from",
        &["What", "SHA-256"],
    );
    for file in &statement.files {
        let key = if file.without_key { ", without its key" } else { "" };
        table.row([format!("{}{key}", file.name).into(), Cell::Digest(file.sha256.to_string())]);
    }
    let others = [
        ("weald.lock", statement.lock),
        ("The plan, without its keys", statement.compiled),
        ("The forwarding tables", statement.tables.sha256),
    ];
    for (what, digest) in others {
        table.row([what.into(), Cell::Digest(digest.to_string())]);
    }
    table.write(markup);
}
