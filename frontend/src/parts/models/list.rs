//! A list of models or prompts, of a project or of all: searched, narrowed down, sorted, changed.

use leptos::prelude::*;

use super::table::{ModelTable, order, orders};
use crate::{
    components::{
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        query_field::QueryChoice,
        search::SearchBox,
        skeleton::SkeletonRows,
        sort::{SortSelect, use_sort},
    },
    graphql::{
        facet::{self, FacetValue, Facets},
        kind::ModelKind,
        model::{self, Wanted},
    },
    logic::address,
    parts::page::{leave_when_empty, use_place},
};

#[component]
pub fn ModelList(
    kind: ModelKind,
    /// Whose; those of all projects without.
    #[prop(into)]
    project: Signal<Option<String>>,
    /// Whether there are any.
    #[prop(into)]
    any: Signal<bool>,
    /// What to show where there are none.
    #[prop(into)]
    nothing: ViewFn,
    #[prop(into)] on_change: Callback<()>,
    /// What stands beside the search.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let wanted = use_wanted(kind);
    let (_, many) = kind.words();
    let sort = use_sort("name");
    let place = use_place();
    let models = Load::new(move || {
        model::list(project.get(), wanted.get(), order(&sort.read()), place.get())
    });
    let facets = Load::new(move || facet::facets(project.get(), wanted.get()));
    facets.report();
    leave_when_empty(move || {
        models.with(|page| page.and_then(Result::ok).is_some_and(|page| page.nodes.is_empty()))
    });
    let changed = Callback::new(move |()| {
        models.refetch();
        facets.refetch();
        on_change.run(());
    });
    let across = Memo::new(move |_| project.read().is_none());
    let nothing = StoredValue::new(nothing);
    let none = move || {
        if wanted.read().narrows() {
            view! {
                <Empty d=icon::SEARCH title=format!("No matching {many}")>
                    <p>"Search looks at any part of the name. Try a broader filter."</p>
                </Empty>
            }
            .into_any()
        } else {
            nothing.read_value().run()
        }
    };
    view! {
        <div class="mb-3 flex flex-wrap items-center gap-3">
            <SearchBox name="q" label=format!("Search {many}")/>
            <SortSelect sort class="select w-auto md:hidden" options=orders(kind)/>
            {children.map(|children| children())}
        </div>
        <Show when=move || any.get() || wanted.read().narrows()>
            <FacetBar kind facets wanted/>
        </Show>
        <Loaded from=models fallback=|| view! { <SkeletonRows/> } let:page>
            <Show when=move || !page.read().nodes.is_empty() fallback=none>
                <ModelTable kind page sort across on_change=changed/>
            </Show>
        </Loaded>
    }
}

/// What the address narrows the list down to.
fn use_wanted(kind: ModelKind) -> Memo<Wanted> {
    let [search, tag, framework, license, author] =
        ["q", "tag", "framework", "license", "author"].map(address::use_query);
    Memo::new(move |_| Wanted {
        kind,
        search: search.get(),
        tag: tag.get(),
        framework: framework.get(),
        license: license.get(),
        author: author.get(),
    })
}

/// What the models have, to choose from.
#[component]
fn FacetBar(kind: ModelKind, facets: Load<Facets>, wanted: Memo<Wanted>) -> impl IntoView {
    let set_query = address::use_set_query();
    let failed = move || {
        facets.with(|facets| facets.and_then(Result::err).map(|error| error.message.clone()))
    };
    let choice = move |name: &'static str, any: &'static str, of: fn(&Facets) -> &[FacetValue]| {
        let options = Signal::derive(move || {
            let value = |value: &FacetValue| {
                let key = value.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
                Some((value.wanted()?, format!("{key}{} ({})", value.value, value.count)))
            };
            let mut options = vec![(String::new(), any.to_owned())];
            facets.with(|facets| {
                if let Some(Ok(facets)) = facets {
                    options.extend(of(facets).iter().filter_map(value));
                }
            });
            options
        });
        let class = "select select-sm w-full sm:w-auto sm:max-w-44";
        view! { <QueryChoice name label=any.to_owned() options class/> }
    };
    let is_model = kind == ModelKind::Model;
    let clear = move |_| {
        let none = ["q", "tag", "framework", "license", "author", "after", "before"];
        set_query(&none.map(|name| (name, None)), false);
    };
    view! {
        <div class="mb-3 grid grid-cols-2 items-center gap-2 sm:flex sm:flex-wrap" role="group" aria-label="Filters">
            {is_model.then(|| choice("framework", "Any framework", |facets| &facets.frameworks))}
            {choice("tag", "Any tag", |facets| &facets.tags)}
            {is_model.then(|| choice("license", "Any license", |facets| &facets.licenses))}
            {choice("author", "Any author", |facets| &facets.authors)}
            <Show when=move || wanted.read().narrows()>
                <button type="button" class="btn btn-ghost btn-sm justify-self-start" on:click=clear.clone()>
                    <Icon d=icon::CROSS/>"Clear filters"
                </button>
            </Show>
            {move || failed().map(|message| view! {
                <p class="text-sm text-error" role="alert">"The filters couldn't be loaded: " {message}</p>
            })}
        </div>
    }
}
