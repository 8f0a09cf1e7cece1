//! Plain functions: what stands in addresses, what the server will take, how things are compared and written. Nothing
//! here knows the browser, but for where it is.

pub mod address;
pub mod check;
pub mod contents;
pub mod diff;
pub mod draft;
pub mod error;
pub mod event;
pub mod filter;
pub mod format;
pub mod judge;
pub mod listed;
pub mod preview;
pub mod relative;
pub mod renamed;
pub mod template;
