//! Generated files are what the code says: `make schema` writes these.

use model_registry::graphql;

#[test]
fn schemas_are_up_to_date() {
    for (name, committed, printed) in [
        ("schema.graphql", include_str!("../../../schema.graphql"), graphql::sdl()),
        (
            "subgraph.graphql",
            include_str!("../../../subgraph.graphql"),
            graphql::subgraph::sdl().into(),
        ),
    ] {
        let first = committed.lines().zip(printed.lines()).position(|(a, b)| a != b);
        assert!(
            committed == printed,
            "{name} is out of date from line {:?} on: `make schema` writes it",
            first.map(|line| line + 1)
        );
    }
}
