//! PostgreSQL behind a pooler, which `MODEL_REGISTRY_TEST_POSTGRES_DIRECT` says that the tests have: all of them then go
//! through it. Here is what is refused, with or without one.

use std::process::Command;

use model_registry::command::opened;
use model_registry::db::{Address, Db};

use crate::harness::{database, is_postgres, serve_config};
use crate::storages::text;

/// What a command line makes of two addresses.
fn address(database: &str, direct: &str) -> Result<Address, String> {
    let arguments =
        ["model-registry", "serve", "--database", database, "--database-direct", direct];
    serve_config(arguments.iter()).data.address().map_err(|error| error.message())
}

#[test]
fn an_address_of_postgresql_itself_is_for_postgresql_only() {
    let refused = address("sqlite:a.sqlite", "postgres://db/registry").err().unwrap();
    assert!(refused.contains("--database-direct: is for PostgreSQL"), "{refused}");
    let refused = address("postgres://pooler/registry", "sqlite:a.sqlite").err().unwrap();
    assert!(refused.contains("--database-direct: must be postgres://"), "{refused}");
    let both = address("postgres://pooler/registry", "postgres://db/registry").ok().unwrap();
    assert_eq!(both.session(), "postgres://db/registry");

    let data = tempfile::tempdir().unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["verify"], &["migrate"]] {
        let refused = Command::new(env!("CARGO_BIN_EXE_model-registry"))
            .args(arguments)
            .env("MODEL_REGISTRY_DATA", data.path())
            .env("MODEL_REGISTRY_DATABASE_DIRECT", "postgres://db/registry")
            .env_remove("MODEL_REGISTRY_DATABASE")
            .output()
            .unwrap();
        let reason = text(&refused);
        assert!(!refused.status.success() && reason.contains("--database-direct:"), "{reason}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_addresses_must_lead_to_one_database() {
    if !is_postgres() {
        return;
    }
    let data = tempfile::tempdir().unwrap();
    let (url, other) = (database(&data).await, database(&data).await);
    let open = async |direct: &str| {
        let address = Address { url: url.clone(), direct: Some(direct.to_owned()) };
        match opened(Db::open(&address).await) {
            Ok(db) => {
                db.close().await;
                String::new()
            }
            Err(error) => error.message(),
        }
    };
    let refused = open(&other).await;
    assert!(refused.contains("--database-direct: leads to another database"), "{refused}");
    let refused = open("postgres://nobody@127.0.0.1:1/none").await;
    assert!(refused.starts_with("--database-direct: "), "{refused}");
    let refused = open("postgres://nobody@127.0.0.1:x/none").await;
    assert!(refused.starts_with("--database-direct: "), "{refused}");
    assert_eq!(Db::open_bare(&url).await.unwrap().tables().await.unwrap(), 0, "nothing was made");
    assert_eq!(open(&url).await, "");
}
