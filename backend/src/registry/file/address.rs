//! Where files are over HTTP: the parts of an address under /files, as they are in the database.

use crate::db::{Conn, query};
use crate::error::Result;
use crate::loader::load_by_owner;

/// The parts of an address, without the path.
#[derive(Clone, sqlx::FromRow)]
pub struct Address {
    pub project: String,
    pub model: String,
    pub reference: String,
}

macro_rules! addresses {
    () => {
        "SELECT a.owner_id, p.path AS project, a.model, a.reference FROM (
         SELECT v.id AS owner_id, m.project_id, m.name AS model, v.version AS reference
         FROM model_versions v JOIN models m ON m.id = v.model_id
         UNION ALL
         SELECT c.id, m.project_id, m.name, 'candidate:' || c.number
         FROM candidates c JOIN models m ON m.id = c.model_id
         UNION ALL
         SELECT c.id, e.project_id, '-', 'run:' || c.id
         FROM candidates c JOIN experiments e ON e.id = c.experiment_id WHERE c.model_id IS NULL
     ) a JOIN projects p ON p.id = a.project_id WHERE "
    };
}

load_by_owner!(
    /// Where the files of a version or candidate are.
    AddressOf => Address,
    addresses!(),
    "a.owner_id",
    ""
);

/// Where the files of a version or candidate are by now: it, or what it is in, may have a new name.
pub async fn find_address(conn: impl Into<Conn<'_>>, owner_id: &str) -> Result<Option<Address>> {
    let address =
        query(concat!(addresses!(), "a.owner_id = $1")).bind(owner_id).fetch_optional(conn).await?;
    Ok(address)
}
