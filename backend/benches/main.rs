//! What the registry costs, each number beside a reference that is measured in the same run: machines
//! are noisy, ratios less so. `make bench` prints the table; nothing here passes or fails.

mod databases;
mod embedding;
mod files;
mod graphql;
mod mlflow;
mod process;
mod setup;
mod storage;

/// One line of the table.
pub struct Row {
    pub what: &'static str,
    pub ours: String,
    pub reference: String,
    /// Ours against the reference, and what the goal is.
    pub ratio: String,
}

/// Whether a group is to be measured: all of them, or those that are named, as in `scripts/bench -- mlflow`.
fn wanted(group: &str) -> bool {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    named.is_empty() || named.iter().any(|name| name == group)
}

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut rows = Vec::new();
    if wanted("process") {
        rows.extend(process::measure());
    }
    if wanted("graphql") {
        rows.extend(runtime.block_on(graphql::measure()));
    }
    if wanted("embedding") {
        rows.extend(runtime.block_on(embedding::measure()));
    }
    if wanted("files") {
        rows.extend(runtime.block_on(files::measure()));
    }
    if wanted("mlflow") {
        rows.extend(runtime.block_on(mlflow::measure()));
    }
    if wanted("databases") {
        rows.extend(runtime.block_on(databases::measure()));
    }
    if wanted("storage") {
        rows.extend(runtime.block_on(storage::measure()));
    }
    let width = |column: fn(&Row) -> &str| {
        rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0)
    };
    let widths = [width(|row| row.what), width(|row| &row.ours), width(|row| &row.reference)];
    println!(
        "\n{:<a$}  {:>b$}  {:>c$}  ratio",
        "operation",
        "ours",
        "reference",
        a = widths[0],
        b = widths[1],
        c = widths[2]
    );
    for Row { what, ours, reference, ratio } in &rows {
        println!(
            "{what:<a$}  {ours:>b$}  {reference:>c$}  {ratio}",
            a = widths[0],
            b = widths[1],
            c = widths[2]
        );
    }
}
