//! The registry as its users meet it: over HTTP, on SQLite, and on PostgreSQL where
//! `MODEL_REGISTRY_TEST_POSTGRES` names a server.

mod access;
mod alias;
mod arriving;
mod candidate;
mod curve;
mod facets;
mod files;
mod floors;
mod graphql;
mod harness;
mod live;
mod log;
mod matrix;
mod members;
mod migrations;
mod mlflow;
mod mlflow_artifacts;
mod mlflow_runs;
mod mlflow_signed;
mod model;
mod names;
mod oidc;
mod operations;
mod people;
mod project;
mod races;
mod schema;
mod socket;
mod sweep;
mod tidy;
mod tus;
mod uploads;
mod version;
