//! The thread that accepts on the socket.
//!
//! It serves one connection at a time, reads one request, hands it to the thread that drives the
//! network, and writes the answer. Until the network is up it says so itself. It ends after it has
//! passed on the answer to `down`, and so that answer is never lost.

use std::io::{self, PipeReader, PipeWriter, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::control::request::Request;
use crate::control::response::{Refusal, Response};
use crate::control::socket;
use crate::failure::Failure;

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

/// The socket, and the thread behind it.
#[derive(Debug)]
pub(crate) struct Listener {
    path: PathBuf,
    pub(crate) asked: Receiver<Asked>,
    is_up: Arc<AtomicBool>,
    thread: JoinHandle<()>,
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
        let is_up = Arc::new(AtomicBool::new(false));
        let is_up_there = Arc::clone(&is_up);
        let thread = thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&socket, &asker, &is_up_there))
            .map_err(refuse)?;
        Ok((Listener { path, asked, is_up, thread }, reader, another))
    }
}

impl Listener {
    /// Makes the socket and starts to accept.
    pub(crate) fn start(path: &Path) -> Result<(Self, PipeReader, Asker), Failure> {
        Bound::at(path)?.start()
    }

    /// From now on requests are handed over.
    pub(crate) fn open(&self) {
        self.is_up.store(true, Ordering::Release);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the socket, after the last answer is written where that was to `down`.
    pub(crate) fn finish(self, asked_to: bool) {
        if asked_to {
            // What it has panicked about was printed; nothing is left to be done about it.
            let _ = self.thread.join();
        }
        remove(&self.path);
    }
}

/// Removes a socket; that it is gone already is as good.
pub(crate) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

fn accept(listener: &UnixListener, asker: &Asker, is_up: &AtomicBool) {
    for stream in listener.incoming() {
        // A connection that is gone before it was accepted is nobody's loss.
        let Ok(stream) = stream else { continue };
        match serve(&stream, asker, is_up) {
            Ok(Next::Accept) | Err(_) => {}
            Ok(Next::End) => return,
        }
    }
}

enum Next {
    Accept,
    End,
}

fn refusal(message: &str, hint: Option<&str>, code: u8) -> Response {
    let hint = hint.map(str::to_owned);
    Response::Error(Refusal { message: message.to_owned(), hint, code })
}

fn serve(stream: &UnixStream, asker: &Asker, is_up: &AtomicBool) -> io::Result<Next> {
    socket::be_impatient(stream)?;
    let line = socket::read_request(stream)?;
    let mut next = Next::Accept;
    let response = match serde_json::from_str::<Request>(&line) {
        Err(error) => refusal(&format!("request cannot be read: {error}"), None, 2),
        Ok(_) if !is_up.load(Ordering::Acquire) => {
            refusal("the network is still starting", Some("ask again in a moment"), 1)
        }
        Ok(request) => {
            let is_last = request == Request::Down;
            match asker.ask(request) {
                Some(response) => {
                    if is_last {
                        next = Next::End;
                    }
                    response
                }
                None => {
                    next = Next::End;
                    refusal("the network is stopping", None, 1)
                }
            }
        }
    };
    let line = serde_json::to_string(&response).map_err(io::Error::other)?;
    // Who went away before the answer was there does not keep the network from stopping.
    let _ = socket::write_line(stream, &line);
    Ok(next)
}
