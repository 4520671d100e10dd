//! The threads behind the socket.
//!
//! One accepts. Each connection has another, which reads one request, hands it to the thread that
//! drives the network, and writes the answer: a request that takes its time keeps no other waiting.
//! There are a few at most; who comes then waits until one has ended. Until the network is up they
//! say so themselves. When the network ends, what was answered is written before the process goes.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::control::request::Request;
use crate::control::response::{Refusal, Response};
use crate::control::socket;
use crate::failure::Failure;

/// Connections at one time: more than pings and traces may be under way, so that these cannot keep
/// `status` and `down` waiting.
pub(crate) const CONNECTIONS_MAX: usize = 16;
/// How long an answer may take to be written once the network has ended.
const GOODBYE: Duration = Duration::from_secs(1);
/// Until the next attempt where no connection can be accepted: too many files are open, say.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// A request, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    pub(crate) reply: Sender<Response>,
}

/// Hands requests to the thread that answers them.
#[derive(Debug)]
pub(crate) struct Asker {
    sender: Sender<Asked>,
    /// Rung at every request: whoever answers waits for more than requests.
    bell: PipeWriter,
}

impl Asker {
    /// The answer; none where nobody answers any more.
    pub(crate) fn ask(&self, request: Request) -> Option<Response> {
        let (reply, answer) = mpsc::channel();
        self.sender.send(Asked { request, reply }).ok()?;
        (&self.bell).write_all(&[1]).ok()?;
        answer.recv().ok()
    }

    /// Another one, for another thread.
    pub(crate) fn another(&self) -> io::Result<Self> {
        Ok(Self { sender: self.sender.clone(), bell: self.bell.try_clone()? })
    }
}

/// The socket, and the threads behind it.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    pub(crate) asked: Receiver<Asked>,
    desk: Arc<Desk>,
}

/// What the threads share.
#[derive(Debug)]
struct Desk {
    asker: Asker,
    is_up: AtomicBool,
    places: Places,
}

/// Places for connections.
#[derive(Debug, Default)]
struct Places {
    taken: Mutex<usize>,
    given_back: Condvar,
}

impl Places {
    /// Waits for a place and takes it.
    fn take(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken >= CONNECTIONS_MAX;
        let taken = self.given_back.wait_while(taken, full);
        *taken.unwrap_or_else(PoisonError::into_inner) += 1;
    }

    fn give_back(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.given_back.notify_all();
    }

    /// Waits until no place is taken, but not for ever.
    fn wait_until_free(&self, patience: Duration) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Who has not taken an answer by then goes without.
        let _ = self.given_back.wait_timeout_while(taken, patience, |taken| *taken > 0);
    }
}

/// A place that somebody has.
struct Place(Arc<Desk>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.give_back();
    }
}

/// A socket that nobody accepts on yet.
#[derive(Debug)]
pub(crate) struct Bound {
    path: PathBuf,
    socket: UnixListener,
}

impl Bound {
    /// Makes the socket.
    pub(crate) fn at(path: &Path) -> Result<Self, Failure> {
        Ok(Self { path: path.to_owned(), socket: socket::listen(path)? })
    }

    /// Starts to accept. What is returned beside the listener can be read when there are requests;
    /// others may ask too.
    pub(crate) fn start(self) -> Result<(Listener, PipeReader, Asker), Failure> {
        let refuse = |error| Failure::network(format!("requests cannot be heard: {error}"));
        let Self { path, socket } = self;
        let (reader, bell) = io::pipe().map_err(refuse)?;
        let (sender, asked) = mpsc::channel();
        let asker = Asker { sender, bell };
        let another = asker.another().map_err(refuse)?;
        let (is_up, places) = (AtomicBool::new(false), Places::default());
        let desk = Arc::new(Desk { asker, is_up, places });
        let behind = Arc::clone(&desk);
        thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&socket, &behind))
            .map_err(refuse)?;
        Ok((Listener { path, asked, desk }, reader, another))
    }
}

impl Listener {
    /// Makes the socket and starts to accept.
    pub(crate) fn start(path: &Path) -> Result<(Self, PipeReader, Asker), Failure> {
        Bound::at(path)?.start()
    }

    /// From now on requests are handed over.
    pub(crate) fn open(&self) {
        self.desk.is_up.store(true, Ordering::Release);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket, and lets what was answered be written.
    pub(crate) fn finish(self) {
        let Self { path, asked, desk } = self;
        remove(&path);
        // Who still waits for an answer is told that there will be none.
        drop(asked);
        desk.places.wait_until_free(GOODBYE);
    }
}

/// Removes a socket; that it is gone already is as good.
pub(crate) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn accept(listener: &UnixListener, desk: &Arc<Desk>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            pause();
            continue;
        };
        desk.places.take();
        let place = Place(Arc::clone(desk));
        let serve = move || {
            // A connection that is gone before it is answered is nobody's loss.
            let _ = serve(&stream, &place.0);
        };
        if thread::Builder::new().name("request".to_owned()).spawn(serve).is_err() {
            pause();
        }
    }
}

/// Waits before the next attempt to accept.
pub(crate) fn pause() {
    // It waits for nothing but the time, and there is no harm in its being short.
    let _ = host::wait_for(&[], PAUSE);
}

fn refusal(message: &str, hint: Option<&str>, code: u8) -> Response {
    let hint = hint.map(str::to_owned);
    Response::Error(Refusal { message: message.to_owned(), hint, code })
}

fn serve(stream: &UnixStream, desk: &Desk) -> io::Result<()> {
    socket::be_impatient(stream)?;
    let line = socket::read_request(stream)?;
    let response = match serde_json::from_str::<Request>(&line) {
        Err(error) => refusal(&format!("request cannot be read: {error}"), None, 2),
        Ok(_) if !desk.is_up.load(Ordering::Acquire) => {
            refusal("the network is still starting", Some("ask again in a moment"), 1)
        }
        Ok(request) => {
            let response = desk.asker.ask(request);
            response.unwrap_or_else(|| refusal("the network is stopping", None, 1))
        }
    };
    let line = serde_json::to_string(&response).map_err(io::Error::other)?;
    socket::write_line(stream, &line)
}
