//! The floors of the house: every file uses only what stands on its own floor or below.
//!
//! `table` is the map. A circle lies in one folder, and a concept reads one way: what it is, its SQL, its rules, its
//! GraphQL. What does not hold would be in `backend.txt` and `frontend.txt`, which are empty.

mod imports;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imports::{Arrows, Crate};
use table::{BACKEND, FRONTEND, Floor, WINGS};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// How closely a pattern names a module: by how many parts, and of as many by the fewest stars; none if it does not.
fn closeness(pattern: &str, module: &str) -> Option<usize> {
    if pattern.is_empty() {
        return module.is_empty().then_some(0);
    }
    let (pattern, module): (Vec<_>, Vec<_>) =
        (pattern.split("::").collect(), module.split("::").collect());
    let fits = pattern.len() <= module.len()
        && pattern.iter().zip(&module).all(|(pattern, part)| *pattern == "*" || pattern == part);
    fits.then_some(8 * pattern.len() - pattern.iter().filter(|part| **part == "*").count())
}

/// On which floor a module is, counted from the roof.
fn floor_of(floors: &[Floor], module: &str) -> Option<usize> {
    let patterns = floors.iter().enumerate();
    let patterns =
        patterns.flat_map(|(floor, (_, patterns, _))| patterns.iter().map(move |p| (floor, *p)));
    let fitting =
        patterns.filter_map(|(floor, pattern)| Some((closeness(pattern, module)?, floor)));
    fitting.max_by_key(|(closeness, _)| *closeness).map(|(_, floor)| floor)
}

/// The arrows that go up.
fn upward(floors: &[Floor], arrows: &Arrows) -> Arrows {
    let floor = |module: &str| {
        floor_of(floors, module).unwrap_or_else(|| panic!("on which floor is {module}?"))
    };
    arrows.iter().filter(|(from, to)| floor(to) < floor(from)).cloned().collect()
}

/// The groups of modules that reach each other, and are not in one folder.
fn circles(arrows: &Arrows) -> Vec<BTreeSet<String>> {
    let mut below = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (from, to) in arrows {
        below.entry(from).or_default().insert(to);
    }
    let reach = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            for next in below.get(module).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        below.keys().map(|from| (*from, reach(from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reached {
        let circle: BTreeSet<String> = to
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(from)))
            .map(|module| (*module).to_owned())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The folder that a module's file is in, or that it is the head of.
fn folder<'a>(module: &'a str, heads: &BTreeSet<&str>) -> &'a str {
    if heads.contains(module) {
        return module;
    }
    module.rsplit_once("::").map_or("", |(folder, _)| folder)
}

fn in_one_folder(circle: &BTreeSet<String>, modules: &BTreeSet<&str>) -> bool {
    let heads: BTreeSet<&str> =
        modules.iter().filter_map(|m| m.rsplit_once("::")).map(|(head, _)| head).collect();
    let folders: BTreeSet<&str> = circle.iter().map(|module| folder(module, &heads)).collect();
    folders.len() == 1 && !folders.contains("")
}

/// What is not yet as it should be, a line each.
fn wrong(floors: &[Floor], sources: &Crate) -> BTreeSet<String> {
    let arrows = sources.arrows();
    let up = upward(floors, &arrows);
    let mut wrong: BTreeSet<String> =
        up.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
    let down: Arrows = arrows.difference(&up).cloned().collect();
    let modules = sources.modules().collect();
    for circle in circles(&down).into_iter().filter(|circle| !in_one_folder(circle, &modules)) {
        wrong.insert(format!("circle: {}", circle.into_iter().collect::<Vec<_>>().join(" ")));
    }
    wrong
}

/// Which wing a module is in, counted from the first; none for what is in no wing, or is a face of one in GraphQL.
fn wing_of(module: &str) -> Option<usize> {
    let mut parts = module.strip_prefix("registry::")?.split("::");
    let name = parts.next()?;
    let wing = WINGS.iter().position(|wing| *wing == name)?;
    let is_face = floor_of(BACKEND, module) == floor_of(BACKEND, "registry::node");
    (!is_face).then_some(wing)
}

/// The arrows from a wing to one that comes after it.
fn across(sources: &Crate) -> Vec<(String, String)> {
    let later = |from: &str, to: &str| Some(wing_of(to)? > wing_of(from)?);
    sources.arrows().into_iter().filter(|(from, to)| later(from, to) == Some(true)).collect()
}

#[test]
fn the_wings_of_the_registry_use_only_those_before_them() {
    let across = across(&Crate::read(&root().join("backend/src")));
    assert!(across.is_empty(), "these go to a later wing:\n{across:#?}");
}

fn check(which: &str, floors: &[Floor], folder: &str) {
    let wrong = wrong(floors, &Crate::read(&root().join(folder)));
    let list = root().join(format!("backend/tests/it/floors/{which}.txt"));
    if std::env::var("FLOORS_WRITE").is_ok() {
        let text = wrong.iter().map(|line| format!("{line}\n")).collect::<String>();
        std::fs::write(&list, text).unwrap();
    }
    let allowed = std::fs::read_to_string(&list).unwrap();
    let allowed: BTreeSet<String> = allowed.lines().map(str::to_owned).collect();
    let new: Vec<_> = wrong.difference(&allowed).collect();
    assert!(new.is_empty(), "these go up, or in a circle:\n{new:#?}");
    let gone: Vec<_> = allowed.difference(&wrong).collect();
    assert!(gone.is_empty(), "these are gone: take them from {which}.txt\n{gone:#?}");
}

/// The table as README.md shows it.
fn map(floors: &[Floor]) -> String {
    let mut map = "| floor | modules | what they do |\n|---|---|---|\n".to_owned();
    for (name, modules, about) in floors {
        let shown = |module: &&str| match *module {
            "" => "`lib`".to_owned(),
            module => format!("`{}`", module.replace("::", "/")),
        };
        let modules = modules.iter().map(shown).collect::<Vec<_>>().join(" ");
        map += &format!("| {name} | {modules} | {about} |\n");
    }
    map
}

#[test]
fn the_readme_shows_the_floors() {
    let path = root().join("README.md");
    let mut readme = std::fs::read_to_string(&path).unwrap();
    for (folder, floors) in [("backend/src", BACKEND), ("frontend/src", FRONTEND)] {
        let begin = format!("`{folder}`, from the roof to the ground:\n\n");
        let (before, rest) = readme.split_once(&begin).unwrap_or_else(|| panic!("{begin}"));
        let (shown, after) = rest.split_once("\n\n").unwrap();
        if std::env::var("FLOORS_WRITE").is_ok() {
            readme = format!("{before}{begin}{}\n{after}", map(floors));
        } else {
            assert_eq!(
                format!("{shown}\n"),
                map(floors),
                "FLOORS_WRITE=1 writes what README.md shows"
            );
        }
    }
    if std::env::var("FLOORS_WRITE").is_ok() {
        std::fs::write(&path, readme).unwrap();
    }
}

#[test]
fn every_arrow_of_the_backend_goes_down() {
    check("backend", BACKEND, "backend/src");
}

#[test]
fn every_arrow_of_the_frontend_goes_down() {
    check("frontend", FRONTEND, "frontend/src");
}

const SMALL: &[Floor] = &[
    ("roof", &["roof"], ""),
    ("rooms", &["rooms", "rooms::*::sql"], ""),
    ("ground", &["ground"], ""),
];

#[test]
fn an_arrow_that_goes_up_is_seen_however_it_is_written() {
    for text in [
        "use crate::roof::Tile;",
        "use crate::{ground::Stone, roof::{self as top, Tile as Slate}};",
        "use super::roof::Tile;",
        "use crate::roof::*;",
        "pub use crate::roof::*;",
        "fn f() { crate::roof::tile(); }",
        "use crate::roof;\nfn f() -> roof::Tile { todo() }",
        // By way of a room that passes it on.
        "use crate::rooms::Tile;",
    ] {
        let sources = Crate::of(&[
            ("", "pub mod roof; pub mod rooms; pub mod ground;"),
            ("roof", "pub struct Tile;"),
            ("rooms", "pub use crate::roof::Tile;"),
            ("ground", text),
        ]);
        let floors = [&[("all", &[""][..], "")][..], SMALL].concat();
        assert_eq!(
            wrong(&floors, &sources),
            BTreeSet::from(["ground -> roof".to_owned()]),
            "{text}"
        );
    }
}

#[test]
fn what_goes_down_or_is_only_said_is_no_arrow_up() {
    for text in [
        "use crate::ground::Stone;",
        "use std::roof::Tile; use roof::Tile;",
        "// use crate::roof::Tile;\nconst A: &str = \"use crate::roof::Tile;\"; const B: &str = r#\"crate::roof::x\"#;",
        "#[cfg(test)] mod tests { use crate::roof::Tile; }",
        "fn f<'a>(a: &'a str) -> impl Sized + use<'a> { ':' }",
    ] {
        let sources = Crate::of(&[("roof", ""), ("rooms", text), ("ground", "")]);
        assert!(wrong(SMALL, &sources).is_empty(), "{text}");
    }
}

#[test]
fn a_circle_lies_in_one_folder() {
    let circle = |one: &str, other: &str| {
        let (to_other, to_one) =
            (format!("use crate::{other}::A;"), format!("use crate::{one}::B;"));
        wrong(
            SMALL,
            &Crate::of(&[("rooms", ""), ("rooms::a", ""), (one, &to_other), (other, &to_one)]),
        )
    };
    assert!(circle("rooms::a::b", "rooms::a::c").is_empty());
    assert!(circle("rooms::a", "rooms::a::c").is_empty());
    assert_eq!(
        circle("rooms::a::c", "rooms::d"),
        BTreeSet::from(["circle: rooms::a::c rooms::d".to_owned()])
    );
}
