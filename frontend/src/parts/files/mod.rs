//! Files of versions and runs: the tree, a look into one, what changed, and what is on its way.

pub mod arriving;
pub mod browser;
pub mod changes;
pub mod portable;
pub mod preview;
pub mod upload_list;
pub mod upload_status;
pub mod uploads;
