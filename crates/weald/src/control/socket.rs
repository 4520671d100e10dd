//! Where the control socket is, how it is made, and how lines go over it.
//!
//! The socket is made in a folder that only its owner may enter, given its mode, and then moved to
//! its place: nobody else can use it, not for one moment, and one that a killed process left behind
//! is replaced.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::control::place::{self, Folder, Found};
use crate::failure::Failure;

/// The variable that names the socket.
const VARIABLE: &str = "WEALD_SOCKET";

/// The longest request: names and an address.
const REQUEST_OCTETS_MAX: u64 = 64 * 1024;

/// The longest response: every label of the largest router, several times.
const RESPONSE_OCTETS_MAX: u64 = 256 << 20;

/// How long whoever connects may take to say what it wants, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a request may take: a long convergence of a large region on a slow machine.
const ANSWER_PATIENCE: Duration = Duration::from_secs(600);

/// How long a socket's path may be, on Linux.
const PATH_OCTETS_MAX: usize = 107;

/// The path that was asked for, on the command line or by the environment.
fn chosen(argument: Option<PathBuf>) -> Option<PathBuf> {
    argument.or_else(|| env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from))
}

/// Where a network of this name is to listen: the path that was asked for, else the default one,
/// whose folder is made.
pub(crate) fn place(argument: Option<PathBuf>, name: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = chosen(argument) {
        return Ok(path);
    }
    let folder = Folder::default();
    folder.make()?;
    Ok(folder.path.join(format!("weald-{name}.sock")))
}

/// The default paths at which a network answers.
fn running() -> Result<Vec<PathBuf>, Failure> {
    let folder = Folder::default();
    folder.check()?;
    let Ok(entries) = fs::read_dir(&folder.path) else { return Ok(Vec::new()) };
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_named = name.starts_with("weald-") && name.ends_with(".sock");
        is_named && place::check(path, Found::There).is_ok() && answers(path)
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_ours).collect();
    paths.sort();
    Ok(paths)
}

/// Whether somebody listens.
fn answers(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

/// Whether a socket was asked for, on the command line or by the environment.
pub(crate) fn is_chosen(argument: Option<&PathBuf>) -> bool {
    chosen(argument.cloned()).is_some()
}

/// Whether any network answers at a default path.
pub(crate) fn any_runs() -> bool {
    running().is_ok_and(|paths| !paths.is_empty())
}

/// Connects to the running network.
pub(crate) fn connect(argument: Option<PathBuf>) -> Result<UnixStream, Failure> {
    const HINT: &str = "start one with `weald up DIR`, as `weald up examples/sussex`";
    let (path, found) = match chosen(argument) {
        Some(path) => (path, Found::Named),
        None => {
            let mut running = running()?;
            if running.len() > 1 {
                let paths: Vec<_> = running.iter().map(|p| p.display().to_string()).collect();
                return Err(Failure::input("several networks are running")
                    .hint(format!("choose one with `--socket`: {}", paths.join(", "))));
            }
            let path = running.pop();
            let none = || Failure::network("no running network found").hint(HINT);
            (path.ok_or_else(none)?, Found::There)
        }
    };
    let stream = place::check(&path, found).and_then(|()| UnixStream::connect(&path));
    stream.map_err(|error| {
        let shown = path.display();
        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            return Failure::network(format!("no running network found at `{shown}`")).hint(HINT);
        }
        Failure::network(format!("`{shown}` cannot be used: {error}"))
    })
}

/// Makes the socket at `path`, unless somebody listens there.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, Failure> {
    let shown = path.display();
    if answers(path) {
        return Err(Failure::network(format!("a network is already running at `{shown}`"))
            .hint("stop it with `weald down`, or choose another path with `--socket`"));
    }
    if let Ok(metadata) = fs::symlink_metadata(path) {
        use std::os::unix::fs::FileTypeExt as _;
        if !metadata.file_type().is_socket() {
            return Err(Failure::input(format!("`{shown}` exists and is no socket"))
                .hint("choose another path with `--socket`"));
        }
    }
    listen_anew(path).map_err(|error| {
        let failure = Failure::network(format!("no socket can be made at `{shown}`: {error}"));
        if path.as_os_str().len() > PATH_OCTETS_MAX - SUFFIX_OCTETS_MAX {
            return failure.hint("choose a shorter path with `--socket`");
        }
        failure.hint("choose another path with `--socket`")
    })
}

/// What is added to the path while the socket is made.
const SUFFIX_OCTETS_MAX: usize = ".4294967295/s".len();

fn listen_anew(path: &Path) -> io::Result<UnixListener> {
    let mut private = path.as_os_str().to_owned();
    private.push(format!(".{}", std::process::id()));
    let private = PathBuf::from(private);
    DirBuilder::new().mode(0o700).create(&private)?;
    let temporary = private.join("s");
    let made = UnixListener::bind(&temporary).and_then(|listener| {
        fs::set_permissions(&temporary, Permissions::from_mode(0o600))?;
        fs::rename(&temporary, path)?;
        Ok(listener)
    });
    // Whatever is left of the attempt is of no use.
    let _ = fs::remove_file(&temporary);
    let _ = fs::remove_dir(&private);
    made
}

/// A connection on which whoever is at the other end cannot keep us waiting.
pub(crate) fn be_impatient(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// A connection on which an answer may take its time.
pub(crate) fn be_patient(stream: &UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// Reads the line of a request.
pub(crate) fn read_request(stream: &UnixStream) -> io::Result<String> {
    read_line(stream, REQUEST_OCTETS_MAX)
}

/// Reads the line of a response.
pub(crate) fn read_response(stream: &UnixStream) -> io::Result<String> {
    read_line(stream, RESPONSE_OCTETS_MAX)
}

fn read_line(stream: &UnixStream, octets_max: u64) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(octets_max)).read_line(&mut line)?;
    if line.ends_with('\n') {
        return Ok(line);
    }
    let kind = io::ErrorKind::InvalidData;
    Err(io::Error::new(kind, format!("no whole line of at most {octets_max} octets")))
}

/// Writes a line.
pub(crate) fn write_line(mut stream: &UnixStream, line: &str) -> io::Result<()> {
    stream.write_all(line.as_bytes())?;
    stream.write_all(b"\n")?;
    stream.flush()
}
