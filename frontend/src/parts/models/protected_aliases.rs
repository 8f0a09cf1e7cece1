//! Protected aliases of a project or a model: names that only maintainers move.

use leptos::prelude::*;

use crate::{
    components::{
        failed::FormError,
        field::{SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        toast::use_toasts,
    },
    graphql::protected_alias::{self, Place, ProtectedAlias},
    logic::check,
    parts::tags::report,
};

#[component]
pub fn ProtectedAliases(
    #[prop(into)] place: Signal<Place>,
    /// Something changed: aliases may be protected now that were not.
    #[prop(into)]
    on_change: Callback<()>,
) -> impl IntoView {
    let list = Load::new(move || protected_alias::list(place.get()));
    let changed = Callback::new(move |()| {
        list.refetch();
        on_change.run(());
    });
    let line = move |alias| view! { <Line alias place on_change=changed/> };
    view! {
        <section class="panel space-y-4 p-6">
            <div>
                <h2 class="font-semibold">"Protected aliases"</h2>
                <p class="text-sm text-muted">
                    "Only maintainers can move or remove these aliases, and only to published versions. Use " <code>"*"</code> " as a wildcard, for example "
                    <code>"release-*"</code> "."
                </p>
            </div>
            <Loaded from=list fallback=|| view! { <SkeletonRows rows=1/> } let:list>
                <Show
                    when=move || !list.read().is_empty()
                    fallback=|| view! { <p class="text-sm text-muted">"No aliases are protected."</p> }
                >
                    <ul class="divide-y divide-base-300 rounded-box border border-base-300" aria-label="Protected aliases">
                        {move || list.get().into_iter().map(line).collect_view()}
                    </ul>
                </Show>
            </Loaded>
            <ProtectForm place on_change=changed/>
        </section>
    }
}

#[component]
fn Line(alias: ProtectedAlias, place: Signal<Place>, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let submit = Submit::new();
    report(submit);
    let ProtectedAlias { pattern, model } = alias;
    let inherited = model.is_none() && matches!(*place.read_untracked(), Place::Model(_));
    let label = format!("Stop protecting {pattern}");
    let remove = {
        let pattern = pattern.clone();
        move |_| {
            let work = protected_alias::unprotect(place.get_untracked(), pattern.clone());
            submit.run(work, move |alias| {
                toasts.success(format!("{} is no longer protected.", alias.pattern));
                on_change.run(());
            });
        }
    };
    view! {
        <li class="flex min-h-12 items-center justify-between gap-3 px-4 py-2">
            <span class="flex min-w-0 items-center gap-2">
                <span class="text-muted"><Icon d=icon::LOCK/></span>
                <code class="break-all text-sm">{pattern}</code>
            </span>
            {if inherited {
                view! { <span class="text-sm text-muted">"set by the project"</span> }.into_any()
            } else {
                view! {
                    <button
                        type="button" class="btn btn-ghost btn-sm btn-square" aria-label=label.clone() title=label
                        disabled=submit.pending on:click=remove
                    >
                        <Icon d=icon::CROSS/>
                    </button>
                }
                .into_any()
            }}
        </li>
    }
}

#[component]
fn ProtectForm(place: Signal<Place>, on_change: Callback<()>) -> impl IntoView {
    let toasts = use_toasts();
    let pattern = RwSignal::new(String::new());
    let submit = Submit::naming("pattern");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let typed = pattern.get_untracked().trim().to_owned();
        submit.run(protected_alias::protect(place.get_untracked(), typed), move |alias| {
            toasts.success(format!("{} is now protected.", alias.pattern));
            pattern.set(String::new());
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || {
        pattern.read().trim().is_empty() || check::alias_pattern(pattern.read().trim()).is_some()
    });
    view! {
        <form class="space-y-2" on:submit=send>
            <TextField
                id="pattern" label="Alias or pattern" value=pattern required=true mono=true placeholder="production"
                check=check::alias_pattern refused=submit.field("pattern")
            />
            <FormError error=submit.general(&["pattern"])/>
            <SubmitButton text="Protect" pending=submit.pending disabled=blocked/>
        </form>
    }
}
