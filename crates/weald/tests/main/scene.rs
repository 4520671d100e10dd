//! What the tests have in common: copies of examples, the binary, a network that runs.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// A folder that goes away with the test.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty folder; `name` is the test's.
    pub(crate) fn new(name: &str) -> Self {
        let folder = format!("{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    /// A copy of an example, without a lock.
    pub(crate) fn of_example(example: &str, name: &str) -> Self {
        let folder = Self::new(name);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
        for file in ["network.toml", "sites.csv", "services.toml"] {
            fs::copy(from.join(file), folder.path(file)).expect("the example can be copied");
        }
        folder
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.to_str().expect("a path of ours is text")
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).expect("the file can be read")
    }

    pub(crate) fn append(&self, file: &str, text: &str) {
        self.write(file, &format!("{}{text}", self.read(file)));
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("the file can be written");
    }

    /// The path of a socket for it: short, because sockets' paths are.
    pub(crate) fn socket(&self) -> String {
        let name = self.0.file_name().expect("it has a name").to_string_lossy().into_owned();
        let path = std::env::temp_dir().join(format!("wtest-{name}.sock"));
        path.to_str().expect("a path of ours is text").to_owned()
    }

    /// The names of its files.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the folder can be listed");
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("output is text"),
            err: String::from_utf8(output.stderr).expect("messages are text"),
        }
    }

    /// What was printed, as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The binary, without what the environment may say about sockets.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weald"));
    command.args(arguments).env_remove("WEALD_SOCKET").stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn weald(arguments: &[&str]) -> Run {
    Run::of(command(arguments).output().expect("the binary runs"))
}

/// Runs the binary to its end, with its default sockets in `folder`.
pub(crate) fn weald_in(folder: &Folder, arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    command.env("XDG_RUNTIME_DIR", folder.name());
    Run::of(command.output().expect("the binary runs"))
}

/// A network that runs until the test ends.
#[derive(Debug)]
pub(crate) struct Running {
    folder: Folder,
    child: Child,
    /// Whether the socket goes away with the test.
    tidy: bool,
    /// Its standard error, kept open.
    _messages: BufReader<std::process::ChildStderr>,
}

impl Running {
    /// Brings an example up and waits until it answers.
    pub(crate) fn start(example: &str, name: &str) -> Self {
        Self::start_in(Folder::of_example(example, name))
    }

    /// Brings up what a folder has.
    pub(crate) fn start_in(folder: Folder) -> Self {
        let socket = folder.socket();
        let mut command = command(&["up", folder.name(), "--socket", &socket]);
        command.args(["--date", "2026-06-01"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut messages = BufReader::new(child.stderr.take().expect("its messages are piped"));
        let mut said = String::new();
        while !said.contains("the network runs and listens") {
            let read = messages.read_line(&mut said).expect("messages are text");
            assert!(read > 0, "it has ended: {said}");
        }
        Self { folder, child, tidy: true, _messages: messages }
    }

    pub(crate) fn socket(&self) -> String {
        self.folder.socket()
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Asks it.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Run {
        let socket = self.socket();
        weald(&[arguments, &["--socket", &socket]].concat())
    }

    /// Asks it for JSON, which must be there.
    pub(crate) fn ask_json(&self, arguments: &[&str]) -> Value {
        self.ask(&[&["--json"], arguments].concat()).json()
    }

    /// Kills it, and leaves its socket behind.
    pub(crate) fn kill(mut self) {
        self.tidy = false;
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> i32 {
        self.child.wait().expect("it can be waited for").code().unwrap_or(-1)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.tidy {
            let _ = fs::remove_file(self.socket());
        }
    }
}
