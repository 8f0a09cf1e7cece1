//! Which downloads are sent to the object store itself (`--redirect`).

use clap::ValueEnum;

/// From how many bytes on a file is large.
const LARGE: u64 = 8 << 20;

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// None: the server sends all bytes, and verifies them
    Off,
    /// Files of 8 MiB or more
    Large,
    /// All files that are not empty
    Always,
}

impl Redirect {
    /// Whether a file of so many bytes is meant.
    pub fn is_for(self, size: u64) -> bool {
        match self {
            Self::Off => false,
            Self::Large => size >= LARGE,
            Self::Always => size > 0,
        }
    }
}
