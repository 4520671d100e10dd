//! Integration tests of the crate, in one binary.

mod oracle;
#[cfg(test)]
mod routing;
mod wire;
