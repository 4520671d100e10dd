//! The only module that touches a file system: the folder of an intent and its lock.

use core::fmt::Display;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use crate::problem::Problem;
use crate::{File, Files, Intent, Lock, Problems};

/// The file of regions, PoPs, links, access types and classes.
pub const NETWORK: &str = "network.toml";

/// The file of sites.
pub const SITES: &str = "sites.csv";

/// The file of virtual networks, applications, routers of others and communities.
pub const SERVICES: &str = "services.toml";

/// The file of what has been allotted.
pub const LOCK: &str = "weald.lock";

/// Octets of a file: some thirty times what 20,000 sites need.
const FILE_MAX: u64 = 64 << 20;

/// Octets of a key file.
const KEY_MAX: u64 = 4096;

/// Reads an intent from its folder.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn load(dir: &Path) -> Result<Intent, Problems> {
    crate::parse(&read(dir)?)
}

/// Reads the texts of an intent from its folder.
///
/// # Errors
///
/// Every file that is missing or cannot be read.
pub fn read(dir: &Path) -> Result<Files, Problems> {
    let mut problems = Vec::new();
    let mut file = |name: &str| {
        let path = dir.join(name);
        let name = path.display().to_string();
        let text = read_text(&path, FILE_MAX).unwrap_or_else(|problem| {
            problems.push(problem);
            String::new()
        });
        File { name, text }
    };
    let (network, sites, services) = (file(NETWORK), file(SITES), file(SERVICES));
    let keys = read_keys(dir).unwrap_or_else(|problem| {
        // Where the folder itself cannot be listed, the three files have said so already.
        if problems.is_empty() {
            problems.push(problem);
        }
        BTreeMap::new()
    });
    if problems.is_empty() {
        Ok(Files { network, sites, services, keys })
    } else {
        Err(Problems(problems))
    }
}

/// Reads the lock of a folder; none where it has none yet.
///
/// # Errors
///
/// Where it cannot be read, or is damaged. It is then not to be made anew: that would renumber the
/// whole region.
pub fn read_lock(dir: &Path) -> Result<Option<Lock>, Problems> {
    let path = dir.join(LOCK);
    match path.try_exists() {
        Ok(false) => return Ok(None),
        Ok(true) => {}
        Err(error) => return Err(failed(&path, "cannot be read", error)),
    }
    let text = read_text(&path, FILE_MAX).map_err(|problem| Problems(vec![problem]))?;
    Lock::parse(&path.display().to_string(), &text).map(Some)
}

/// Writes the lock of a folder. Whatever happens meanwhile, there is either the old one or the new.
///
/// # Errors
///
/// Where it cannot be written.
pub fn write_lock(dir: &Path, lock: &Lock) -> Result<(), Problems> {
    let path = dir.join(LOCK);
    let temporary = dir.join(format!(".{LOCK}.{}", std::process::id()));
    let written = write_whole(&temporary, &lock.to_text())
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| fs::OpenOptions::new().read(true).open(dir)?.sync_all());
    written.map_err(|error| {
        // What is left of the attempt is of no use; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
        failed(&path, "cannot be written", error)
    })
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read_keys(dir: &Path) -> Result<BTreeMap<String, String>, Problem> {
    let mut keys = BTreeMap::new();
    let unlisted = |error| problem(dir, "cannot be listed", error);
    for entry in fs::read_dir(dir).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|name| name.ends_with(".key")) {
            keys.insert(name.to_owned(), read_text(&path, KEY_MAX)?);
        }
    }
    Ok(keys)
}

fn read_text(path: &Path, max: u64) -> Result<String, Problem> {
    let unreadable = |error| match error {
        error if io::Error::kind(&error) == io::ErrorKind::NotFound => {
            let name = path.display().to_string();
            Problem::error(&name, None, "file is missing".to_owned())
        }
        error => problem(path, "cannot be read", error),
    };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > max {
        return Err(problem(path, "too large", format!("{length} octets, of {max} at most")));
    }
    String::from_utf8(fs::read(path).map_err(unreadable)?).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let lines = error.as_bytes().iter().take(good).filter(|octet| **octet == b'\n').count();
        let line = u32::try_from(lines + 1).ok();
        let name = path.display().to_string();
        let mut problem = Problem::error(&name, line, "not UTF-8 text".to_owned());
        problem.hint = Some("a spreadsheet saves it as `CSV UTF-8`".to_owned());
        problem
    })
}

fn failed(path: &Path, what: &str, error: impl Display) -> Problems {
    Problems(vec![problem(path, what, error)])
}

fn problem(path: &Path, what: &str, error: impl Display) -> Problem {
    Problem::error(&path.display().to_string(), None, format!("{what}: {error}"))
}
