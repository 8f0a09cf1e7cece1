//! Files as a tree of folders, with sizes, hashes and downloads.

use std::collections::{BTreeMap, BTreeSet};

use leptos::prelude::*;

use super::{
    copy::CopyButton,
    icon::{self, Icon},
    menu::Menu,
};
use crate::logic::{address, diff::Entry, format, preview};

/// A folder: what is in it, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Folder {
    folders: BTreeMap<String, Folder>,
    files: BTreeMap<String, Entry>,
    size: i64,
    count: i64,
}

impl Folder {
    fn of(entries: &[Entry]) -> Self {
        let mut root = Self::default();
        for entry in entries {
            root.insert(&entry.path, entry);
        }
        root
    }

    fn insert(&mut self, rest: &str, entry: &Entry) {
        self.size += entry.size;
        self.count += 1;
        match rest.split_once('/') {
            Some((folder, rest)) => {
                self.folders.entry(folder.to_owned()).or_default().insert(rest, entry);
            }
            None => {
                self.files.insert(rest.to_owned(), entry.clone());
            }
        }
    }
}

/// A line of the tree, as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    depth: usize,
    name: String,
    path: String,
    size: i64,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Folder { count: i64, open: bool },
    File { sha256: String },
}

/// The lines to draw: folders first, then files; closed folders hide what is in them.
fn lines(
    folder: &Folder,
    prefix: &str,
    depth: usize,
    closed: &BTreeSet<String>,
    out: &mut Vec<Line>,
) {
    for (name, inner) in &folder.folders {
        let path = join(prefix, name);
        let open = !closed.contains(&path);
        let kind = Kind::Folder { count: inner.count, open };
        out.push(Line { depth, name: name.clone(), path: path.clone(), size: inner.size, kind });
        if open {
            lines(inner, &path, depth + 1, closed, out);
        }
    }
    for (name, file) in &folder.files {
        out.push(Line {
            depth,
            name: name.clone(),
            path: file.path.clone(),
            size: file.size,
            kind: Kind::File { sha256: file.sha256.clone() },
        });
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// The tree. With `on_delete`, every file has a button for it.
#[component]
pub fn FileTree(
    #[prop(into)] entries: Signal<Vec<Entry>>,
    /// The address of all of them under `/files`.
    #[prop(into)]
    base: Signal<String>,
    /// Shows a file that can be shown.
    on_preview: Callback<Entry>,
    #[prop(optional_no_strip)] on_delete: Option<Callback<String>>,
) -> impl IntoView {
    let closed = RwSignal::new(BTreeSet::<String>::new());
    let tree = Memo::new(move |_| Folder::of(&entries.read()));
    let shown = Memo::new(move |_| {
        let mut out = Vec::new();
        lines(&tree.read(), "", 0, &closed.read(), &mut out);
        out
    });
    let toggle = Callback::new(move |path: String| {
        closed.update(|closed| {
            if !closed.remove(&path) {
                closed.insert(path);
            }
        });
    });
    view! {
        <div class="overflow-x-auto">
            <table class="table table-sm">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col" class="text-right">"Size"</th>
                        <th scope="col" class="hidden md:table-cell">"SHA-256"</th>
                        <th scope="col"><span class="sr-only">"Actions"</span></th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || shown.get() key=|line| (line.path.clone(), line.kind.clone(), line.size) let:line>
                        <Row line base on_preview on_delete toggle/>
                    </For>
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Row(
    line: Line,
    base: Signal<String>,
    on_preview: Callback<Entry>,
    on_delete: Option<Callback<String>>,
    toggle: Callback<String>,
) -> impl IntoView {
    let Line { depth, name, path, size, kind } = line;
    let indent = format!("{}rem", depth * 5 / 4);
    match kind {
        Kind::Folder { count, open } => {
            let archive = {
                let path = path.clone();
                move |kind: &str| base.with(|base| address::archive(base, &path, kind))
            };
            let zip = archive.clone();
            let label = format!("Download {name}");
            view! {
                <tr>
                    <td class="min-w-40">
                        <button
                            type="button"
                            class="flex cursor-pointer items-center gap-2 text-left font-medium"
                            style:padding-left=indent
                            aria-expanded=open.to_string()
                            on:click=move |_| toggle.run(path.clone())
                        >
                            <Icon
                                d=if open { icon::CHEVRON_DOWN } else { icon::CHEVRON_RIGHT }
                                class="size-3.5 shrink-0"
                            />
                            <span class="text-primary">
                                <Icon d=if open { icon::FOLDER_OPEN } else { icon::FOLDER }/>
                            </span>
                            <span class="break-all">{name}</span>
                        </button>
                    </td>
                    <td class="whitespace-nowrap text-right tabular-nums">{format::bytes(size)}</td>
                    <td class="hidden text-muted md:table-cell">
                        {format::plural(count, "file", "files")}
                    </td>
                    <td class="w-0 text-right">
                        <Menu
                            label=label
                            class="btn btn-ghost btn-xs btn-square"
                            button=|| view! { <Icon d=icon::DOWNLOAD/> }
                        >
                            <li><a rel="external" download href=archive("tar")>"As .tar"</a></li>
                            <li><a rel="external" download href=zip("zip")>"As .zip"</a></li>
                        </Menu>
                    </td>
                </tr>
            }
            .into_any()
        }
        Kind::File { sha256 } => {
            let entry = Entry { path, size, sha256 };
            view! { <FileRow indent name entry base on_preview on_delete/> }.into_any()
        }
    }
}

#[component]
fn FileRow(
    indent: String,
    name: String,
    entry: Entry,
    base: Signal<String>,
    on_preview: Callback<Entry>,
    on_delete: Option<Callback<String>>,
) -> impl IntoView {
    let Entry { path, size, sha256 } = entry.clone();
    let href = {
        let path = path.clone();
        Memo::new(move |_| base.with(|base| address::file(base, &path)))
    };
    let short = sha256.get(..12).unwrap_or(&sha256).to_owned();
    let delete = on_delete.map(|on_delete| {
        let deleted = path.clone();
        view! {
            <button
                type="button"
                class="btn btn-ghost btn-xs btn-square"
                aria-label=format!("Delete {name}")
                title="Delete"
                on:click=move |_| on_delete.run(deleted.clone())
            >
                <Icon d=icon::TRASH/>
            </button>
        }
    });
    let download = format!("Download {name}");
    let is_shown = preview::form(&path, size).is_some();
    let padding = format!("calc({indent} + 1.375rem)");
    let label = view! {
        <span class="text-muted"><Icon d=if is_shown { icon::FILE_TEXT } else { icon::FILE }/></span>
        <span class="break-all">{name}</span>
    };
    const LINK: &str = "link-hover link flex cursor-pointer items-center gap-2 text-left";
    let opener = if is_shown {
        view! {
            <button type="button" class=LINK style:padding-left=padding on:click=move |_| on_preview.run(entry.clone())>
                {label}
            </button>
        }
        .into_any()
    } else {
        view! { <a class=LINK style:padding-left=padding rel="external" download href=href>{label}</a> }.into_any()
    };
    view! {
        <tr>
            <td class="min-w-40">
                {opener}
            </td>
            <td class="whitespace-nowrap text-right tabular-nums" title=format!("{size} bytes")>
                {format::bytes(size)}
            </td>
            <td class="hidden whitespace-nowrap md:table-cell">
                <code class="text-xs text-muted" title=sha256.clone()>{short}</code>
                <CopyButton text=Signal::stored(sha256) label="Copy the SHA-256"/>
            </td>
            <td class="w-0">
                <div class="flex justify-end">
                    {delete}
                    <a
                        class="btn btn-ghost btn-xs btn-square"
                        rel="external"
                        download
                        href=href
                        aria-label=download.clone()
                        title=download
                    >
                        <Icon d=icon::DOWNLOAD/>
                    </a>
                </div>
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size: i64) -> Entry {
        Entry { path: path.to_owned(), size, sha256: String::new() }
    }

    #[test]
    fn folders_come_first_and_add_up() {
        let tree = Folder::of(&[entry("a.txt", 1), entry("onnx/b", 2), entry("onnx/q/c", 4)]);
        let mut out = Vec::new();
        lines(&tree, "", 0, &BTreeSet::new(), &mut out);
        let read: Vec<_> =
            out.iter().map(|line| (line.path.as_str(), line.size, line.depth)).collect();
        let expected = [
            ("onnx", 6, 0),
            ("onnx/q", 4, 1),
            ("onnx/q/c", 4, 2),
            ("onnx/b", 2, 1),
            ("a.txt", 1, 0),
        ];
        assert_eq!(read, expected);
        out.clear();
        lines(&tree, "", 0, &BTreeSet::from(["onnx".to_owned()]), &mut out);
        assert_eq!(out.len(), 2);
    }
}
