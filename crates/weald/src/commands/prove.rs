//! `weald prove`: isolation over every forwarding entry, survival and load in every single failure;
//! and the certificate of it.
//!
//! A certificate is an approval that somebody files and acts on: where the proof is refused there is
//! none, unless a report of the refusal was asked for, which says in its first line what it is.

use std::path::Path;

use intent::Date;
use model::plan::Plan;
use proof::certificate::{Certificate, Parts, Statement};
use serde_json::json;

use crate::arguments::Prove;
use crate::certified::{self, Folder};
use crate::collected::Running;
use crate::commands::compile::{FIRST_GENERATION, existing_plan, write_whole};
use crate::commands::key;
use crate::day;
use crate::failure::{Failure, Outcome};
use crate::html::{self, Subject};
use crate::load::load;
use crate::output;
use crate::proving::{self, Proved};
use crate::screen::{count, wrapped};
use crate::verdict;

/// Who may read a certificate: everybody.
const MODE: u32 = 0o644;

pub(crate) fn run(arguments: &Prove, json: bool) -> Result<Outcome, Failure> {
    let as_of = arguments.date.or_else(day::today);
    arguments.html.as_deref().map(page_may_be).transpose()?;
    let running = || Running::ask(&arguments.running.sockets);
    let Some(folder) = arguments.folder.as_deref() else {
        return alone(arguments, running()?, json);
    };
    let signing = arguments.certificate.as_deref().zip(arguments.key.as_deref());
    let signing =
        signing.map(|(path, key)| Signing::new(arguments, folder, (path, key))).transpose()?;
    let running = if arguments.running.live { Some(running()?) } else { None };
    let shipping = match arguments.plan.as_deref() {
        Some(path) => Some((path, existing_plan(path)?)),
        None => None,
    };
    let generation = shipping.as_ref().map_or(FIRST_GENERATION, |(_, plan)| plan.generation);
    let mut loaded = load(folder, generation, as_of)?;
    if let Some((path, plan)) = &shipping {
        certified::is_compiled(path, plan, &loaded.plan)?;
    }
    if let Some(signing) = &signing {
        certified::lock_is_complete(folder, &loaded)?;
        signing.still_the_same(folder)?;
    }
    let proved = if let Some(running) = running {
        running.take_promises(&mut loaded.plan, shipping.is_some())?;
        Running::tell(&running.tables, &loaded.plan);
        proving::prove_collected(&loaded.plan, running.tables)
    } else {
        let (region, routers) = (&loaded.plan.region, loaded.plan.routers.len());
        let routers = count(routers, "router", "routers");
        output::note(&format!("{region}: the tables of {routers} are worked out"));
        match (arguments.quick, arguments.deep) {
            (true, _) => proving::prove_quickly(&loaded.plan),
            (_, true) => deeply(&loaded.plan),
            (false, false) => proving::prove(&loaded.plan),
        }
    };
    let written = signing.map(|signing| signing.write(&loaded.plan, &proved, as_of)).transpose()?;
    tell(arguments, &loaded.plan, &proved, (as_of, written.flatten()), json)
}

/// Proves every single failure, and says how far it is.
fn deeply(plan: &Plan) -> Proved {
    const EVERY: usize = 100;
    proving::prove_deeply(plan, &mut |done, all| {
        if done > 0 && done % EVERY == 0 {
            output::note(&format!("{done} of {all} failures"));
        }
    })
}

/// Proves what runs over its own promises.
fn alone(arguments: &Prove, running: Running, json: bool) -> Result<Outcome, Failure> {
    let (plan, tables) = running.alone()?;
    Running::tell(&tables, &plan);
    let proved = proving::prove_collected(&plan, tables);
    tell(arguments, &plan, &proved, (None, None), json)
}

/// Tells what was proved, and writes the page where one is wanted.
fn tell(
    arguments: &Prove,
    plan: &Plan,
    proved: &Proved,
    (as_of, certificate): (Option<Date>, Option<Certificate>),
    json: bool,
) -> Result<Outcome, Failure> {
    if let Some(path) = &arguments.html {
        let (source, made, certificate) = (proved.source, day::today(), certificate.as_ref());
        write_page(path, &Subject { plan, proved, source, as_of, made, certificate })?;
    }
    let mut data = verdict::value(plan, proved);
    if let Some(map) = data.as_object_mut() {
        let written = arguments.certificate.as_ref().filter(|_| certificate.is_some());
        let signed = arguments.certificate.as_ref().map(|_| json!(written));
        map.extend(signed.map(|path| ("certificate".to_owned(), path)));
        map.extend(arguments.html.as_ref().map(|path| ("html".to_owned(), json!(path))));
    }
    output::either(json, &data, &wrapped(&verdict::text(plan, proved)));
    Ok(Outcome::from(proved.is_good()))
}

/// That a file is a page of ours, or is not there.
fn page_may_be(path: &Path) -> Result<(), Failure> {
    let in_the_way = std::fs::read_to_string(path)
        .is_ok_and(|text| !text.is_empty() && !text.starts_with(html::BEGINNING));
    if in_the_way {
        let message = format!("`{}` is no page of ours, and is kept", path.display());
        return Err(Failure::input(message).hint("write to another file, or remove this one"));
    }
    Ok(())
}

fn write_page(path: &Path, subject: &Subject<'_>) -> Result<(), Failure> {
    let shown = path.display();
    write_whole(path, &html::page(subject), MODE)
        .map_err(|error| Failure::input(format!("`{shown}` cannot be written: {error}")))?;
    output::note(&format!("the page is in `{shown}`"));
    Ok(())
}

/// What is needed to sign.
#[derive(Debug)]
struct Signing<'a> {
    path: &'a Path,
    seed: Seed,
    report_refused: bool,
    folder: Folder,
}

/// A signing key, which is not printed.
struct Seed([u8; 32]);

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed")
    }
}

impl<'a> Signing<'a> {
    /// Everything that can be refused before the work begins.
    fn new(
        arguments: &Prove,
        folder: &Path,
        (path, key): (&'a Path, &Path),
    ) -> Result<Self, Failure> {
        let seed = Seed(key::read(key)?);
        let in_the_way = std::fs::read_to_string(path)
            .is_ok_and(|text| !text.is_empty() && Certificate::parse(&text).is_err());
        if in_the_way {
            let message = format!("`{}` is no certificate, and is kept", path.display());
            return Err(Failure::input(message).hint("write to another file, or remove this one"));
        }
        let folder = Folder::read(folder);
        Ok(Self { path, seed, report_refused: arguments.report_refused, folder })
    }

    /// That nobody edited the files while they were read.
    fn still_the_same(&self, folder: &Path) -> Result<(), Failure> {
        if Folder::read(folder) == self.folder {
            return Ok(());
        }
        Err(Failure::input(format!("`{}` was edited while it was read", folder.display()))
            .hint("try again"))
    }

    /// Writes the certificate, or the report, and returns it.
    fn write(
        self,
        plan: &Plan,
        proved: &Proved,
        as_of: Option<Date>,
    ) -> Result<Option<Certificate>, Failure> {
        let shown = self.path.display().to_string();
        let no_clock = || Failure::input("the machine does not know which day it is");
        let issued = day::today().ok_or_else(no_clock)?;
        let compiled_for = as_of.ok_or_else(no_clock)?;
        let statement = Statement::new(Parts {
            plan,
            issued: issued.to_string(),
            compiled_for: compiled_for.to_string(),
            files: self.folder.files,
            lock: self.folder.lock.ok_or_else(|| Failure::input("there is no lock"))?,
            tables: &proved.tables,
            source: proved.source,
            isolation: &proved.isolation,
            survival: Some(proving::survival_figures(proved)),
            capacity: Some(proving::capacity_figures(&proved.capacity)),
        });
        let good = statement.is_good();
        if !good && !self.report_refused {
            output::note(&format!("refused: no certificate is written to `{shown}`"));
            return Ok(None);
        }
        let certificate = statement.sign(&self.seed.0);
        write_whole(self.path, certificate.to_text().trim_end(), MODE)
            .map_err(|error| Failure::input(format!("`{shown}` cannot be written: {error}")))?;
        let what = if good { "certificate" } else { "report of the refusal" };
        output::note(&format!("the {what} is in `{shown}`, signed by {}", certificate.signer));
        Ok(Some(certificate))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Seed, Signing};
    use crate::certified::Folder;
    use crate::load::load;
    use crate::proving::Proved;
    use proof::Isolation;
    use proof::certificate::{Certificate, Judgement};

    #[test]
    fn a_refused_proof_gets_no_certificate_and_a_report_where_one_is_wanted() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/two-pops");
        let day = "2026-06-01".parse().ok();
        let plan = load(&folder, 1, day).unwrap().plan;
        let proved = crate::proving::prove(&plan);
        let violations = vec![crate::verdict::tests::violation()];
        let isolation = Isolation { violations, violations_total: 1, ..Isolation::default() };
        let proved = Proved { isolation, ..proved };
        let there = tempfile::tempdir().unwrap();
        let path = there.path().join("certificate");
        std::fs::write(&path, "the one before").unwrap();
        let signing = |report_refused| Signing {
            path: &path,
            seed: Seed([7; 32]),
            report_refused,
            folder: Folder::read(&folder),
        };
        assert_eq!(signing(false).write(&plan, &proved, day), Ok(None));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the one before");
        assert!(signing(true).write(&plan, &proved, day).unwrap().is_some());
        let report = Certificate::verify(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(report.statement.result, Judgement::Refused);
        assert!(report.statement.verdicts.isolation.quoted[0].contains("port 444"));
        assert_eq!(format!("{:?}", Seed([7; 32])), "Seed");
    }
}
