//! The loop that drives a router: frames from the devices, time, and back.
//!
//! One thread does everything. It waits until a device has frames, a timer is due, or somebody
//! outside wants something; it takes a bounded batch from each device in turn, so that a port
//! under a flood gets its share and no more; what the router answers goes out at once. The rings of
//! the devices are the only queues.
//! Frames are read before timers have their turn ([`Grace`]).

use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant as Clock};

use base::{Instant, PortId};
use router::{Event, Input, Output, Router};

use crate::device::{Counters, Device};
use crate::ffi::{self, Waiting};
use crate::grace::Grace;
use crate::telling::Telling;

/// Frames that one port may bring before the next port has its turn.
const BATCH: usize = 64;
/// How often carrier is looked at even where nobody tells of a change.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It does.
    GoOn,
    /// It ends.
    End,
}

/// Who is told of what happens, and has a say.
pub trait Master {
    /// What becomes readable when [`Master::attend`] is wanted.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// Somebody outside wants something; `ready` says which descriptors can be read.
    fn attend(&mut self, driver: &mut Driver, ready: &[bool]) -> Next;

    /// Every round, after everything else; says by when there has to be another one.
    fn round(&mut self, driver: &mut Driver) -> Option<Instant>;

    /// The router tells something, after so many others like it that came too fast to be told.
    fn told(&mut self, now: Instant, event: &Event, left_out: u64);

    /// A device has failed and is used no more.
    fn failed(&mut self, port: PortId, error: &io::Error);
}

struct Port {
    id: PortId,
    device: Option<Box<dyn Device>>,
    carrier: bool,
    dirty: bool,
    ready: bool,
    /// What the device had counted when it failed.
    last: Counters,
}

/// A router, its devices, and its clock.
pub struct Driver {
    router: Router,
    ports: Vec<Port>,
    epoch: Clock,
    watch: OwnedFd,
    looked: Option<Clock>,
    /// When the master wants another round.
    wanted: Option<Instant>,
    events: Vec<Event>,
    telling: Telling,
    grace: Grace,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("router", &self.router.config().name).finish_non_exhaustive()
    }
}

impl Driver {
    /// Joins a router, made at its time zero, and the devices behind its ports. Carrier is heard of
    /// from the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(router: Router, devices: Vec<(PortId, Box<dyn Device>)>) -> io::Result<Self> {
        let port = |(id, device)| Port {
            id,
            device: Some(device),
            carrier: false,
            dirty: false,
            ready: false,
            last: Counters::default(),
        };
        Ok(Self {
            router,
            ports: devices.into_iter().map(port).collect(),
            epoch: Clock::now(),
            watch: ffi::link_watch()?,
            looked: None,
            wanted: None,
            events: Vec::new(),
            telling: Telling::default(),
            grace: Grace::default(),
        })
    }

    /// The router.
    #[must_use]
    pub const fn router(&self) -> &Router {
        &self.router
    }

    /// The router's time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// Does something with the router, and carries away what it says.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut Router, Instant) -> T) -> T {
        let now = self.now();
        let result = work(&mut self.router, now);
        self.drain();
        self.flush();
        result
    }

    /// What each device has counted.
    pub fn counters(&mut self) -> impl Iterator<Item = (PortId, Counters)> {
        self.ports.iter_mut().map(|port| {
            let counted = port.device.as_mut().map(|device| device.counters());
            (port.id, counted.unwrap_or(port.last))
        })
    }

    /// What whoever runs the router should know of the devices, and do about it.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.ports.iter().filter_map(|port| port.device.as_ref()?.note())
    }

    /// Runs until the master has had enough.
    ///
    /// # Errors
    /// What the kernel says of waiting.
    pub fn run(&mut self, master: &mut dyn Master) -> io::Result<()> {
        loop {
            self.look_after_carrier();
            self.tell(master);
            let (called, changed) = self.wait(master)?;
            if changed {
                self.looked = None;
            }
            self.receive(master);
            self.timers();
            if called.contains(&true) && master.attend(self, &called) == Next::End {
                self.tell(master);
                return Ok(());
            }
            self.wanted = master.round(self);
        }
    }

    /// Waits; says which of the master's descriptors can be read, and whether an interface has
    /// changed.
    fn wait(&mut self, master: &dyn Master) -> io::Result<(Vec<bool>, bool)> {
        let busy = self.ports.iter().any(|port| port.ready);
        let timeout = if busy { Duration::ZERO } else { self.until_due() };
        let own = core::iter::once(self.watch.as_fd());
        let devices = self.ports.iter().filter_map(|port| Some(port.device.as_ref()?.descriptor()));
        let waiting = |descriptor| Waiting { descriptor, ready: false };
        let masters = master.descriptors();
        let callers = masters.len();
        let mut all: Vec<_> = masters.into_iter().chain(own).chain(devices).map(waiting).collect();
        ffi::wait(&mut all, Some(timeout))?;
        let mut ready = all.into_iter().map(|one| one.ready).collect::<Vec<_>>().into_iter();
        let called = ready.by_ref().take(callers).collect();
        let changed = ready.next() == Some(true);
        let open = self.ports.iter_mut().filter(|port| port.device.is_some());
        for (port, ready) in open.zip(ready) {
            // What was left of a full batch waits still, whatever the kernel says.
            port.ready |= ready;
        }
        if changed {
            let mut news = [0; 8192];
            while ffi::read(self.watch.as_fd(), &mut news).is_ok() {}
        }
        Ok((called, changed))
    }

    fn until_due(&self) -> Duration {
        let router = self.router.poll_timeout().map(|deadline| deadline.at);
        let due = router.into_iter().chain(self.wanted).chain(self.telling.deadline());
        let due = due.map(|at| at.since(self.now()));
        let clock = Clock::now();
        let devices = self.ports.iter().filter_map(|port| port.device.as_ref()?.deadline());
        let devices = devices.map(|at| at.saturating_duration_since(clock));
        let look = self.looked.map_or(Duration::ZERO, |at| LOOK.saturating_sub(at.elapsed()));
        devices.chain(due).fold(look, Duration::min)
    }

    fn receive(&mut self, master: &mut dyn Master) {
        let Self { router, ports, epoch, .. } = self;
        for port in ports.iter_mut().filter(|port| port.ready) {
            let Some(device) = &mut port.device else { continue };
            // One reading of the clock for a batch: its frames came in together.
            let now = Instant::ZERO + epoch.elapsed();
            let id = port.id;
            let result = device.receive(BATCH, &mut |bytes| {
                router.handle_input(now, Input::Frame { port: id, bytes });
            });
            match result {
                Ok(taken) => port.ready = taken == BATCH,
                Err(error) => {
                    port.fail();
                    router.handle_input(now, Input::Port { port: id, up: false });
                    master.failed(id, &error);
                }
            }
        }
        self.drain();
    }

    fn timers(&mut self) {
        let clock = Clock::now();
        for device in self.ports.iter_mut().filter_map(|port| port.device.as_mut()) {
            if device.deadline().is_some_and(|at| at <= clock) {
                device.handle_timeout(clock);
            }
        }
        let (now, unread) = (self.now(), self.ports.iter().any(|port| port.ready));
        let due = self.router.poll_timeout().is_some_and(|deadline| deadline.at <= now);
        if self.grace.is_over(now, due, unread) {
            self.router.handle_timeout(now);
        }
        self.drain();
        self.flush();
    }

    /// Tells the master what the router tells, as far as it is not too much.
    fn tell(&mut self, master: &mut dyn Master) {
        let now = self.now();
        for (event, left_out) in self.telling.due(now) {
            master.told(now, &event, left_out);
        }
        for event in std::mem::take(&mut self.events) {
            if let Some(event) = self.telling.take(now, event) {
                master.told(now, &event, 0);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.router.poll_output() {
            match output {
                Output::Frame { port, bytes } => {
                    let port = self.ports.iter_mut().find(|one| one.id == port);
                    if let Some((device, dirty)) =
                        port.and_then(|port| Some((port.device.as_mut()?, &mut port.dirty)))
                    {
                        device.send(bytes.bytes());
                        *dirty = true;
                    }
                }
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn flush(&mut self) {
        for port in self.ports.iter_mut().filter(|port| port.dirty) {
            port.dirty = false;
            if let Some(device) = &mut port.device {
                device.flush();
            }
        }
    }

    /// Tells the router of links that came up or went down.
    fn look_after_carrier(&mut self) {
        let everywhere = self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        if everywhere {
            self.looked = Some(Clock::now());
        }
        let now = self.now();
        for port in &mut self.ports {
            let Some(device) = port.device.as_mut() else { continue };
            if !everywhere && !device.has_news() {
                continue;
            }
            let carrier = device.carrier();
            if port.carrier != carrier {
                port.carrier = carrier;
                self.router.handle_input(now, Input::Port { port: port.id, up: carrier });
            }
        }
        // Nothing is held back while the loop waits.
        self.drain();
        self.flush();
    }
}

impl Port {
    /// The device is used no more; what it counted is kept.
    fn fail(&mut self) {
        if let Some(mut device) = self.device.take() {
            self.last = device.counters();
        }
        (self.ready, self.carrier) = (false, false);
    }
}
