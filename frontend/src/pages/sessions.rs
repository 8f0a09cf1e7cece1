//! `/settings/sessions`: the browsers that the viewer is signed in with.

use leptos::prelude::*;

use crate::{
    components::{
        badge::Badge,
        confirm::Confirm,
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::session::{self, RevokeSessionInput, Session},
    parts::tags::report,
    session::use_session,
};

#[component]
pub fn SessionsPage() -> impl IntoView {
    let sessions = Load::new(session::list);
    let changed = Callback::new(move |()| sessions.refetch());
    view! {
        <PageTitle text="Sessions"/>
        <h1 class="text-2xl font-semibold tracking-tight">"Sessions"</h1>
        <p class="mb-6 mt-1 max-w-prose text-sm text-muted">
            "The browsers you are signed in with. If you don't recognise a session, sign it out and change your password."
        </p>
        <Loaded from=sessions fallback=|| view! { <SkeletonRows rows=3/> } let:list>
            <SessionList list on_change=changed/>
        </Loaded>
    }
}

#[component]
fn SessionList(list: Memo<Vec<Session>>, on_change: Callback<()>) -> impl IntoView {
    let current = use_session();
    let toasts = use_toasts();
    let asked = RwSignal::new(None::<Session>);
    let open = RwSignal::new(false);
    let submit = Submit::new();
    report(submit);
    let revoke = move |()| {
        let Some(session) = asked.get_untracked() else {
            return;
        };
        submit.run(session::revoke(RevokeSessionInput { id: session.id }), move |ended| {
            open.set(false);
            toasts.success(format!("{} is signed out.", browser(&ended.name)));
            if session.current {
                current.reload();
            } else {
                on_change.run(());
            }
        });
    };
    let ask = Callback::new(move |session: Session| {
        asked.set(Some(session));
        open.set(true);
    });
    let title = Signal::derive(move || {
        asked.with(|session| match session {
            Some(session) => format!("Sign out {}?", browser(&session.name)),
            None => String::new(),
        })
    });
    view! {
        <ul class="panel max-w-3xl divide-y divide-base-300" aria-label="Sessions">
            {move || list.get().into_iter().map(|session| view! { <Line session ask/> }).collect_view()}
        </ul>
        <Confirm open title action="Sign out" danger=true pending=submit.pending on_confirm=revoke>
            <p>"That browser will have to sign in again."</p>
        </Confirm>
    }
}

#[component]
fn Line(session: Session, ask: Callback<Session>) -> impl IntoView {
    let Session { name, address, created_at, last_used_at, current, .. } = session.clone();
    let label = format!("Sign out {}", browser(&name));
    let from = address.map(|address| format!(" from {address}"));
    view! {
        <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 p-4">
            <div class="flex min-w-0 items-center gap-4">
                <span class="grid size-10 shrink-0 place-items-center rounded-lg bg-base-200 text-muted">
                    <Icon d=icon::MONITOR class="size-5"/>
                </span>
                <div class="min-w-0">
                    <p class="flex flex-wrap items-center gap-2">
                        <span class="break-words font-medium" title=name.clone()>{browser(&name)}</span>
                        {current.then(|| view! { <Badge text="This browser"/> })}
                    </p>
                    <p class="text-sm text-muted">
                        "Signed in " <Time at=created_at.0/> {from}
                        {last_used_at.map(|at| view! { " · last used " <Time at=at.0/> })}
                    </p>
                </div>
            </div>
            <button
                type="button"
                class="btn btn-sm btn-outline btn-error"
                aria-label=label
                on:click=move |_| ask.run(session.clone())
            >
                "Sign out"
            </button>
        </li>
    }
}

/// `Firefox on Linux` for what the browser calls itself; the name as it is where it is none we know.
fn browser(name: &str) -> String {
    // Chromium's offspring names its parents too: the more special name comes first.
    const BROWSERS: [(&str, &str); 5] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |table: &[(&str, &'static str)]| {
        table.iter().find(|(mark, _)| name.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        _ if name.is_empty() => "A browser".to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser;

    #[test]
    fn browsers_have_short_names() {
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0";
        assert_eq!(browser(edge), "Edge on Windows");
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
        assert_eq!(browser(firefox), "Firefox on Linux");
        assert_eq!(browser("curl/8.5"), "curl/8.5");
        assert_eq!(browser(""), "A browser");
    }
}
