//! What stands side by side: versions and runs, selected and compared.

pub mod changes;
pub mod measures;
pub mod selection;
pub mod side;
pub mod table;
