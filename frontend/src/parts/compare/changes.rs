//! What is different in a version since another one: files, template, notes, metrics, params and tags.

use leptos::prelude::*;

use super::{side::Side, table::Comparison};
use crate::{
    components::{
        icon::{self, Icon},
        loaded::{Load, Loaded},
        plot::escaped,
        skeleton::SkeletonRows,
        text_diff::text_diff,
    },
    graphql::{
        prompt::Template,
        version::{self, VersionPageData},
    },
    logic::{address, template::pretty},
    parts::files::changes::FileChanges,
};

/// Folded, unless the address says against which version: then nothing is asked for before it is opened.
#[component]
pub fn Changes(data: Memo<VersionPageData>) -> impl IntoView {
    let against = address::use_query("against");
    let open = RwSignal::new(against.read_untracked().is_some());
    let toggled = move |event: leptos::ev::Event| {
        open.set(event_target::<leptos::web_sys::Element>(&event).has_attribute("open"));
    };
    let this = Memo::new(move |_| data.read().version.version.clone());
    let other = Memo::new(move |_| {
        let previous = || data.read().version.previous.as_ref().map(|found| found.version.clone());
        against.get().or_else(previous)
    });
    // The only version there is has nothing to be held against.
    let alone = Memo::new(move |_| {
        let data = data.read();
        let latest = data.latest.as_ref().map(|latest| &latest.version);
        other.read().is_none() && latest.is_none_or(|latest| *latest == *this.read())
    });
    let title = move || match other.get() {
        Some(other) => format!("Compare with {other}"),
        None => "Compare".to_owned(),
    };
    view! {
        <Show when=move || !alone.get()>
            <details class="panel" prop:open=move || open.get() on:toggle=toggled>
                <summary class="cursor-pointer px-5 py-3"><h2 class="inline font-semibold">{title}</h2></summary>
                <Show when=move || open.get()>
                    <Choice data this other/>
                    {move || other.get().map(|other| view! { <Since other data/> })}
                </Show>
            </details>
        </Show>
    }
}

/// Which version the changes are since.
#[component]
fn Choice(
    data: Memo<VersionPageData>,
    this: Memo<String>,
    other: Memo<Option<String>>,
) -> impl IntoView {
    let model = Memo::new(move |_| data.read().model.clone());
    let highest = Load::new(move || version::highest(model.get()));
    let set_query = address::use_set_query();
    let options = move || {
        let mut versions = highest.with(|found| match found {
            Some(Ok(versions)) => versions.clone(),
            // The one that is chosen can be seen all the same.
            _ => Vec::new(),
        });
        versions.retain(|version| *version != *this.read());
        let chosen = other.get().unwrap_or_default();
        if !versions.contains(&chosen) {
            versions.insert(0, chosen.clone());
        }
        let option = |version: String| {
            let selected = version == chosen;
            view! { <option value=version.clone() selected=selected>{version.clone()}</option> }
        };
        versions.into_iter().map(option).collect_view()
    };
    let side_by_side = move || {
        let versions = [other.get().unwrap_or_default(), this.get()];
        address::compare_versions(&model.read(), &versions)
    };
    view! {
        <div class="flex flex-wrap items-center justify-between gap-3 border-t border-base-300 px-5 py-3 text-sm">
            <label class="flex items-center gap-2">
                "Base version"
                <select
                    class="select select-sm w-auto max-w-48 font-mono"
                    prop:value=move || { highest.with(|_| ()); other.get() }
                    on:change:target=move |event| set_query(&[("against", Some(event.target().value()))], true)
                >
                    {options}
                </select>
            </label>
            <Show when=move || other.read().is_some()>
                <a class="btn btn-sm" href=side_by_side><Icon d=icon::COMPARE/>"Side by side"</a>
            </Show>
        </div>
    }
}

#[component]
fn Since(other: String, data: Memo<VersionPageData>) -> impl IntoView {
    let model = data.read_untracked().model.clone();
    let load = Load::new(move || {
        let (model, other) = (model.clone(), other.clone());
        async move { Ok(vec![Side::Version(Box::new(version::get(model, other).await?))]) }
    });
    let base = Signal::stored(0);
    let only_differing = Signal::stored(true);
    let has_files = !data.read_untracked().version.is_prompt();
    let shown = move |other: Memo<Vec<Side>>| {
        let sides = Memo::new(move |_| {
            let mut sides = other.get();
            sides.push(Side::Version(Box::new(data.get())));
            sides
        });
        view! {
            {has_files.then(|| view! {
                <h3 class=PART>"Files"</h3>
                <FileChanges sides base only_differing/>
            })}
            <div inner_html=move || text_changes(&sides.read(), 0, &Text::ALL)></div>
            <h3 class=PART>"Metrics, params and tags"</h3>
            <Comparison sides base only_differing/>
        }
    };
    view! { <Loaded from=load fallback=|| view! { <SkeletonRows rows=3/> } children=shown/> }
}

const PART: &str = "border-t border-base-300 px-5 pb-2 pt-3 text-sm font-semibold";

/// A text that versions have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// Of a prompt.
    Template,
    ResponseFormat,
    ModelSettings,
    Notes,
}

impl Text {
    pub const ALL: [Self; 4] =
        [Self::Template, Self::ResponseFormat, Self::ModelSettings, Self::Notes];

    pub fn title(self) -> &'static str {
        match self {
            Self::Template => "Template",
            Self::ResponseFormat => "Response format",
            Self::ModelSettings => "Model settings",
            Self::Notes => "Release notes",
        }
    }

    /// Empty where there is none.
    pub fn of(self, side: &Side) -> String {
        let Side::Version(data) = side else { return String::new() };
        let prompt = data.version.prompt.as_ref();
        let json =
            |of: fn(&Template) -> Option<&String>| prompt.and_then(of).map(|json| pretty(json));
        let text = match self {
            Self::Template => prompt.map(Template::plain),
            Self::ResponseFormat => json(|prompt| prompt.response_format.as_ref()),
            Self::ModelSettings => json(|prompt| prompt.model_config.as_ref()),
            Self::Notes => Some(data.version.description.clone()),
        };
        text.unwrap_or_default()
    }
}

/// How these texts of versions differ from those of the base, as HTML.
pub fn text_changes(sides: &[Side], base: usize, texts: &[Text]) -> String {
    let Some(before) = sides.get(base) else { return String::new() };
    let change = |(text, side): (Text, &Side)| {
        let (from, to) = (text.of(before), text.of(side));
        let changed = (from != to).then(|| text_diff(&from, &to))?;
        let (title, before, after) = (text.title(), escaped(&before.name()), escaped(&side.name()));
        Some(format!("<h3 class=\"{PART}\">{title}: {before} → {after}</h3>{changed}"))
    };
    let each = texts.iter().flat_map(|text| sides.iter().map(move |side| (*text, side)));
    each.filter_map(change).collect()
}
