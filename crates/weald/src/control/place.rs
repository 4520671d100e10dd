//! Where control sockets are when nobody says, and whose they may be.
//!
//! Whoever answers at a socket is believed, by root too; so nobody else may put one where it is
//! looked for. That is `$XDG_RUNTIME_DIR`; where there is none, `/run/weald` for root, and for
//! everybody else a folder of their own under the temporary one. And a socket that somebody else
//! owns is not used, unless it was named and lies in a folder that is its owner's alone, as that of
//! a router does that has a user and a folder of its own.

use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use host::rights;

use crate::failure::Failure;

/// Where root's sockets are.
const OF_ROOT: &str = "/run/weald";
/// Everybody may see that there are sockets; each is for its owner only.
const MODE_OF_ROOT: u32 = 0o755;
/// In a place where everybody may make folders, this one is private.
const MODE_OF_USER: u32 = 0o700;
/// The number of root.
const ROOT: u32 = 0;

/// A folder for sockets.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    /// Its mode, where it is ours to make.
    mode: Option<u32>,
}

impl Folder {
    /// The one that is used when nobody says otherwise.
    pub(crate) fn default() -> Self {
        let of_session = env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty());
        match (of_session, rights::user_number()) {
            (Some(path), _) => Self { path: path.into(), mode: None },
            (None, ROOT) => Self { path: OF_ROOT.into(), mode: Some(MODE_OF_ROOT) },
            (None, user) => Self {
                path: env::temp_dir().join(format!("weald-{user}")),
                mode: Some(MODE_OF_USER),
            },
        }
    }

    /// Makes it where it is missing, and makes sure that it is ours alone.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        let Some(mode) = self.mode else { return Ok(()) };
        match DirBuilder::new().mode(mode).create(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let shown = self.path.display();
                return Err(Failure::network(format!("`{shown}` cannot be made: {error}"))
                    .hint("choose a path with `--socket`"));
            }
            Ok(()) | Err(_) => {}
        }
        self.check()
    }

    /// Makes sure that nobody else can put anything there; that it is missing is well.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Some(mode) = self.mode else { return Ok(()) };
        let shown = self.path.display();
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::network(format!("`{shown}` cannot be looked at: {error}"))),
            Ok(seen) if is_private(&seen, rights::user_number(), mode) => Ok(()),
            Ok(_) => Err(Failure::network(format!(
                "`{shown}` is not a folder of this user's alone: others may have put sockets there"
            ))
            .hint("remove it, or choose a path with `--socket`")),
        }
    }
}

fn is_private(folder: &Metadata, user: u32, mode: u32) -> bool {
    folder.is_dir() && folder.uid() == user && folder.mode() & 0o777 & !mode == 0
}

/// How a socket was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was named.
    Named,
    /// It lay in the default folder.
    There,
}

/// Whose a file is, and who may change it.
#[derive(Debug, Clone, Copy)]
struct Owned {
    user: u32,
    mode: u32,
}

impl Owned {
    fn of(path: &Path) -> io::Result<Self> {
        let seen = fs::metadata(path)?;
        Ok(Self { user: seen.uid(), mode: seen.mode() })
    }
}

/// Why whoever answers at a socket may not be believed by `own`; none where they may.
fn doubt(own: u32, socket: Owned, folder: Owned, found: Found) -> Option<String> {
    const STICKY: u32 = 0o1000;
    const OTHERS_WRITE: u32 = 0o002;
    let anybody_adds = folder.mode & OTHERS_WRITE != 0;
    if anybody_adds && folder.mode & STICKY == 0 {
        return Some("anybody may put another in its place".to_owned());
    }
    let is_ours = [ROOT, own].contains(&socket.user);
    let has_own_folder = folder.user == socket.user && !anybody_adds;
    if is_ours || (found == Found::Named && has_own_folder) {
        return None;
    }
    Some(format!("it is of the user with the number {}", socket.user))
}

/// Makes sure that a socket is of somebody who may be believed.
///
/// # Errors
/// What the kernel says, or `PermissionDenied` with the reason.
pub(crate) fn check(socket: &Path, found: Found) -> io::Result<()> {
    let parent = socket.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (owned, folder) = (Owned::of(socket)?, Owned::of(parent.unwrap_or(Path::new(".")))?);
    match doubt(rights::user_number(), owned, folder, found) {
        None => Ok(()),
        Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, Found, Owned, ROOT, doubt};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use tempfile::TempDir;

    const ME: u32 = 1_000;
    const OTHER: u32 = 1_001;

    #[test]
    fn sockets_of_others_are_believed_only_where_they_were_named_in_a_folder_of_their_own() {
        let owned = |user, mode| Owned { user, mode };
        let of = |user| owned(user, 0o140_600);
        let cases = [
            (ME, of(ME), owned(ME, 0o700), true, true),
            (ME, of(ROOT), owned(ROOT, 0o755), true, true),
            (ROOT, of(ROOT), owned(ROOT, 0o755), true, true),
            // A folder of everybody's, where nobody removes what is another's.
            (ROOT, of(ROOT), owned(ROOT, 0o1777), true, true),
            (ROOT, of(ME), owned(ROOT, 0o1777), false, false),
            (ME, of(OTHER), owned(ROOT, 0o1777), false, false),
            // One where everybody may put another in its place.
            (ROOT, of(ROOT), owned(ROOT, 0o777), false, false),
            (ME, of(ME), owned(ROOT, 0o777), false, false),
            // A router that has a user and a folder of its own.
            (ROOT, of(OTHER), owned(OTHER, 0o700), true, false),
            (ROOT, of(OTHER), owned(OTHER, 0o777), false, false),
            // Root's own network, where root has kept the environment of somebody else.
            (ROOT, of(ROOT), owned(OTHER, 0o700), true, true),
        ];
        for (number, (own, socket, folder, named, there)) in cases.into_iter().enumerate() {
            for (found, believed) in [(Found::Named, named), (Found::There, there)] {
                let doubt = doubt(own, socket, folder, found);
                assert_eq!(doubt.is_none(), believed, "{number} {found:?}: {doubt:?}");
            }
        }
    }

    #[test]
    fn default_folder_is_made_and_refused_where_others_may_write_to_it() {
        let around = TempDir::with_prefix("weald-").unwrap();
        let folder = Folder { path: around.path().join("own"), mode: Some(0o700) };
        folder.check().unwrap();
        folder.make().unwrap();
        assert_eq!(fs::metadata(&folder.path).unwrap().permissions().mode() & 0o777, 0o700);
        folder.make().unwrap();
        for mode in [0o770, 0o1777, 0o702] {
            fs::set_permissions(&folder.path, Permissions::from_mode(mode)).unwrap();
            let failure = folder.make().unwrap_err();
            assert!(failure.message.contains("is not a folder of this user's alone"), "{failure}");
            assert_eq!(folder.check(), Err(failure));
        }
        fs::set_permissions(&folder.path, Permissions::from_mode(0o700)).unwrap();
        folder.check().unwrap();
        let link = Folder { path: around.path().join("link"), mode: Some(0o700) };
        symlink(&folder.path, &link.path).unwrap();
        link.make().unwrap_err();
    }
}
