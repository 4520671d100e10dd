//! The real binary, from its arguments to its exit codes.
//!
//! [`files`] has the commands that work on a folder, [`up`] brings networks up once, [`running`]
//! asks one that stays up, [`socket`] is about what goes over the socket, [`router`] is one router
//! as a process of its own, [`plan`] says what would change, [`rehearse`] what it
//! would do to traffic, [`certificate`] what was proved, [`page`] that for people to
//! file, [`explain`] why, and [`live`] what runs.

mod certificate;
mod explain;
mod files;
mod live;
mod page;
mod plan;
mod rehearse;
mod router;
mod running;
mod scene;
mod socket;
mod up;
