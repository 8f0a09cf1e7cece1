//! Training runs: their table and its columns, filters and actions, their curves, and how one is promoted.

pub mod actions;
pub mod columns;
pub mod curves;
pub mod filter;
pub mod owner;
pub mod promote;
pub mod provenance;
pub mod run_facts;
pub mod status;
pub mod table;
