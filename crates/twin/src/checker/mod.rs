//! What must hold, one file each.

pub mod isolation;
pub mod labels;
