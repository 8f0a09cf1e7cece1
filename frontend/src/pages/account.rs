//! `/settings/account`: the viewer's name and password, and where they are a member.

use leptos::prelude::*;

use super::{neighbours, use_place};
use crate::{
    components::{
        badge::Badge,
        empty::Empty,
        failed::FormError,
        field::{SubmitButton, TextField},
        form::Submit,
        icon,
        loaded::{Load, Loaded},
        pager::Pager,
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        member::{self, Membership, MembershipPage},
        viewer::{self, ChangePasswordInput, UpdateViewerInput},
    },
    logic::address,
    parts::access::{
        new_password::{NewPassword, NewPasswordFields},
        role::role_name,
    },
    session::use_session,
};

#[component]
pub fn AccountPage() -> impl IntoView {
    let session = use_session();
    let place = use_place();
    let memberships = Load::new(move || member::mine(place.get()));
    let has_password = Memo::new(move |_| {
        session.viewer().is_some_and(|viewer| viewer.has_password == Some(true))
    });
    view! {
        <PageTitle text="Account"/>
        <h1 class="mb-5 text-2xl font-semibold tracking-tight">"Account"</h1>
        <div class="max-w-3xl space-y-6">
            <NameForm/>
            <Show when=move || has_password.get()><PasswordForm/></Show>
            <section>
                <h2 class="mb-3 font-semibold">"Your projects"</h2>
                <Loaded from=memberships fallback=|| view! { <SkeletonRows rows=3/> } let:page>
                    <Memberships page/>
                </Loaded>
            </section>
        </div>
    }
}

#[component]
fn NameForm() -> impl IntoView {
    let session = use_session();
    let toasts = use_toasts();
    let viewer = untrack(|| session.viewer());
    let (username, name) = viewer.map(|viewer| (viewer.username, viewer.name)).unwrap_or_default();
    let name = RwSignal::new(name);
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = UpdateViewerInput { name: name.get_untracked().trim().to_owned() };
        submit.run(viewer::update(input), move |_| {
            toasts.success("Name saved.");
            session.reload();
        });
    };
    let unchanged = Signal::derive(move || {
        session.viewer().is_some_and(|viewer| viewer.name == name.read().trim())
    });
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <h2 class="font-semibold">"Profile"</h2>
            <p class="text-sm text-muted">
                "Username: " <span class="font-mono">{username}</span> " (can't be changed)"
            </p>
            <TextField
                id="name" label="Name" value=name autocomplete="name"
                hint="Shown next to your activity." refused=submit.field("name")
            />
            <FormError error=submit.general(&["name"])/>
            <SubmitButton text="Save" pending=submit.pending disabled=unchanged/>
        </form>
    }
}

#[component]
fn PasswordForm() -> impl IntoView {
    let session = use_session();
    let toasts = use_toasts();
    let current = RwSignal::new(String::new());
    let new = NewPassword::new();
    let submit = Submit::new();
    let username = untrack(|| session.viewer()).map(|viewer| viewer.username);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = ChangePasswordInput {
            current_password: current.get_untracked(),
            new_password: new.value.get_untracked(),
        };
        submit.run(viewer::change_password(input), move |_| {
            toasts.success("Password changed.");
            current.set(String::new());
            new.clear();
            session.reload();
        });
    };
    let blocked = Signal::derive(move || current.read().is_empty() || !new.ready());
    view! {
        <form class="panel space-y-4 p-6" on:submit=send>
            <div>
                <h2 class="font-semibold">"Password"</h2>
                <p class="text-sm text-muted">"Changing your password signs you out in all other browsers."</p>
            </div>
            // Password managers want to know whose it is.
            <input type="text" class="hidden" autocomplete="username" readonly prop:value=username/>
            <TextField
                id="current-password" label="Current password" value=current required=true kind="password"
                autocomplete="current-password" refused=submit.field("currentPassword")
            />
            <NewPasswordFields password=new refused=submit.field("newPassword")/>
            <FormError error=submit.general(&["currentPassword", "newPassword"])/>
            <SubmitButton text="Change password" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn Memberships(page: Memo<MembershipPage>) -> impl IntoView {
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! {
                <Empty d=icon::USERS title="You're not a member of any project yet">
                    <p>"You own the projects you create. Maintainers of other projects can add you."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Memberships">
                {move || page.get().nodes.into_iter().map(membership_line).collect_view()}
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="project"
                many="projects"
            />
        </Show>
    }
}

fn membership_line(membership: Membership) -> impl IntoView {
    let Membership { project, role, by_single_sign_on, created_at } = membership;
    let href = address::project(&project.path);
    let name = if project.name.is_empty() { project.path.clone() } else { project.name };
    view! {
        <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 p-4">
            <div class="min-w-0">
                <a class="link-hover link break-words font-medium" href=href>{name}</a>
                " " <span class="font-mono text-xs text-muted">{project.path}</span>
                <p class="text-sm text-muted">"Member since " <Time at=created_at.0/></p>
            </div>
            <div class="flex gap-2">
                {by_single_sign_on.then(|| view! { <Badge text="Single sign-on"/> })}
                <Badge text=role_name(role)/>
            </div>
        </li>
    }
}
