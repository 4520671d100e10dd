//! Four routers in a row between two hosts, each a process on this machine, against four kernels in
//! a row between two hosts: the same program measures both, one after the other.
//!
//! Over Ethernet the kernel only forwards addresses, and ours push, swap and pop labels in user
//! space: the ratio says what that costs. Over secure links the peer is `wireguard-go`, which seals
//! and opens as often as ours do, with as many threads as there are processors.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::workspace::{Workspace, stdout};

/// How long each stream lasts, in seconds.
const TIME_S: &str = "4";
const PEERS: &str = include_str!("peers.sh");
/// The example that runs, and what it prints when it does.
const EXAMPLE: &str = "examples/two-pops";
const IS_UP: &str = "the lab runs";

/// A lab that ends with this.
struct Lab<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    socket: PathBuf,
    child: Child,
}

impl<'a> Lab<'a> {
    fn start(workspace: &'a Workspace, program: &'a Path) -> anyhow::Result<Self> {
        let socket = std::env::temp_dir().join(format!("weald-bench-{}.sock", std::process::id()));
        let mut command = workspace.command(program);
        command.arg("lab").arg(EXAMPLE).arg("--socket").arg(&socket);
        let mut child = command.stderr(Stdio::piped()).spawn().context("the lab")?;
        let said = child.stderr.take().context("the lab says nothing")?;
        let lab = Self { workspace, program, socket, child };
        for line in BufReader::new(said).lines() {
            if line?.contains(IS_UP) {
                return Ok(lab);
            }
        }
        bail!("the lab has ended");
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<Value> {
        let mut command = self.workspace.command(self.program);
        command.args(words).arg("--json").arg("--socket").arg(&self.socket);
        serde_json::from_str(&stdout(command)?).context("not JSON")
    }

    /// A program on a site's LAN.
    fn at(&self, site: &str, program: &str) -> anyhow::Result<Command> {
        let said = self.ask(&["lan", site])?;
        let namespace = said.get("namespace").and_then(Value::as_str).context("no namespace")?;
        let mut command = self.workspace.command("nsenter");
        command.arg(format!("--net={namespace}")).arg(program);
        Ok(command)
    }

    /// `iperf3` from one site to another's address.
    fn measure(&self, from: &str, to: (&str, &str), options: &[&str]) -> anyhow::Result<Value> {
        let (site, address) = to;
        let mut server = self.at(site, "iperf3")?;
        server.args(["-s", "-1", "-B", address]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = server.spawn().context("iperf3")?;
        loop {
            let mut sockets = self.at(site, "ss")?;
            sockets.args(["-Hltn", "sport", "=", "5201"]);
            if !stdout(sockets)?.is_empty() {
                break;
            }
            if let Some(status) = server.try_wait()? {
                bail!("iperf3 does not serve: {status}");
            }
        }
        let mut client = self.at(from, "iperf3")?;
        client.args(["-c", address, "-J", "-t", TIME_S]).args(options);
        let said = stdout(client);
        let _ = server.kill();
        let _ = server.wait();
        serde_json::from_str(&said?).context("not JSON")
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// What `iperf3` says of a stream: megabits a second that arrived, and datagrams a second where it
/// sent any.
fn figures(said: &Value) -> anyhow::Result<(f64, f64)> {
    let number = |pointer: &str| said.pointer(pointer).and_then(Value::as_f64);
    let rate = number("/end/sum_received/bits_per_second").context("no stream")?;
    let seconds = number("/end/sum_received/seconds").context("no stream")?;
    let packets = number("/end/sum_received/packets").unwrap_or_default();
    let lost = number("/end/sum_received/lost_packets").unwrap_or_default();
    Ok((rate / 1e6, (packets - lost) / seconds))
}

/// The other chains: megabits and datagrams of kernels in a row, megabits with WireGuard.
fn peers(workspace: &Workspace) -> anyhow::Result<(f64, f64, f64)> {
    let mut command = workspace.command("unshare");
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    command.args(["bash", "-c", PEERS, "peers", TIME_S]);
    let said = stdout(command)?;
    let mut streams = said.lines().map(|line| figures(&serde_json::from_str(line)?));
    let mut next = || streams.next().context("a measurement is missing")?;
    let (tcp, datagrams, sealed) = (next()?, next()?, next()?);
    Ok((tcp.0, datagrams.1, sealed.0))
}

/// One run of everything.
pub(super) fn run(workspace: &Workspace, program: &Path) -> anyhow::Result<Value> {
    let (kernel, kernel_datagrams, wireguard) = peers(workspace)?;
    let lab = Lab::start(workspace, program)?;
    let hospital = ("H1", "10.1.0.20");
    let (tcp, _) = figures(&lab.measure("H2", hospital, &[])?)?;
    let (_, datagrams) = figures(&lab.measure("H2", hospital, &["-u", "-l", "64", "-b", "0"])?)?;
    let (sealed, _) = figures(&lab.measure("G1", ("G2", "10.2.1.20"), &["-M", "1300"])?)?;
    Ok(json!({
        "tcp_mbps": tcp,
        "kernel_tcp_mbps": kernel,
        "tcp_to_kernel": tcp / kernel,
        "datagrams_per_s": datagrams,
        "kernel_datagrams_per_s": kernel_datagrams,
        "datagrams_to_kernel": datagrams / kernel_datagrams,
        "secure_tcp_mbps": sealed,
        "wireguard_go_tcp_mbps": wireguard,
        "secure_to_wireguard_go": sealed / wireguard,
    }))
}
