//! Generated files are what the code says: `model-registry schema > schema.graphql` makes this one.

#[test]
fn schema_graphql_is_up_to_date() {
    let committed = include_str!("../../../schema.graphql");
    let printed = model_registry::graphql::sdl();
    let first = committed.lines().zip(printed.lines()).position(|(a, b)| a != b);
    assert!(
        committed == printed,
        "schema.graphql is out of date from line {:?} on: `make schema` writes it",
        first.map(|line| line + 1)
    );
}
