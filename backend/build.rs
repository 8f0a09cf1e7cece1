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
    let folder = fs::canonicalize("../migrations").expect("the folder is there");
    let mut steps = BTreeMap::<usize, [Option<String>; 2]>::new();
    for entry in fs::read_dir(&folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
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
            let before = text.replace(path.to_string_lossy().into_owned());
            assert!(before.is_none(), "{name} is there twice");
        }
    }
    assert!(steps.keys().copied().eq(1..=steps.len()), "a step is missing in {:?}", steps.keys());
    let mut list = "const MIGRATIONS: &[Migration] = &[\n".to_owned();
    for (number, [sqlite, postgres]) in steps {
        let text = |path: Option<String>| {
            path.unwrap_or_else(|| panic!("step {number} is for one database only"))
        };
        let (sqlite, postgres) = (text(sqlite), text(postgres));
        writeln!(list, "    Migration {{ sqlite: include_str!({sqlite:?}), postgres: include_str!({postgres:?}) }},")
            .expect("a text takes it");
    }
    list + "];\n"
}
