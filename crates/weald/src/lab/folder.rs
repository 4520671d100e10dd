//! The folder of a lab: configurations, keys, logs and sockets, for its owner only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A folder that is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder beside the lab's socket. What a lab that was killed has left there is taken
    /// away; the socket shows that nobody uses it.
    pub(crate) fn make(socket: &Path) -> Result<Self, Failure> {
        let path = socket.with_extension("lab");
        let refuse = |error: std::io::Error| {
            Failure::network(format!("`{}` cannot be made: {error}", path.display()))
        };
        if path.exists() {
            fs::remove_dir_all(&path).map_err(refuse)?;
        }
        DirBuilder::new().mode(0o700).create(&path).map_err(refuse)?;
        Ok(Self { path })
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.file(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            Failure::network(format!("`{}` cannot be written: {error}", path.display()))
        })?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next lab takes away what could not be.
        let _ = fs::remove_dir_all(&self.path);
    }
}
