//! FRR: some of its daemons in a namespace, told by `vtysh`.
//!
//! Its daemons change their user, which makes the kernel forget that they were to end with the
//! test. So they run in a process namespace whose first process is a shell that reads its commands
//! from the test: when the test ends, however it ends, the shell does, and everything with it. The
//! mounts are private too: what `zebra` takes for the machine's named network namespaces, its
//! VRFs, are those that the test gives it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::net::Net;
use crate::wait::{Package, last_words, need, succeed, wait_for};

const PACKAGES: [Package; 3] = [
    Package { name: "frr", programs: &["/usr/lib/frr/zebra", "vtysh"] },
    Package { name: "util-linux", programs: &["unshare", "mount"] },
    Package { name: "hostname", programs: &["hostname"] },
];
/// How long its daemons may take to be ready.
const START: Duration = Duration::from_secs(10);

/// FRR's daemons of one router, until this is dropped.
#[derive(Debug)]
pub(crate) struct Frr {
    name: String,
    folder: TempDir,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Frr {
    /// Starts `zebra` and these daemons in a namespace: `isisd`, `bfdd`, `bgpd`, `staticd`.
    pub(crate) fn start(net: &Net, space: &str, daemons: &[&str], config: &str) -> Self {
        Self::start_with_vrfs(net, space, &[], daemons, config)
    }

    /// The same with VRFs, by name and namespace: the kernel need not have VRFs of its own.
    pub(crate) fn start_with_vrfs(
        net: &Net,
        space: &str,
        vrfs: &[(&str, &str)],
        daemons: &[&str],
        config: &str,
    ) -> Self {
        need(&PACKAGES);
        let folder = TempDir::with_prefix("frr-").expect("a folder");
        fs::write(folder.path().join("frr.conf"), config).expect("a file");
        fs::write(folder.path().join("vtysh.conf"), "").expect("a file");
        succeed(Command::new("chown").args(["-R", "frr:frr"]).arg(folder.path()));
        let mut command = net.command(space, "unshare");
        command.args(["--mount", "--uts", "--pid", "--fork", "--kill-child", "sh"]);
        command.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let said = fs::File::create(folder.path().join("messages")).expect("a file");
        let mut child = command.stderr(said).spawn().expect("a shell starts");
        let commands = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut frr = Self { name: space.to_owned(), folder, child, commands, answers };
        frr.shell(&format!("hostname {space} && echo 1 >/proc/sys/net/ipv4/ip_forward"));
        // Its daemons keep notes there under their process number, which is not theirs alone.
        frr.shell("mount -t tmpfs -o mode=1777 frr /var/tmp");
        frr.mount(net, vrfs);
        frr.run("zebra", if vrfs.is_empty() { "" } else { "-n" });
        for daemon in daemons {
            frr.run(daemon, "");
        }
        frr.configure_from_file("frr.conf");
        frr
    }

    /// Shows `zebra` the namespaces that are its VRFs, and no others.
    fn mount(&mut self, net: &Net, vrfs: &[(&str, &str)]) {
        if vrfs.is_empty() {
            return;
        }
        self.shell("mkdir -p /run/netns && mount -t tmpfs vrfs /run/netns");
        for (name, space) in vrfs {
            let path = net.space(space).path();
            let path = path.display();
            self.shell(&format!("touch /run/netns/{name}"));
            self.shell(&format!("mount --bind {path} /run/netns/{name}"));
        }
    }

    /// Has the shell do something, and waits until it is done; its children may go on.
    fn shell(&mut self, line: &str) {
        writeln!(self.commands, "{line}; echo $?").expect("the shell runs");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("answers are text");
        assert_eq!(answer.trim(), "0", "{line}: {}", self.file("messages"));
    }

    /// Starts one of its daemons, and waits until it can be told something.
    pub(crate) fn run(&mut self, daemon: &str, options: &str) {
        let folder = self.folder.path().display().to_string();
        let of = |what: &str| format!("{folder}/{daemon}.{what}");
        let (log, vty) = (of("log"), of("vty"));
        let _ = fs::remove_file(&vty);
        fs::write(&log, "").expect("a file");
        succeed(Command::new("chown").args(["frr:frr", &log]));
        let control =
            if daemon == "bfdd" { format!("--bfdctl {folder}/bfdd.sock") } else { String::new() };
        self.shell(&format!(
            "/usr/lib/frr/{daemon} -A 127.0.0.1 -P 0 --vty_socket {folder} -z {folder}/zserv.api \
             -f /dev/null -i {pid} --log file:{log} --log-level info {control} {options} \
             </dev/null >{out} 2>&1 & {daemon}=$!",
            pid = of("pid"),
            out = of("out"),
        ));
        let ready = || if Path::new(&vty).exists() { Ok(()) } else { Err(self.file(&of("out"))) };
        wait_for(&format!("{daemon} of {}", self.name), START, ready);
    }

    /// Starts one of its daemons that has died once more, as a system does: with its configuration
    /// there from the beginning.
    pub(crate) fn run_again(&mut self, daemon: &str, config: &str) {
        let file = self.folder.path().join("again.conf");
        fs::write(&file, config).expect("a file");
        self.run(daemon, &format!("-f {}", file.display()));
    }

    /// Ends one of its daemons as a fault does: from one moment to the next.
    pub(crate) fn kill(&mut self, daemon: &str) {
        self.shell(&format!("kill -KILL ${daemon}"));
    }

    fn vty(&self) -> Command {
        let mut command = Command::new("vtysh");
        command.arg("--vty_socket").arg(self.folder.path());
        command.arg("--config_dir").arg(self.folder.path());
        command
    }

    fn configure_from_file(&self, file: &str) {
        let said = succeed(self.vty().arg("-f").arg(self.folder.path().join(file)));
        assert!(!said.contains("% "), "{}: {said}", self.name);
    }

    /// Adds to its configuration; `no …` takes away.
    pub(crate) fn configure(&self, lines: &str) {
        fs::write(self.folder.path().join("more.conf"), lines).expect("a file");
        self.configure_from_file("more.conf");
    }

    /// What it answers.
    pub(crate) fn vtysh(&self, command: &str) -> String {
        succeed(self.vty().args(["-c", command]))
    }

    /// What it answers, as JSON.
    pub(crate) fn json(&self, command: &str) -> Value {
        let said = self.vtysh(command);
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{command}: {error}: {said}"))
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        last_words(|| {
            let folder = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
            let files = folder.map(|file| file.file_name().to_string_lossy().into_owned());
            let is_wanted = |file: &String| {
                [".log", ".out", ".conf", "messages"].iter().any(|ending| file.ends_with(ending))
            };
            let text = |file: String| format!("{file}\n{}\n", self.file(&file));
            format!("{}: {}", self.name, files.filter(is_wanted).map(text).collect::<String>())
        });
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
