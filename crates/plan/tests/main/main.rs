//! Plans of the examples, of edited examples, and of a region of Sussex's size.

mod attached;
mod demands;
mod hosts;
mod invariants;
mod mirror;
mod numbering;
mod random;
mod rings;
mod service;
mod stability;
mod support;
mod words;
