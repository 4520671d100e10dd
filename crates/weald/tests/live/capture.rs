//! What goes over an interface, kept for people where they ask for it.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::net::Net;
use crate::wait::{Package, need};

/// The folder for captures; none are made without it.
const FOLDER: &str = "WEALD_LIVE_CAPTURE";
const PACKAGES: [Package; 1] = [Package { name: "tcpdump", programs: &["tcpdump"] }];

/// A capture that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Capture {
    child: Child,
    /// What it says, kept open.
    _said: BufReader<std::process::ChildStderr>,
}

impl Capture {
    /// Keeps what goes over an interface in `NAME.pcap`, where that is asked for. What our router
    /// sends bypasses captures at its own end, so the far end is the one to listen at.
    pub(crate) fn start(net: &Net, space: &str, interface: &str, name: &str) -> Option<Self> {
        let folder = PathBuf::from(env::var_os(FOLDER)?);
        need(&PACKAGES);
        let mut command = net.command(space, "tcpdump");
        command.args(["-i", interface, "-Z", "root", "-U", "-w"]);
        command.arg(folder.join(format!("{name}.pcap")));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("tcpdump starts");
        let mut said = BufReader::new(child.stderr.take().expect("its messages are piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            let read = said.read_line(&mut line).expect("messages are text");
            assert!(read > 0, "tcpdump has ended: {line}");
        }
        Some(Self { child, _said: said })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
