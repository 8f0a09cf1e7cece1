//! The files of a version or candidate: the tree, downloads, and uploads while it takes them.

use std::time::Duration;

use leptos::prelude::*;

use super::{preview::Preview, uploads::UploadPanel};
use crate::{
    components::{
        file_tree::FileTree,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        menu::Menu,
        skeleton::SkeletonRows,
        toast::use_toasts,
    },
    graphql::{
        candidate::{self, Run},
        file::{self, DeleteFileInput, FilePage},
        version,
    },
    logic::{address, diff::Entry, error::ApiError, format},
    parts::tags::report,
    upload::{Place, Uploads},
};

/// How many more files the tree takes at a time.
const PORTION: usize = 1000;

/// Whose files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Version {
        model: String,
        version: String,
    },
    /// A candidate, with the path of its model and its number there if it has one.
    Candidate {
        run: Run,
        place: Option<(String, i32)>,
    },
}

impl Source {
    /// Their address under `/files`.
    pub fn base(&self) -> String {
        match self {
            Self::Version { model, version } => address::files(model, version),
            Self::Candidate { run: Run { project, run_id }, place } => {
                let place = place.as_ref().map(|(model, number)| (model.as_str(), *number));
                address::run_files(project, run_id, place)
            }
        }
    }

    /// As the uploads to it are known.
    pub fn place(&self) -> Place {
        let (page, name) = match self {
            Self::Version { model, version } => {
                (address::version(model, version), format!("{model} {version}"))
            }
            Self::Candidate { run: Run { project, run_id }, place } => {
                let name = match place {
                    Some((model, number)) => format!("{model} #{number}"),
                    None => format!("{project}, run {run_id}"),
                };
                let place = place.as_ref().map(|(model, number)| (model.as_str(), *number));
                (address::run(project, run_id, place), name)
            }
        };
        Place { base: self.base(), page, name }
    }

    async fn page(&self, after: Option<String>) -> Result<FilePage, ApiError> {
        match self.clone() {
            Self::Version { model, version } => version::files(model, version, after).await,
            Self::Candidate { run, .. } => candidate::files(run, after).await,
        }
    }

    /// The first `most` files, and how many there are.
    pub async fn load(self, most: usize) -> Result<(Vec<Entry>, i32), ApiError> {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = self.page(after).await?;
            entries.extend(page.nodes.into_iter().map(|file| Entry {
                path: file.path,
                size: file.size,
                sha256: file.sha256,
            }));
            if !page.page_info.has_next_page || entries.len() >= most {
                return Ok((entries, page.total_count));
            }
            after = page.page_info.end_cursor;
        }
    }

    /// None of a run without a model, whose files only MLflow's clients change.
    fn delete_input(self, path: String) -> Option<DeleteFileInput> {
        let (model, version, candidate) = match self {
            Self::Version { model, version } => (model, Some(version), None),
            Self::Candidate { place, .. } => {
                let (model, number) = place?;
                (model, None, Some(number))
            }
        };
        Some(DeleteFileInput { model, version, candidate, path })
    }
}

#[component]
pub fn Files(
    #[prop(into)] source: Signal<Source>,
    /// How many there are: another number means that somebody else brought or took some.
    #[prop(into)]
    file_count: Signal<i32>,
    /// Whether files can be added and deleted.
    #[prop(into)]
    open: Signal<bool>,
    /// Whether uploading is the exception here, so that the drop zone waits behind a button.
    #[prop(optional)]
    folded: bool,
    /// Files came or went.
    #[prop(into)]
    on_change: Callback<()>,
) -> impl IntoView {
    let most = RwSignal::new(PORTION);
    let files = Load::new(move || source.get().load(most.get()));
    reload_with(file_count, files);
    let uploads = expect_context::<Uploads>();
    let queue = Memo::new(move |_| QueueOf(uploads.queue(source.read().place())));
    let last_reload = StoredValue::new(0.0);
    Effect::new(move |before: Option<u32>| {
        let queue = queue.get().0;
        let finished = queue.finished.get();
        let over = untrack(|| queue.total().active) == 0;
        let due = js_sys::Date::now() - last_reload.get_value() > 2_000.0;
        if before.is_some_and(|before| before != finished) && (over || due) {
            last_reload.set_value(js_sys::Date::now());
            files.refetch();
            on_change.run(());
        }
        finished
    });
    let unfolded = RwSignal::new(!folded || untrack(|| !queue.get().0.uploads.read().is_empty()));
    let base = Memo::new(move |_| source.read().base());
    let changed = Callback::new(move |()| {
        files.refetch();
        on_change.run(());
    });
    view! {
        <section class="panel">
            <header class="flex flex-wrap items-center justify-between gap-3 border-b border-base-300 px-5 py-3">
                <h2 class="font-semibold">"Files"</h2>
                <div class="flex gap-2">
                    <Show when=move || open.get() && !unfolded.get()>
                        <button
                            type="button"
                            class="btn btn-sm btn-ghost"
                            on:click=move |_| unfolded.set(true)
                        >
                            <Icon d=icon::UPLOAD/>
                            "Add files"
                        </button>
                    </Show>
                    <DownloadAll base/>
                </div>
            </header>
            <div class="space-y-5 p-5">
                <Show when=move || open.get() && unfolded.get()>
                    {move || view! { <UploadPanel queue=queue.get().0/> }}
                </Show>
                <Loaded from=files fallback=|| view! { <SkeletonRows rows=3/> } let:loaded>
                    // One child: a closed dialog would else count as the last one and leave a gap.
                    <div>
                        <Tree loaded base source open most on_change=changed/>
                    </div>
                </Loaded>
            </div>
        </section>
    }
}

/// Loads the files again when there is another number of them; not at once, for more may come.
fn reload_with(file_count: Signal<i32>, files: Load<(Vec<Entry>, i32)>) {
    const PAUSE: Duration = Duration::from_secs(1);
    let file_count = Memo::new(move |_| file_count.get());
    let waiting = StoredValue::new(false);
    let reload = move || {
        // It comes back where there is nobody any more to show them to.
        if waiting.try_set_value(false).is_none() {
            files.refetch();
        }
    };
    Effect::new(move |before: Option<i32>| {
        let now = file_count.get();
        if before.is_some_and(|before| before != now) && !waiting.get_value() {
            waiting.set_value(true);
            set_timeout(reload, PAUSE);
        }
        now
    });
}

/// Queues are the same where they fill the same address; the memo above sees to that.
#[derive(Clone, Copy)]
struct QueueOf(crate::upload::Queue);

impl PartialEq for QueueOf {
    fn eq(&self, other: &Self) -> bool {
        self.0.uploads == other.0.uploads
    }
}

#[component]
fn DownloadAll(base: Memo<String>) -> impl IntoView {
    view! {
        <Menu
            label="Download all files"
            class="btn btn-sm"
            button=|| view! { <Icon d=icon::DOWNLOAD/> "Download all" <Icon d=icon::CHEVRON_DOWN class="size-3.5"/> }
        >
            <li>
                <a rel="external" download href=move || address::archive(&base.read(), "", "tar")>"As .tar"</a>
            </li>
            <li>
                <a rel="external" download href=move || address::archive(&base.read(), "", "zip")>"As .zip"</a>
            </li>
        </Menu>
    }
}

#[component]
fn Tree(
    loaded: Memo<(Vec<Entry>, i32)>,
    base: Memo<String>,
    source: Signal<Source>,
    open: Signal<bool>,
    most: RwSignal<usize>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let entries = Signal::derive(move || loaded.read().0.clone());
    let previewed = RwSignal::new(None::<Entry>);
    let on_preview = Callback::new(move |entry| previewed.set(Some(entry)));
    let deletion = Submit::new();
    report(deletion);
    let delete = Callback::new(move |path: String| {
        let Some(input) = source.get_untracked().delete_input(path) else { return };
        deletion.run(file::delete(input), move |file| {
            toasts.success(format!("{} deleted.", file.path));
            on_change.run(());
        });
    });
    let rest = move || {
        let (entries, total) = &*loaded.read();
        i64::from(*total) - i64::try_from(entries.len()).unwrap_or(i64::MAX)
    };
    view! {
        <Show
            when=move || !loaded.read().0.is_empty()
            fallback=move || view! {
                <p class="text-sm text-muted">
                    {move || if open.get() { "No files yet." } else { "No files." }}
                </p>
            }
        >
            {move || view! {
                <FileTree entries base on_preview on_delete=open.get().then_some(delete)/>
            }}
            <Preview entry=previewed base/>
            <Show when=move || 0 < rest()>
                <div class="flex items-center justify-center gap-3 pt-3 text-sm text-muted">
                    <span>{move || format!("{} more", format::plural(rest(), "file", "files"))}</span>
                    <button
                        type="button"
                        class="btn btn-sm"
                        on:click=move |_| most.update(|most| *most += PORTION)
                    >
                        "Show more"
                    </button>
                </div>
            </Show>
        </Show>
    }
}
