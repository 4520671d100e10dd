//! BIRD in a namespace, told by `birdc`.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::net::Net;
use crate::wait::{Package, last_words, need, wait_for};

const PACKAGES: [Package; 1] = [Package { name: "bird2", programs: &["bird", "birdc"] }];
/// How long it may take to be ready.
const START: Duration = Duration::from_secs(10);

/// A router that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct Bird {
    name: String,
    folder: TempDir,
    child: Child,
}

impl Bird {
    /// Starts it in a namespace, and waits until it can be told something.
    pub(crate) fn start(net: &Net, space: &str, config: &str) -> Self {
        need(&PACKAGES);
        let folder = TempDir::with_prefix("bird-").expect("a folder");
        fs::write(folder.path().join("bird.conf"), config).expect("a file");
        let log = fs::File::create(folder.path().join("log")).expect("a file");
        let mut command = net.command(space, "bird");
        command.arg("-f").arg("-c").arg(folder.path().join("bird.conf"));
        command.arg("-s").arg(folder.path().join("control"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("it starts");
        let bird = Self { name: space.to_owned(), folder, child };
        wait_for("bird", START, || {
            let said = bird.command("show status").output().expect("it runs");
            if said.status.success() { Ok(()) } else { Err(bird.log()) }
        });
        bird
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("birdc");
        command.arg("-s").arg(self.folder.path().join("control")).args(line.split_whitespace());
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it as a fault does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }
}

impl Drop for Bird {
    fn drop(&mut self) {
        last_words(|| format!("bird in {}\n{}", self.name, self.log()));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
