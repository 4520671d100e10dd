//! `weald router`: one router of a plan on this machine's own ports.

use host::rights::{self, User};
use host::{Driver, Signals};
use router::Router;
use serde_json::json;

use crate::arguments;
use crate::control::listener::Bound;
use crate::control::socket;
use crate::daemon::log::Log;
use crate::daemon::opened::Opened;
use crate::daemon::{Daemon, metrics, ports, read_config};
use crate::failure::{Failure, Outcome};
use crate::output;

pub(crate) fn run(arguments: &arguments::Router, json: bool) -> Result<Outcome, Failure> {
    let config = read_config(&arguments.config)?;
    let seed = rights::random()
        .map_err(|error| Failure::network(format!("the kernel has no randomness: {error}")))?;
    let shown = arguments.config.display().to_string();
    let router = Router::new(base::Instant::ZERO, seed, config.clone())
        .map_err(|errors| Failure::input(format!("`{shown}` cannot be used:\n{errors}")))?;
    let openings = ports::read(&arguments.ports, &config)?;
    let user = arguments.user.as_deref().map(user).transpose()?;
    if arguments.check {
        let said = json!({ "router": config.name, "plan": config.generation, "good": true });
        let text = format!("`{}` of plan {} can be run", config.name, config.generation);
        output::either(json, &said, &text);
        return Ok(Outcome::Good);
    }
    let stays = arguments.user.as_deref().is_none_or(|name| name == "root");
    if stays && rights::is_root() {
        return Err(Failure::input(
            "root has files that a router needs no right to: it runs as another",
        )
        .hint(
            "name one with `--user weald`; `systemd-sysusers packaging/weald.sysusers` makes it",
        ));
    }
    // Before any thread starts: those that start later do not hear signals either.
    let signals = Signals::hear().map_err(|error| refused("signals", &error))?;
    let opened = Opened::of(&openings, &config);
    let devices = ports::open(openings, &config)?;
    let path = socket::place(arguments.socket.path.clone(), &config.name)?;
    let socket = Bound::at(&path)?;
    let figures = arguments.metrics.map(metrics::bind).transpose()?;
    let mut driver = Driver::new(router, devices).map_err(|error| refused("the loop", &error))?;
    rights::give_up(user).map_err(|error| refused("giving up rights", &error))?;
    let (listener, bell, asker) = socket.start()?;
    let offered = figures.map(|figures| metrics::offer(figures, asker)).transpose()?;
    let log = Log::new(config.name.clone(), arguments.log)?;
    log.said(&format!("runs plan {} and listens at {}", config.generation, path.display()));
    driver.notes().for_each(|note| log.warned(note));
    if let Some(address) = offered {
        log.said(&format!("offers figures at {address}"));
    }
    listener.open();
    let config_path = arguments.config.clone();
    let names = (config.name, opened);
    let mut daemon = Daemon::new(config_path, names, (listener, bell), signals, log);
    let ended = driver.run(&mut daemon);
    driver.with(|router, now| router.stop(now));
    daemon.finish(&ended);
    // It has said itself how it ended: here nobody may be there to read it.
    Ok(Outcome::from(ended.is_ok()))
}

fn refused(what: &str, error: &std::io::Error) -> Failure {
    Failure::network(format!("the kernel refuses {what}: {error}"))
}

fn user(name: &str) -> Result<User, Failure> {
    User::named(name).map_err(|error| Failure::input(format!("user `{name}`: {error}")))
}
