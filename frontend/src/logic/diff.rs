//! What differs between versions or training runs that stand side by side: values, files, texts. Knows
//! nothing of the page.

use std::collections::{BTreeMap, BTreeSet};

use crate::logic::format;

/// A file, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub size: i64,
    pub sha256: String,
}

/// What each has under one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts<'a>(pub Vec<Option<&'a str>>);

impl Texts<'_> {
    pub fn differ(&self) -> bool {
        self.0.windows(2).any(|pair| pair[0] != pair[1])
    }
}

/// The last value that each has of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(pub Vec<Option<f64>>);

impl Numbers {
    pub fn differ(&self) -> bool {
        let same = |pair: &[Option<f64>]| match (pair[0], pair[1]) {
            (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()),
            (a, b) => a.is_none() && b.is_none(),
        };
        !self.0.windows(2).all(same)
    }

    /// Which are the best; none where all are, or where nobody knows whether `less` is better.
    pub fn best(&self, less: Option<bool>) -> Vec<bool> {
        let known = || self.0.iter().flatten().copied().filter(|value| !value.is_nan());
        let best =
            less.and_then(|less| known().reduce(|a, b| if less { a.min(b) } else { a.max(b) }));
        let is_best = |value: &Option<f64>| self.differ() && value.is_some() && *value == best;
        self.0.iter().map(is_best).collect()
    }

    /// How long the bar of each is, from 0 to 1: 1 is the largest value, or the smallest below zero.
    pub fn lengths(&self) -> Vec<Option<f64>> {
        let size = |value: &Option<f64>| value.filter(|value| value.is_finite()).map(f64::abs);
        let most = self.0.iter().filter_map(size).fold(0.0, f64::max);
        let length = |value: f64| if most == 0.0 { 0.0 } else { value / most };
        self.0.iter().map(|value| size(value).map(length)).collect()
    }

    /// How much more each has than the base; none where it is as much or cannot be said.
    pub fn more(&self, base: usize) -> Vec<Option<f64>> {
        let base = self.0.get(base).copied().flatten();
        let more = |value: &Option<f64>| {
            let more = value.as_ref()? - base?;
            (more.is_finite() && more != 0.0).then_some(more)
        };
        self.0.iter().map(more).collect()
    }
}

/// `+0.06`, `−2`.
pub fn signed(more: f64) -> String {
    let sign = if more < 0.0 { '−' } else { '+' };
    format!("{sign}{}", format::metric(more.abs()))
}

/// Every name that one of them has, in order.
pub fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
}

/// What became of a file since the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same bytes, or in neither.
    Same,
    Added,
    Removed,
    Changed,
}

/// A path, the size of the file that each has there, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    pub path: String,
    pub sizes: Vec<Option<i64>>,
    pub changes: Vec<Change>,
}

impl FileLine {
    pub fn differs(&self) -> bool {
        self.changes.iter().any(|change| *change != Change::Same)
    }
}

/// The files of each, in order of their paths.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    pub entries: Vec<Entry>,
    /// Whether there are more.
    pub cut: bool,
}

/// Up to which path all are known; none where all of all are.
pub fn known_until(sides: &[Listing]) -> Option<&str> {
    let cut = sides.iter().filter(|side| side.cut);
    cut.map(|side| side.entries.last().map_or("", |entry| entry.path.as_str())).min()
}

/// What became of the files since the base, as far as all are known.
pub fn files(sides: &[Listing], base: usize) -> Vec<FileLine> {
    let mut by_path = BTreeMap::<&str, Vec<Option<&Entry>>>::new();
    for (index, side) in sides.iter().enumerate() {
        for entry in &side.entries {
            by_path.entry(&entry.path).or_insert_with(|| vec![None; sides.len()])[index] =
                Some(entry);
        }
    }
    let until = known_until(sides);
    let line = |(path, entries): (&str, Vec<Option<&Entry>>)| {
        let before = entries.get(base).copied().flatten();
        let change = |after: &Option<&Entry>| match (before, after) {
            (None, Some(_)) => Change::Added,
            (Some(_), None) => Change::Removed,
            (Some(before), Some(after)) if before.sha256 != after.sha256 => Change::Changed,
            _ => Change::Same,
        };
        FileLine {
            path: path.to_owned(),
            sizes: entries.iter().map(|entry| entry.map(|entry| entry.size)).collect(),
            changes: entries.iter().map(change).collect(),
        }
    };
    let known = by_path.into_iter().filter(|(path, _)| until.is_none_or(|until| *path <= until));
    known.map(line).collect()
}

/// Whose a line of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Both,
    Before,
    After,
}

/// The most comparisons of lines that a text is worth; beyond, it counts as replaced.
const MOST_COMPARISONS: usize = 4_000_000;

/// The lines of two texts with the longest common subsequence as what they share.
pub fn text<'a>(before: &'a str, after: &'a str) -> Vec<(Mark, &'a str)> {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[start..old.len() - end], &new[start..new.len() - end]);
    let mut found: Vec<_> = old[..start].iter().map(|line| (Mark::Both, *line)).collect();
    let (mut i, mut j) = (0, 0);
    if a.len() * b.len() <= MOST_COMPARISONS {
        // How many lines are shared from here on.
        let mut shared = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                shared[i][j] = if a[i] == b[j] {
                    shared[i + 1][j + 1] + 1
                } else {
                    shared[i + 1][j].max(shared[i][j + 1])
                };
            }
        }
        while i < a.len() && j < b.len() {
            if a[i] == b[j] {
                found.push((Mark::Both, a[i]));
                (i, j) = (i + 1, j + 1);
            } else if shared[i + 1][j] >= shared[i][j + 1] {
                found.push((Mark::Before, a[i]));
                i += 1;
            } else {
                found.push((Mark::After, b[j]));
                j += 1;
            }
        }
    }
    found.extend(a[i..].iter().map(|line| (Mark::Before, *line)));
    found.extend(b[j..].iter().map(|line| (Mark::After, *line)));
    found.extend(old[old.len() - end..].iter().map(|line| (Mark::Both, *line)));
    found
}

/// Only the lines that differ and a few around them; none where others are left out.
pub fn around<'a>(lines: &[(Mark, &'a str)], room: usize) -> Vec<Option<(Mark, &'a str)>> {
    let near = |index: usize| {
        let (from, to) = (index.saturating_sub(room), (index + room + 1).min(lines.len()));
        lines[from..to].iter().any(|(mark, _)| *mark != Mark::Both)
    };
    let mut shown = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        if near(index) {
            shown.push(Some(*line));
        } else if shown.last() != Some(&None) {
            shown.push(None);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_highest_or_lowest_that_is_a_number() {
        let line = |values: &[Option<f64>]| Numbers(values.into());
        let mixed = line(&[Some(1.0), None, Some(f64::NAN), Some(-4.0)]);
        assert_eq!(mixed.best(Some(false)), [true, false, false, false]);
        assert_eq!(mixed.best(Some(true)), [false, false, false, true]);
        assert_eq!(mixed.best(None), [false; 4]);
        assert_eq!(mixed.lengths(), [Some(0.25), None, None, Some(1.0)]);
        assert_eq!(mixed.more(0), [None, None, None, Some(-5.0)]);
        assert_eq!(mixed.more(1), [None; 4]);
        let same = line(&[Some(f64::NAN), Some(f64::NAN)]);
        assert!(!same.differ() && same.best(Some(true)) == [false, false]);
        assert_eq!(line(&[Some(0.0), Some(0.0)]).lengths(), [Some(0.0), Some(0.0)]);
        assert_eq!((signed(0.06), signed(-2.0)), ("+0.06".into(), "−2".into()));
    }

    #[test]
    fn what_one_does_not_have_differs() {
        assert!(Texts(vec![Some("1"), None]).differ() && Numbers(vec![Some(1.0), None]).differ());
        assert!(!Texts(vec![None, None]).differ() && !Numbers(vec![None, None]).differ());
        assert_eq!(names(["b", "a", "b"].into_iter()), ["a", "b"]);
    }

    fn listing(entries: &[(&str, &str)], cut: bool) -> Listing {
        let entry = |(path, sha256): &(&str, &str)| Entry {
            path: (*path).into(),
            size: 1,
            sha256: (*sha256).into(),
        };
        Listing { entries: entries.iter().map(entry).collect(), cut }
    }

    #[test]
    fn files_are_told_apart_by_path_and_hash() {
        let sides = [
            listing(&[("a", "1"), ("b", "1"), ("c", "1")], false),
            listing(&[("b", "2"), ("c", "1"), ("d", "1")], false),
        ];
        let changes = |base: usize, side: usize| {
            files(&sides, base).iter().map(|line| line.changes[side]).collect::<Vec<_>>()
        };
        use Change::{Added, Changed, Removed, Same};
        assert_eq!(changes(0, 1), [Removed, Changed, Same, Added]);
        assert_eq!(changes(1, 0), [Added, Changed, Same, Removed]);
        assert_eq!(changes(0, 0), [Same; 4]);
    }

    #[test]
    fn what_was_not_listed_is_not_said_to_be_gone() {
        let sides = [
            listing(&[("a", "1"), ("b", "1"), ("c", "1")], false),
            listing(&[("a", "1"), ("aa", "1")], true),
        ];
        let paths: Vec<_> = files(&sides, 0).into_iter().map(|line| line.path).collect();
        assert_eq!(paths, ["a", "aa"]);
        assert_eq!(known_until(&sides), Some("aa"));
    }

    #[test]
    fn texts_differ_by_lines() {
        let marks = |before, after| {
            let sign = |(mark, line): (Mark, &str)| match mark {
                Mark::Both => format!(" {line}"),
                Mark::Before => format!("-{line}"),
                Mark::After => format!("+{line}"),
            };
            text(before, after).into_iter().map(sign).collect::<Vec<_>>()
        };
        assert_eq!(marks("a\nb\nc", "a\nc\nd"), [" a", "-b", " c", "+d"]);
        assert_eq!(marks("", "a"), ["+a"]);
        assert_eq!(marks("a\na", "a"), [" a", "-a"]);
        assert_eq!(marks("x", "y"), ["-x", "+y"]);
        // Either text can be put together again.
        let (before, after) = ("1\n2\n3\n4\n2\n5", "2\n3\n2\n2\n6\n5\n1");
        let found = text(before, after);
        let only = |other: Mark| {
            let lines = found.iter().filter(|(mark, _)| *mark != other).map(|(_, line)| *line);
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!((only(Mark::After), only(Mark::Before)), (before.into(), after.into()));
        let long = "x\n".repeat(3000);
        assert_eq!(text(&format!("a{long}"), &format!("b{long}")).len(), 3001);
    }

    #[test]
    fn only_what_is_near_a_difference_is_shown() {
        let lines = text("1\n2\n3\n4\n5\n6\n7", "1\n2\n3\nx\n5\n6\n7");
        let shown = around(&lines, 1);
        let texts: Vec<_> = shown.iter().map(|line| line.map_or("…", |(_, text)| text)).collect();
        assert_eq!(texts, ["…", "3", "4", "x", "5", "…"]);
    }
}
