//! `weald key`: a key that signs certificates.
//!
//! The file has one line: a word that says what it is, and the 32 octets of an Ed25519 seed in
//! hexadecimal digits. The word keeps a key of something else from being taken for one.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use proof::certificate::{Hex, PublicKey};
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::output;

/// What stands in front of the digits.
const WORD: &str = "weald-signing-key";

/// Octets of a key's file: more than it needs.
const FILE_MAX: u64 = 1024;

/// Where randomness comes from.
const RANDOM: &str = "/dev/urandom";

pub(crate) fn run(path: &Path, json: bool) -> Result<Outcome, Failure> {
    let shown = path.display();
    let mut seed = [0; 32];
    fs::File::open(RANDOM)
        .and_then(|mut random| random.read_exact(&mut seed))
        .map_err(|error| Failure::input(format!("`{RANDOM}` cannot be read: {error}")))?;
    make(path, &format!("{WORD} {}\n", Hex(seed))).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return Failure::input(format!("`{shown}` exists, and a key is never overwritten"))
                .hint("what was signed with it could not be told from forgeries any more");
        }
        Failure::input(format!("`{shown}` cannot be written: {error}"))
    })?;
    let public = PublicKey::of_seed(&seed);
    output::note(&format!("the key is in `{shown}`; this is the public key:"));
    output::either(json, &json!({ "public_key": public }), &public.to_string());
    Ok(Outcome::Good)
}

/// Makes a file that only its owner may read; there is a whole one or none.
fn make(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let write = |file: &mut fs::File| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write(&mut file).inspect_err(|_| {
        // What is left of the attempt is no key.
        let _ = fs::remove_file(path);
    })
}

/// Reads a key.
pub(super) fn read(path: &Path) -> Result<[u8; 32], Failure> {
    let shown = path.display();
    let unreadable = |error| {
        Failure::input(format!("`{shown}` cannot be read: {error}")).hint("`weald key` makes one")
    };
    let about = fs::metadata(path).map_err(unreadable)?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(Failure::input(format!("others than its owner may use the key `{shown}`"))
            .hint(format!("chmod 600 {shown}; if others had it, make a new one")));
    }
    // What it is refused for never quotes it.
    let refused =
        || Failure::input(format!("`{shown}` is no signing key")).hint("`weald key` makes one");
    if about.len() > FILE_MAX {
        return Err(refused());
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let digits = text.trim_end().strip_prefix(WORD).and_then(|rest| rest.strip_prefix(' '));
    let Hex(seed) = digits.and_then(|digits| digits.parse().ok()).ok_or_else(refused)?;
    Ok(seed)
}
