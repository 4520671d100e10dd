//! `weald verify`: whether a certificate is whole, and is of this intent.
//!
//! What can differ is looked at in the order of what it would mean: the signature, the signer, the
//! files, the lock, the plan, and then, all of it proved anew, the tables, counts and verdicts.

use std::fs;
use std::path::Path;

use intent::Date;
use model::plan::Plan;
use proof::certificate::{
    CHECKER_VERSION, Certificate, CertificateError, Counts, DOCUMENT_MAX, Digest, Judgement, Parts,
    Statement,
};
use serde_json::json;

use crate::arguments::Verify;
use crate::certified::{self, Folder};
use crate::collected;
use crate::commands::compile::existing_plan;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::load::load;
use crate::output;
use crate::proving;
use crate::screen::{count, number, wrapped};

pub(crate) fn run(arguments: &Verify, json: bool) -> Result<Outcome, Failure> {
    let Certificate { statement, signer, .. } = read(&arguments.certificate)?;
    if let Some(wanted) = arguments.signer.filter(|wanted| *wanted != signer) {
        return Err(Failure::network(format!("it is signed by {signer}, not by {wanted}"))
            .hint("do not rely on it; ask whoever should have signed it"));
    }
    let mut findings = Findings::default();
    if arguments.signer.is_none() {
        findings.warnings.push(format!(
            "nobody vouches for the key {signer}: anybody can make one and sign; give the public \
             key that you were told with --signer"
        ));
    }
    findings.folder(&statement, &Folder::read(&arguments.folder));
    if findings.differences.is_empty() {
        findings.anew(&statement, arguments)?;
    }
    let holds = findings.differences.is_empty();
    let good = holds && statement.is_good();
    let data = json!({
        "good": good,
        "result": statement.result,
        "region": statement.region,
        "plan": statement.plan,
        "issued": statement.issued,
        "compiled_for": statement.compiled_for,
        "signer": signer,
        "signer_is_vouched_for": arguments.signer.is_some(),
        "tables_proved_anew": statement.tables.source != collected::SOURCE,
        "differences": findings.differences,
        "warnings": findings.warnings,
    });
    output::either(json, &data, &wrapped(&text(&statement, &findings)));
    for warning in &findings.warnings {
        output::note(wrapped(&format!("warning: {warning}")).trim_end());
    }
    if !holds {
        return Err(Failure::network("the certificate is not of what is there")
            .hint("go back to what was certified, or prove it anew and have it signed"));
    }
    if !good {
        return Err(Failure::network("it is the report of a refusal, and approves nothing"));
    }
    Ok(Outcome::Good)
}

/// Reads a certificate and checks its signature.
fn read(path: &Path) -> Result<Certificate, Failure> {
    let shown = path.display();
    let unreadable = |error: &dyn core::fmt::Display| {
        Failure::input(format!("`{shown}` cannot be read: {error}"))
    };
    let octets = fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if octets > DOCUMENT_MAX as u64 {
        return Err(unreadable(&format!("{octets} octets, of {DOCUMENT_MAX} at most")));
    }
    let text = fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    Certificate::verify(&text).map_err(|error| match error {
        CertificateError::Key | CertificateError::Signature | CertificateError::Result => {
            Failure::network(format!("`{shown}`: {error}"))
                .hint("do not rely on it; ask for it anew from whoever signed it")
        }
        CertificateError::Format { .. } => {
            Failure::input(format!("`{shown}` is of another version: {error}"))
                .hint("use the version of weald that it was written by, or a newer one")
        }
        CertificateError::TooLong { .. }
        | CertificateError::NotJson { .. }
        | CertificateError::NoFormat
        | CertificateError::Member { .. }
        | CertificateError::Unknown { .. }
        | CertificateError::FileOrder { .. } => {
            Failure::input(format!("`{shown}` is no certificate: {error}"))
                .hint("it is damaged or something else; ask for it anew from whoever signed it")
        }
    })
}

/// What is not as the certificate says, and what to know besides.
#[derive(Debug, Default)]
struct Findings {
    differences: Vec<String>,
    warnings: Vec<String>,
}

impl Findings {
    fn differs(&mut self, what: impl Into<String>) {
        self.differences.push(what.into());
    }

    /// Files and lock.
    fn folder(&mut self, certified: &Statement, found: &Folder) {
        for file in &certified.files {
            match found.files.iter().find(|one| one.name == file.name) {
                Some(same) if same == file => {}
                Some(_) => self.differs(format!("`{}` is not the certified one", file.name)),
                None => self.differs(format!("`{}` is not there", file.name)),
            }
        }
        let added = |name: &str| !certified.files.iter().any(|file| file.name == name);
        for file in found.files.iter().filter(|file| added(&file.name)) {
            self.differs(format!("`{}` is not in the certificate", file.name));
        }
        match found.lock {
            Some(lock) if lock == certified.lock => {}
            Some(_) => self.differs("`weald.lock` is not the certified one"),
            None => self.differs("`weald.lock` is not there"),
        }
    }

    /// Compiles and proves anew.
    fn anew(&mut self, certified: &Statement, arguments: &Verify) -> Result<(), Failure> {
        let date: Date = certified.compiled_for.parse().map_err(|error| {
            Failure::input(format!("the certificate is for `{}`: {error}", certified.compiled_for))
        })?;
        let shipping = match &arguments.plan {
            None => None,
            Some(path) => Some((path, existing_plan(path)?)),
        };
        let plan = load(&arguments.folder, certified.plan, Some(date))?.plan;
        if let Some((path, found)) = &shipping {
            let shown = path.display();
            if found.generation != certified.plan {
                let (found, wanted) = (found.generation, certified.plan);
                return Err(Failure::network(format!(
                    "`{shown}` is plan {found}, and the certificate is of plan {wanted}"
                ))
                .hint("have the plan that is to ship proved and signed"));
            }
            certified::is_compiled(path, found, &plan)?;
        }
        self.dates(certified, &plan);
        if Digest::of_plan(&plan) != certified.compiled {
            self.differs(format!(
                "the same files and lock compile to another plan; certified by version {}, this is \
                 version {CHECKER_VERSION}",
                certified.checker.version
            ));
            return Ok(());
        }
        let states = certified.verdicts.survival.map_or(0, |figures| figures.states);
        let proved = if states > 1 {
            proving::prove_deeply(&plan, &mut |_, _| {})
        } else {
            proving::prove(&plan)
        };
        let anew = Statement::new(Parts {
            plan: &plan,
            issued: certified.issued.clone(),
            compiled_for: certified.compiled_for.clone(),
            files: certified.files.clone(),
            lock: certified.lock,
            tables: &proved.tables,
            source: proving::SOURCE,
            isolation: &proved.isolation,
            survival: Some(proving::survival_figures(&proved)),
            capacity: Some(proving::capacity_figures(&proved.capacity)),
        });
        if certified.tables.source == collected::SOURCE {
            self.collected(certified, &anew);
        } else {
            self.results(certified, &anew);
        }
        self.checker(certified, &anew);
        Ok(())
    }

    /// What can be compared where the tables were those of running routers on the day: everything
    /// but them and what was found in them.
    fn collected(&mut self, certified: &Statement, anew: &Statement) {
        let of_plan = |counts: &Counts| {
            (counts.sites, counts.virtual_networks, counts.applications, counts.communities)
        };
        if of_plan(&certified.counts) != of_plan(&anew.counts) {
            self.differs("other numbers of things were looked at than certified");
        }
        let (old, new) = (&certified.verdicts, &anew.verdicts);
        if (old.survival, old.capacity) != (new.survival, new.capacity) {
            self.differs("the proofs of survival and capacity come out otherwise");
        }
        if old.isolation.violations == 0 && new.isolation.violations > 0 {
            let found = count(new.isolation.violations, "violation", "violations");
            self.differs(format!("the plan itself has {found} of isolation, and 0 are certified"));
        }
        self.warnings.push(format!(
            "the forwarding tables were {} on {}, and cannot be had again: that {} were isolated              rests on the signature; what the plan makes is proved anew",
            collected::SOURCE,
            certified.issued,
            count(certified.counts.entries, "entry", "entries"),
        ));
    }

    /// What came of proving anew.
    fn results(&mut self, certified: &Statement, anew: &Statement) {
        if certified.tables.source != anew.tables.source {
            self.differs(format!(
                "the tables were obtained otherwise (\"{}\"): verify with version {}",
                certified.tables.source, certified.checker.version
            ));
        } else if certified.tables.sha256 != anew.tables.sha256 {
            self.differs("the forwarding tables are not the certified ones");
        }
        if certified.counts != anew.counts {
            self.differs("other numbers of things were looked at than certified");
        }
        if certified.verdicts != anew.verdicts || certified.result != anew.result {
            self.differs(format!(
                "the proofs come out otherwise: {} of isolation now, {} certified",
                count(anew.verdicts.isolation.violations, "violation", "violations"),
                number(certified.verdicts.isolation.violations as u64),
            ));
        }
    }

    /// Whether another version checked, or says otherwise what it takes for granted.
    fn checker(&mut self, certified: &Statement, anew: &Statement) {
        if certified.checker != anew.checker {
            self.warnings.push(format!(
                "checked by {} {}, and now by {} {}",
                certified.checker.name,
                certified.checker.version,
                anew.checker.name,
                anew.checker.version
            ));
        }
        if certified.assumptions != anew.assumptions {
            self.warnings.push(
                "what is assumed and not proved is worded otherwise than this version does: read \
                 it in the certificate"
                    .to_owned(),
            );
        }
    }

    /// What has happened since.
    fn dates(&mut self, certified: &Statement, plan: &Plan) {
        let Some(today) = day::today() else { return };
        let is_over = |date: &str| date.parse::<Date>().is_ok_and(|last| last < today);
        for community in &plan.communities {
            let Some(last) = community.expires.as_deref().filter(|last| is_over(last)) else {
                continue;
            };
            self.warnings.push(format!(
                "community {} expired after {last}, and this plan still lets its members in: \
                 compile anew",
                community.name
            ));
        }
        if certified.issued.parse::<Date>().is_ok_and(|issued| issued > today) {
            let issued = &certified.issued;
            self.warnings.push(format!("it was issued on {issued}, and today is {today}"));
        }
    }
}

fn text(certified: &Statement, findings: &Findings) -> String {
    let mut text = format!(
        "{}: plan {}, issued {}, compiled for {}\n",
        certified.region, certified.plan, certified.issued, certified.compiled_for
    );
    if !findings.differences.is_empty() {
        for difference in &findings.differences {
            text.push_str(&format!("  {difference}\n"));
        }
        return text;
    }
    let counts = &certified.counts;
    let many = |value: usize| number(value as u64);
    let (same, how) = if certified.tables.source == collected::SOURCE {
        ("files, lock, plan, survival and capacity", "in tables that cannot be had again")
    } else {
        ("files, lock, plan, forwarding tables, counts and verdicts", "proved anew")
    };
    text.push_str(&format!(
        "  {same} are as certified\n  {} sites, {} routers, {} entries, {} labels, {} promises: \
         {how}\n",
        many(counts.sites),
        many(counts.routers),
        many(counts.entries),
        many(counts.labels),
        many(counts.promises),
    ));
    text.push_str(match certified.result {
        Judgement::Holds => "holds\n",
        Judgement::Refused => "REFUSED\n",
    });
    text
}
