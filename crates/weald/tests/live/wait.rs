//! Waiting for others, and what must be there before anything starts.

use std::fmt::Debug;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How often is looked: a look at another program costs some 20 ms of a processor.
const PACE: Duration = Duration::from_millis(100);

/// Looks until there is what is waited for, and returns it; fails with what was seen last.
pub(crate) fn wait_for<T, E: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(start.elapsed() < limit, "no {what} within {limit:?}: {seen:#?}"),
        }
        thread::park_timeout(PACE);
    }
}

/// What a test's part has to say where the test fails, for whoever reads of it.
#[expect(clippy::print_stderr, reason = "whoever reads of a failed test wants to see it")]
pub(crate) fn last_words(said: impl FnOnce() -> String) {
    if thread::panicking() {
        eprintln!("== {}", said());
    }
}

/// Looks for a while, through all of which something must hold.
pub(crate) fn holds_for<E: Debug>(
    what: &str,
    time: Duration,
    mut look: impl FnMut() -> Result<(), E>,
) {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(seen) = look() {
            panic!("not {what} after {:?}: {seen:#?}", start.elapsed());
        }
        thread::park_timeout(PACE);
    }
}

/// A package of Debian and what is used of it.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) programs: &'static [&'static str],
}

/// Fails unless the test runs as root and has every program of these packages.
pub(crate) fn need(packages: &[Package]) {
    let user = std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own));
    assert!(matches!(user, Ok(0)), "live tests make network namespaces: run them as root");
    let missing: Vec<&str> = packages
        .iter()
        .filter(|package| !package.programs.iter().all(|program| is_there(program)))
        .map(|package| package.name)
        .collect();
    let list = missing.join(" ");
    assert!(missing.is_empty(), "apt-get install -y --no-install-recommends {list}");
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    Path::new(program).is_file() || found
}

/// Runs a program to its end, which must be a good one, and returns what it prints.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{said}{complained}", output.status);
    said.into_owned()
}
