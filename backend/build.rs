//! Lists the steps of the schema for db/migrate.rs, and builds the binary again when the UI inside it has changed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    // A folder that is missing would count as changed each time.
    fs::create_dir_all("../frontend/dist").expect("the folder can be made");
    println!("cargo:rerun-if-changed=../frontend/dist");
    println!("cargo:rerun-if-changed=../migrations");
    let out = env::var("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("migrations.rs"), migrations()).expect("it can be written");
}

/// The steps in migrations/: `NNNN_what.sql`, or `NNNN_what.sqlite.sql` and `NNNN_what.postgres.sql`, without a gap.
fn migrations() -> String {
    let mut steps = BTreeMap::<usize, [Option<String>; 2]>::new();
    for entry in fs::read_dir("../migrations").expect("the folder is there") {
        let name = entry.expect("it can be read").file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".sql") else { continue };
        let number = stem.split('_').next().and_then(|number| number.parse().ok());
        let step =
            steps.entry(number.unwrap_or_else(|| panic!("{name} has no number"))).or_default();
        let of = match stem.rsplit_once('.') {
            None => &mut step[..],
            Some((_, "sqlite")) => &mut step[..1],
            Some((_, "postgres")) => &mut step[1..],
            Some(_) => panic!("{name} is for no database"),
        };
        for text in of {
            let before = text.replace(name.clone());
            assert!(before.is_none(), "{name} is there twice");
        }
    }
    assert!(steps.keys().copied().eq(1..=steps.len()), "a step is missing in {:?}", steps.keys());
    let mut list = "const MIGRATIONS: &[Migration] = &[\n".to_owned();
    for (number, [sqlite, postgres]) in steps {
        // Where this clone has it, and not another one that shares the build output.
        let text = |name: Option<String>| {
            let name = name.unwrap_or_else(|| panic!("step {number} is for one database only"));
            format!(r#"include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/{name}"))"#)
        };
        let (sqlite, postgres) = (text(sqlite), text(postgres));
        writeln!(list, "    Migration {{ sqlite: {sqlite}, postgres: {postgres} }},")
            .expect("a text takes it");
    }
    list + "];\n"
}
