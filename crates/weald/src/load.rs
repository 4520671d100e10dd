//! From a folder to a plan: what every command that starts from files does first.

use std::path::Path;
use std::time::{Duration, Instant};

use intent::{Date, Intent, Lock, Problems, Sources, files};
use model::plan::Plan;

use crate::failure::Failure;
use crate::output;

/// A folder, read and compiled.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) intent: Intent,
    /// Warnings and notes.
    pub(crate) remarks: Problems,
    /// Where the intent's things are written.
    pub(crate) sources: Sources,
    /// What had been allotted; none where the folder had no lock yet.
    pub(crate) lock_before: Option<Lock>,
    /// What is allotted now.
    pub(crate) lock: Lock,
    pub(crate) plan: Plan,
    /// How long it took.
    pub(crate) took: Duration,
}

/// Reads a folder and compiles it to the plan of number `generation`. Nothing is written.
pub(crate) fn load(folder: &Path, generation: u64, as_of: Option<Date>) -> Result<Loaded, Failure> {
    let start = Instant::now();
    let shown = folder.display().to_string();
    let refuse = |problems| Failure::problems(&shown, problems);
    let texts = files::read(folder).map_err(refuse).map_err(|failure| {
        if folder.is_dir() {
            return failure;
        }
        Failure { problems: Vec::new(), ..Failure::input(format!("no folder `{shown}`")) }
            .hint("an intent is a folder with `network.toml`, `sites.csv` and `services.toml`")
    })?;
    let checked = intent::check(&texts, as_of);
    // A damaged lock is reported together with whatever else is wrong.
    let lock_before = match (files::read_lock(folder), &checked.intent) {
        (Ok(lock), Some(_)) => lock,
        (Err(problems), Some(_)) => return Err(refuse(problems)),
        (Ok(_), None) => return Err(refuse(checked.problems)),
        (Err(Problems(of_lock)), None) => {
            let Problems(mut all) = checked.problems;
            all.extend(of_lock);
            return Err(refuse(Problems(all)));
        }
    };
    let Some(intent) = checked.intent else { return Err(refuse(checked.problems)) };
    let mut lock = lock_before.clone().unwrap_or_default();
    let lock_name = folder.join(files::LOCK).display().to_string();
    lock.check(&lock_name, &intent).map_err(refuse)?;
    let plan = plan::compile(&intent, &mut lock, generation, as_of)
        .map_err(|problems| refuse(Problems(problems)))?;
    let (remarks, sources) = (checked.problems, checked.sources);
    Ok(Loaded { intent, remarks, sources, lock_before, lock, plan, took: start.elapsed() })
}

impl Loaded {
    /// Whether numbers were allotted that the folder's lock does not have.
    pub(crate) fn lock_changed(&self) -> bool {
        self.lock_before.as_ref() != Some(&self.lock)
    }

    /// Writes the lock, if it changed.
    pub(crate) fn write_lock(&self, folder: &Path) -> Result<(), Failure> {
        if !self.lock_changed() {
            return Ok(());
        }
        files::write_lock(folder, &self.lock)
            .map_err(|problems| Failure::problems(&folder.display().to_string(), problems))
    }

    /// Tells the person about warnings and notes.
    pub(crate) fn tell_remarks(&self) {
        for remark in &self.remarks.0 {
            output::note(&remark.to_string());
        }
    }

    /// What was newly allotted: kind, owner and number.
    pub(crate) fn allotted(&self) -> Vec<(String, String, u32)> {
        let before = self.lock_before.clone().unwrap_or_default();
        let mut allotted = Vec::new();
        for kind in self.lock.kinds() {
            let Some(numbers) = self.lock.numbers(kind) else { continue };
            for (key, number) in numbers.iter() {
                if before.number(kind, key) != Some(number) {
                    allotted.push((kind.to_owned(), key.to_owned(), number));
                }
            }
        }
        allotted
    }
}
