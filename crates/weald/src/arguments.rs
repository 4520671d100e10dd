//! What can be typed.
//!
//! Commands that ask a running network are the requests of [`crate::control::request`] themselves,
//! so that what is typed is what is sent.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgMatches, Args, FromArgMatches, Parser, Subcommand, ValueEnum};
use intent::Date;

use crate::control::request::{Lan, Probe, Request};
use crate::daemon::log::Format;

const EXIT_CODES: &str = "\
Exit codes:
  0  everything is as it should be
  1  the network does not do what it should, does not have what was named, or does not run
  2  what was typed or what is in the files cannot be used
  3  `weald plan` only: there is something to do, and nothing stands against it

Examples:
  weald check examples/sussex
  weald up examples/sussex
  weald status            (in another terminal)";

const ROUTER_HELP: &str = "\
The file of ports says what stands behind each port of the configuration:

  [port.to-brighton-1]
  interface = \"eth1\"

  [port.uplink-g81001.secure]
  listen = \"0.0.0.0:51820\"
  private_key_file = \"uplink.key\"
  peer = \"mhjEAYLvXO4/xWXsU7yQ3DO0LPTTeDgKpbKWCVMGeyk=\"

SIGHUP has it read its configuration again, as the user that it has become; one that asks for other
ports than those that are open needs a restart. SIGTERM stops it. Started as root it must be told
who to become: `systemd-sysusers packaging/weald.sysusers` makes the user `weald`.

Examples:
  weald compile examples/two-pops --out plan.json --routers configs
  weald router configs/lewes-1.json --ports ports.toml --check
  weald router configs/lewes-1.json --ports ports.toml --user weald --metrics 127.0.0.1:9464";

const PROVE_HELP: &str = "\
With --certificate the result is signed and written to a file, for people to file and for
`weald verify` to check. A certificate is an approval: where the proof is refused none is written,
and a file that is there stays as it is. With --report-refused a signed report is written instead,
which says that it is a refusal and approves nothing; the exit code is 1 all the same.

With --live the tables are those of running routers: at one socket of `weald up` or `weald lab`, or
at each `weald router`'s own, by which the promises are not known, so that DIR has to say them.
Tables of another plan than that of the promises are a violation. A certificate says that they were
collected.

Examples:
  weald prove examples/sussex
  weald prove DIR --json
  weald prove examples/sussex --html sussex.html
  weald prove --live
  weald prove DIR --live --socket /run/weald/weald-sussex.sock
  weald prove examples/sussex --certificate sussex.cert.json --key officer.key
  weald prove DIR --plan plan.json --certificate plan.cert.json --key officer.key";

const VERIFY_HELP: &str = "\
Needs no network. The signature first; then that the files, the lock and the plan are those of the
certificate; then everything is proved anew and compared. Whoever has a key can sign: only --signer
says whose signature is good enough, and the public key has to come from somewhere else than the
certificate.

Exit codes:
  0  all of it is as the certificate says, and it is an approval
  1  the signature is not good, something differs, or it is the report of a refusal
  2  the file is no certificate, or the folder cannot be used

Examples:
  weald verify sussex.cert.json examples/sussex
  weald verify plan.cert.json DIR --plan plan.json --signer $(cat officer.pub)";

const KEY_HELP: &str = "\
The file is readable for its owner only, and one that exists is never overwritten. The public key is
printed: give it to whoever is to check certificates, by another way than the certificates.

Example:
  weald key officer.key > officer.pub";

const EXPLAIN_HELP: &str = "\
Nothing is sent: the packet and its answer are followed through the forwarding tables of the plan,
or with --live those of running routers. Every link of the chain is shown: the lines of the intent,
who agreed and when, the plan's entries, and the tables of each router on the way. Where one is
missing, it is said which, and what there would have to be.

Exit codes:
  0  it can, and that was agreed to
  1  it cannot, or it can although nobody agreed to it
  2  what was typed or what is in the files cannot be used

Examples:
  weald explain examples/six-sites G1 records
  weald explain examples/six-sites P1 records --port tcp/443 --json
  weald explain DIR G1 10.1.0.10 --port tcp/22 --live";

const PLAN_HELP: &str = "\
Who gains and loses what, what comes and goes, which addresses and labels move (none should), what
each router gets; then whether the new plan is isolated, over every forwarding entry. Nothing is
written: numbers that are not in the lock yet are listed as what would be allotted.
Without --from it is compared with the network that runs, where one of the region answers at the
socket (it does not tell its keys: a changed key is not seen then), and with nothing where none
does: everything is new.

Exit codes:
  0  nothing to do
  1  refused by a proof
  2  what was typed or what is in the files cannot be used
  3  something to do, and no proof refuses it

Examples:
  weald plan DIR --from plan.json       (as `weald compile --out` wrote it)
  weald plan DIR --from ../before
  weald plan examples/two-pops --json";

/// A private MPLS network shared by many organisations: check it, run it, ask it.
#[derive(Debug, Parser)]
#[command(name = "weald", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Validate an intent and compile it, without writing or starting anything
    #[command(after_help = "Example:\n  weald check examples/sussex")]
    Check(Check),
    /// Compile an intent to one configuration per router, and allot the numbers it needs
    #[command(after_help = "\
The plan holds the region's keys: a file is made readable for its owner only.
The plan's number is one more than that of the plan that the file has, where a router changes.

Example:
  weald compile examples/sussex --out /tmp/sussex-plan.json")]
    Compile(Compile),
    /// Start every router of a region on this machine, test every promise, and stay up
    #[command(after_help = "\
Examples:
  weald up examples/sussex
  weald up examples/two-pops --once --json
  sudo weald up examples/two-pops --attach G1   (then `sudo weald shell G1`)")]
    Up(Up),
    /// Run one router of a plan on this machine's own ports
    #[command(after_help = ROUTER_HELP)]
    Router(Router),
    /// Run a region on this machine with real interfaces, one process for each router
    #[command(after_help = "\
Needs root, and `ip` of the package iproute2. Stopped by `weald down` or Control-C; whatever ends
it, no interface or process stays.

Examples:
  weald lab examples/two-pops
  weald lab examples/sussex --site G81001 --site RXH01
  weald shell H1            (in another terminal)
  weald cut brighton-1--lewes-1")]
    Lab(Lab),
    /// Open a shell on a site's LAN, or run a program there
    #[command(after_help = "\
Examples:
  weald shell H1
  weald shell G1 -- curl https://10.1.0.10/
  weald shell H1 --network hospitals -- ip address")]
    Shell(Shell),
    #[command(flatten)]
    Ask(Ask),
    /// Run a region under random faults, one run per seed
    #[command(after_help = "Example:\n  weald search examples/six-sites --seeds 20 --from 1")]
    Search(Search),
    /// Let every core link, core router and point of presence fail, one after the other
    #[command(after_help = "Example:\n  weald sweep examples/six-sites")]
    Sweep(Sweep),
    /// Prove that virtual networks are isolated, over every forwarding entry
    #[command(after_help = PROVE_HELP)]
    Prove(Prove),
    /// Say what an intent would change, in words, and whether a proof refuses it
    #[command(after_help = PLAN_HELP)]
    Plan(Plan),
    /// Say why somebody can reach something or not: who agreed, and router by router
    #[command(after_help = EXPLAIN_HELP)]
    Explain(Explain),
    /// Check a certificate against an intent, offline
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Make a key that signs certificates
    #[command(after_help = KEY_HELP)]
    Key {
        /// The file to be made
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Roll a change out on the twin, ring by ring, and say who loses packets and what leaks
    #[command(after_help = "\
OLD is the network that runs, NEW a copy of its folder with changes, with the same lock or none.
Nothing is written. A packet that is lost although both promise it, and a packet that arrives
although neither does, make the exit code 1.

Example:
  weald rehearse examples/sussex /tmp/sussex-with-changes")]
    Rehearse(Rehearse),
    /// Print the JSON Schema of `network.toml` or `services.toml`
    #[command(after_help = "Example:\n  weald schema network > network.schema.json")]
    Schema {
        /// Of which file
        file: SchemaFile,
    },
    /// Print a completion script
    #[command(after_help = "\
Example:
  weald completions bash > ~/.local/share/bash-completion/completions/weald")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// A request, and the network that it is for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
    pub(crate) socket: Socket,
}

#[derive(Debug, Args)]
pub(crate) struct Socket {
    /// The network's control socket, instead of `$WEALD_SOCKET` or the default
    #[arg(long = "socket", global = true, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
}

/// What runs, and where it answers.
#[derive(Debug, Args)]
pub(crate) struct Running {
    /// Collect the forwarding tables from running routers
    #[arg(long)]
    pub(crate) live: bool,
    /// A control socket to collect them at, several for several routers
    #[arg(long = "socket", value_name = "PATH", requires = "live")]
    pub(crate) sockets: Vec<PathBuf>,
}

impl FromArgMatches for Ask {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let request = Request::from_arg_matches(matches)?;
        let of_request = matches.subcommand().map_or(matches, |(_, matches)| matches);
        Ok(Self { request, socket: Socket::from_arg_matches(of_request)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for Ask {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let requests = Request::augment_subcommands(clap::Command::new("requests"));
        // Their order among all commands is that of being added here.
        let anew = |request: &clap::Command| {
            Socket::augment_args(request.clone().display_order(None::<usize>))
        };
        command.subcommands(requests.get_subcommands().map(anew))
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        Request::has_subcommand(name)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

#[derive(Debug, Args)]
pub(crate) struct Compile {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Write the plan to a file, instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Write each router's configuration to a file in this folder
    #[arg(long, value_name = "FOLDER", requires = "out")]
    pub(crate) routers: Option<PathBuf>,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) socket: Socket,
    /// Give a LAN, as SITE or SITE:VN, to `weald shell`, or with =TAP to a TAP
    #[arg(long, value_name = "LAN", conflicts_with = "once")]
    pub(crate) attach: Vec<Attach>,
    /// Print the result and exit: 0 only where every promise is kept
    #[arg(long)]
    pub(crate) once: bool,
    /// Everything random comes from this number
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Test one in N pairs of one virtual network only [N: 20]
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "20",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) quick: Option<u64>,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

/// A LAN to be given to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attach {
    pub(crate) lan: Lan,
    /// The TAP that it is given to; none: a namespace of its own.
    pub(crate) tap: Option<String>,
}

impl FromStr for Attach {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (lan, tap) = text.split_once('=').map_or((text, None), |(lan, tap)| (lan, Some(tap)));
        let (site, network) =
            lan.split_once(':').map_or((lan, None), |(site, network)| (site, Some(network)));
        let lan = Lan { site: site.to_owned(), network: network.map(str::to_owned) };
        Ok(Self { lan, tap: tap.map(str::to_owned) })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Router {
    /// The router's configuration, as `weald compile --routers` writes it
    #[arg(value_name = "CONFIG")]
    pub(crate) config: PathBuf,
    /// What stands behind each port
    #[arg(long, value_name = "FILE")]
    pub(crate) ports: PathBuf,
    #[command(flatten)]
    pub(crate) socket: Socket,
    /// Look at both files and do nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// Become this user once the ports are open; as root it has to be given
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Offer figures for Prometheus at this address and port
    #[arg(long, value_name = "ADDR")]
    pub(crate) metrics: Option<SocketAddr>,
    /// How lines of the log look
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) log: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Lab {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) socket: Socket,
    /// Give this site's router a process of its own [default: all, if few]
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Vec<String>,
    /// Start it, say how it came up, and stop
    #[arg(long)]
    pub(crate) once: bool,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

#[derive(Debug, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    pub(crate) lan: Lan,
    #[command(flatten)]
    pub(crate) socket: Socket,
    /// The program and its arguments [default: $SHELL]
    #[arg(last = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The folder of the intent
    #[arg(value_name = "DIR", default_value = "examples/six-sites")]
    pub(crate) folder: PathBuf,
    /// How many seeds to try
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) seeds: u64,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) from: u64,
    /// Test one in K pairs of one virtual network only
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) share: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Sweep {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Test every pair under every failure, instead of one in 20
    #[arg(long)]
    pub(crate) full: bool,
    /// Everything random comes from this number
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// The folder of the intent [default: the promises of what runs]
    #[arg(value_name = "DIR", required_unless_present = "live")]
    pub(crate) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: Running,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
    /// The plan that is to ship: refused where the intent compiles to another
    #[arg(long, value_name = "FILE", requires = "folder")]
    pub(crate) plan: Option<PathBuf>,
    /// Write a signed certificate of the result
    #[arg(long, value_name = "FILE", requires_all = ["key", "folder"])]
    pub(crate) certificate: Option<PathBuf>,
    /// The key to sign with, as `weald key` made it
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Where the proof is refused, write a signed report that says so
    #[arg(long, requires = "certificate")]
    pub(crate) report_refused: bool,
    /// Write a page for people to read, print and file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Isolation and survival alone: no repairs, no loads
    #[arg(long, conflicts_with_all = ["certificate", "html", "live"])]
    pub(crate) quick: bool,
    /// Look for every promise in the tables of every single failure too
    #[arg(long, conflicts_with_all = ["quick", "live"])]
    pub(crate) deep: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// What to compare with: a plan's file, or the folder of an intent
    #[arg(long, value_name = "OLD", conflicts_with = "path")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) socket: Socket,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) probe: Probe,
    #[command(flatten)]
    pub(crate) running: Running,
    /// The day communities must not have expired on [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) date: Option<Date>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The certificate
    #[arg(value_name = "CERT")]
    pub(crate) certificate: PathBuf,
    /// The folder of the intent
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The public key of the only one whose signature is good
    #[arg(long, value_name = "PUBLIC_KEY")]
    pub(crate) signer: Option<proof::certificate::PublicKey>,
    /// The plan that is to ship: refused where it is not the certified one
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    /// The folder of the intent in force
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// The folder of the intent that is to be
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    /// Everything random comes from this number
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFile {
    /// Of `network.toml`
    Network,
    /// Of `services.toml`
    Services,
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Command};
    use clap::{CommandFactory as _, Parser as _};

    fn walk(command: &mut clap::Command, path: &str, check: &mut dyn FnMut(&str, &str)) {
        for help in [command.render_help(), command.render_long_help()] {
            check(path, &help.to_string());
        }
        for sub in command.get_subcommands_mut() {
            if sub.get_name() != "help" {
                let path = format!("{path} {}", sub.get_name());
                walk(sub, &path, check);
            }
        }
    }

    #[test]
    fn every_command_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_help_has_an_example_of_its_own_command() {
        let mut command = Arguments::command();
        command.build();
        let mut seen = 0;
        walk(&mut command, "weald", &mut |path, help| {
            seen += 1;
            let (_, example) = help.split_once("Example").expect(path);
            assert!(example.contains(path), "{path}: {example}");
        });
        assert!(seen > 30, "{seen}");
    }

    #[test]
    fn help_fits_on_a_screen() {
        const COLUMNS_MAX: usize = 100;
        let mut command = Arguments::command();
        command.build();
        walk(&mut command, "weald", &mut |path, help| {
            for line in help.lines() {
                assert!(line.chars().count() <= COLUMNS_MAX, "{path}: {line}");
            }
        });
    }

    #[test]
    fn the_help_has_every_command_in_order() {
        let mut command = Arguments::command();
        let help = command.render_help().to_string();
        let mut rest = help.as_str();
        for sub in command.get_subcommands() {
            let line = format!("\n  {} ", sub.get_name());
            (_, rest) = rest.split_once(line.as_str()).expect(&line);
        }
    }

    #[test]
    fn the_socket_is_offered_where_one_is_used() {
        const WITHOUT: [&str; 9] = [
            "check",
            "compile",
            "search",
            "sweep",
            "rehearse",
            "verify",
            "key",
            "schema",
            "completions",
        ];
        let mut command = Arguments::command();
        command.build();
        walk(&mut command, "weald", &mut |path, help| {
            let name = path.split(' ').nth(1);
            let uses = name.is_some_and(|name| !WITHOUT.contains(&name));
            assert_eq!(help.contains("--socket"), uses, "{path}");
        });
    }

    #[test]
    fn the_socket_may_stand_anywhere_behind_its_command() {
        for line in ["status --socket s", "show --socket s events", "show events G1 --socket s"] {
            let words = std::iter::once("weald").chain(line.split(' '));
            let Command::Ask(ask) = Arguments::try_parse_from(words).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!(ask.socket.path, Some("s".into()), "{line}");
        }
        for line in ["check d --socket s", "trace G1 G2 --count 2"] {
            let words = std::iter::once("weald").chain(line.split(' '));
            assert!(Arguments::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn mending_nothing_in_particular_is_told_of_the_whole() {
        let error = Arguments::try_parse_from(["weald", "mend"]).unwrap_err().to_string();
        assert!(error.contains("<NAME|--all>"), "{error}");
    }
}
