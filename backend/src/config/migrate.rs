//! Who migrates the database (`--migrate`).

use clap::ValueEnum;

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrate {
    /// The server does when it starts
    Auto,
    /// Somebody runs model-registry migrate; a server of another schema does not start
    Never,
}
