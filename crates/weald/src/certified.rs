//! What a certificate says of a folder: its files and its lock, as SHA-256.
//!
//! Keys are left out. Where `network.toml` has the key of IS-IS in it and not in a file of its own,
//! the text is hashed with an empty key in its place; `*.key` files are not hashed at all.

use std::path::Path;

use intent::files;
use model::plan::Plan;
use proof::certificate::{Digest, FileDigest};
use toml::de::{DeTable, DeValue};

use crate::failure::Failure;
use crate::load::Loaded;
use crate::screen::count;

/// Octets of a file: as many as an intent's may have.
const FILE_MAX: u64 = 64 << 20;

/// The files and the lock of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    pub(crate) files: Vec<FileDigest>,
    /// None: it has none.
    pub(crate) lock: Option<Digest>,
}

impl Folder {
    /// Reads a folder. Files that are not there, or too large to be an intent's, are left
    /// out: whoever compiles it says so.
    pub(crate) fn read(folder: &Path) -> Self {
        let read = |name: &str| {
            let path = folder.join(name);
            let fits = std::fs::metadata(&path).is_ok_and(|about| about.len() <= FILE_MAX);
            fits.then(|| std::fs::read(path).ok()).flatten()
        };
        let digest = |name: &str| {
            let octets = read(name)?;
            let bare = (name == files::NETWORK).then(|| without_key(&octets)).flatten();
            Some(FileDigest {
                name: name.to_owned(),
                sha256: Digest::of(bare.as_deref().unwrap_or(&octets)),
                without_key: bare.is_some(),
            })
        };
        let names = [files::NETWORK, files::SERVICES, files::SITES];
        let lock = read(files::LOCK).map(|octets| Digest::of(&octets));
        Self { files: names.into_iter().filter_map(digest).collect(), lock }
    }
}

/// The text with an empty text in place of the key of IS-IS; none where it has no key.
fn without_key(octets: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(octets).ok()?;
    let (document, _) = DeTable::parse_recoverable(text);
    let isis = document.get_ref().get("isis")?.get_ref();
    let authentication = isis.get("authentication")?.get_ref();
    let key = authentication.get("key")?;
    let DeValue::String(_) = key.get_ref() else { return None };
    let (before, after) = (text.get(..key.span().start)?, text.get(key.span().end..)?);
    Some(format!("{before}\"\"{after}").into_bytes())
}

/// That nobody else has to believe numbers which are in no lock.
pub(crate) fn lock_is_complete(folder: &Path, loaded: &Loaded) -> Result<(), Failure> {
    if !loaded.lock_changed() {
        return Ok(());
    }
    let numbers = count(loaded.allotted().len(), "number", "numbers");
    let message = format!("the lock of `{}` lacks {numbers}", folder.display());
    Err(Failure::input(message).hint(format!(
        "`weald compile {} --out FILE` allots them; a certificate is of numbers that stay",
        folder.display()
    )))
}

/// That a plan's file holds what the intent compiles to, and not what somebody made of it.
pub(crate) fn is_compiled(path: &Path, found: &Plan, compiled: &Plan) -> Result<(), Failure> {
    if found == compiled {
        return Ok(());
    }
    let shown = path.display();
    let differ = plan::difference(compiled, found);
    let names: Vec<&String> =
        [&differ.added, &differ.changed, &differ.removed].into_iter().flatten().collect();
    let message = if names.is_empty() {
        format!("`{shown}` makes other promises than the intent")
    } else {
        let routers = count(names.len(), "router", "routers");
        let named = crate::screen::list(&names);
        format!("`{shown}` is not what the intent compiles to: {routers} differ: {named}")
    };
    Err(Failure::network(message)
        .hint("it was edited by hand, or the intent was after it: compile it anew"))
}

#[cfg(test)]
mod tests {
    use super::without_key;

    #[test]
    fn a_key_is_left_out_wherever_it_stands() {
        let bare = "isis.authentication.key = \"\" # why\n";
        for text in [
            "isis.authentication.key = \"secret\" # why\n",
            "isis.authentication.key = 'secret' # why\n",
            "isis.authentication.key = \"\"\"se\ncret\"\"\" # why\n",
        ] {
            assert_eq!(without_key(text.as_bytes()).unwrap(), bare.as_bytes());
        }
        let inline = "[isis]\nauthentication = { key_id = 1, key = \"secret\" }\n";
        let bare = without_key(inline.as_bytes()).unwrap();
        assert_eq!(bare, b"[isis]\nauthentication = { key_id = 1, key = \"\" }\n");
    }

    #[test]
    fn a_text_without_a_key_is_hashed_as_it_is() {
        for text in ["", "[isis]\narea = \"49\"\n", "isis.authentication.key_file = \"a.key\"\n"] {
            assert_eq!(without_key(text.as_bytes()), None);
        }
        assert_eq!(without_key(&[0xff, 0xfe]), None);
    }
}
