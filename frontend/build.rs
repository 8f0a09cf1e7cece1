//! Registers the server's schema with cynic, so that a misspelt field does not compile.

const SCHEMA: &str = "../schema.graphql";

fn main() {
    println!("cargo::rerun-if-changed={SCHEMA}");
    cynic_codegen::register_schema("registry")
        .from_sdl_file(SCHEMA)
        .expect("../schema.graphql is a valid schema")
        .as_default()
        .expect("the schema can be written to OUT_DIR");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        // What refers to what, for wasm-split-cli.
        println!("cargo::rustc-link-arg-bins=--emit-relocs");
    }
}
