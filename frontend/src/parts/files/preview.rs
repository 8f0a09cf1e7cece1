//! A look into a file: the beginning of a text, a table, or an image. Nothing in it is run or rendered.

use gloo_net::http::Request;
use leptos::prelude::*;

use crate::{
    components::{
        dialog::Dialog,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
    },
    logic::{
        address,
        diff::Entry,
        error::ApiError,
        format,
        preview::{self, Form},
    },
};

/// Shows `entry`, of the files at `base`, as long as there is one.
#[component]
pub fn Preview(entry: RwSignal<Option<Entry>>, base: Memo<String>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| {
        let wanted = entry.read().is_some();
        if wanted != open.get_untracked() {
            open.set(wanted);
        }
    });
    // Closed by a key or a click. Only what changes is set: the two would wake each other for ever.
    Effect::new(move |_| {
        if !open.get() && entry.read_untracked().is_some() {
            entry.set(None);
        }
    });
    let title = move || entry.read().as_ref().map(|entry| entry.path.clone()).unwrap_or_default();
    view! {
        <Dialog open title=Signal::derive(title) wide=true>
            {move || entry.get().map(|entry| view! { <Content entry base/> })}
        </Dialog>
    }
}

#[component]
fn Content(entry: Entry, base: Memo<String>) -> impl IntoView {
    let Entry { path, size, .. } = entry;
    let href = base.with_untracked(|base| address::file(base, &path));
    let shown = match preview::form(&path, size) {
        Some(Form::Image) => {
            view! { <img src=href.clone() alt=path class="mx-auto max-h-[70vh] max-w-full"/> }
                .into_any()
        }
        form => view! { <Text href=href.clone() size form=form.unwrap_or(Form::Text)/> }.into_any(),
    };
    view! {
        {shown}
        <p class="mt-4 flex flex-wrap items-center justify-between gap-3 text-sm text-muted">
            <span>
                {format::bytes(size)}
                {(size > preview::MAX_TEXT).then(|| format!(
                    ". Text previews show only the first {}.", format::bytes(preview::MAX_TEXT),
                ))}
            </span>
            <a class="btn btn-sm" rel="external" download href=href>
                <Icon d=icon::DOWNLOAD/>
                "Download"
            </a>
        </p>
    }
}

/// The beginning of a file.
async fn beginning(href: String) -> Result<String, ApiError> {
    let range = format!("bytes=0-{}", preview::MAX_TEXT - 1);
    let request = Request::get(&href).header("range", &range).build();
    let response = match request {
        Ok(request) => request.send().await,
        Err(error) => Err(error),
    };
    let response = response.map_err(|_| ApiError::unreachable())?;
    if !response.ok() {
        return Err(ApiError::unexpected(response.status()));
    }
    response.text().await.map_err(|_| ApiError::unreachable())
}

#[component]
fn Text(href: String, size: i64, form: Form) -> impl IntoView {
    // An empty file has no beginning that could be asked for.
    let text = Load::new(move || {
        let href = href.clone();
        async move { if size == 0 { Ok(String::new()) } else { beginning(href).await } }
    });
    view! {
        <Loaded from=text fallback=|| view! { <SkeletonRows rows=6/> } let:text>
            {move || match form {
                Form::Table(separator) => view! { <Table rows=preview::table(&text.read(), separator)/> }.into_any(),
                _ => {
                    let text = if form == Form::Json { preview::indent(&text.read()) } else { text.get() };
                    view! {
                        <pre class="max-h-[65vh] overflow-auto rounded-box bg-base-200 p-4 text-xs" tabindex="0">{text}</pre>
                    }
                    .into_any()
                }
            }}
        </Loaded>
    }
}

#[component]
fn Table(rows: Vec<Vec<String>>) -> impl IntoView {
    let mut rows = rows.into_iter();
    let head = rows.next().unwrap_or_default();
    let cells =
        |row: Vec<String>| row.into_iter().map(|value| view! { <td>{value}</td> }).collect_view();
    view! {
        <div class="max-h-[65vh] overflow-auto rounded-box border border-base-300" tabindex="0" role="region" aria-label="Table">
            <table class="table table-xs table-pin-rows">
                <thead>
                    <tr>{head.into_iter().map(|name| view! { <th scope="col">{name}</th> }).collect_view()}</tr>
                </thead>
                <tbody>{rows.map(|row| view! { <tr>{cells(row)}</tr> }).collect_view()}</tbody>
            </table>
        </div>
    }
}
