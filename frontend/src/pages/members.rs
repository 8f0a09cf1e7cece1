//! `/{project}/-/members`: who may do what in the project.

use leptos::prelude::*;
use leptos_router::NavigateOptions;

use super::{leave_when_empty, neighbours, project::use_project, use_place};
use crate::{
    components::{
        badge::Badge,
        confirm::Confirm,
        empty::Empty,
        failed::FormError,
        field::{SelectField, SubmitButton},
        form::Submit,
        icon,
        loaded::{Load, Loaded},
        pager::Pager,
        search::SearchBox,
        skeleton::SkeletonRows,
        time::Time,
        title::PageTitle,
        toast::use_toasts,
    },
    graphql::{
        member::{
            self, AddMemberInput, MemberPage, MemberRow, RemoveMemberInput, UpdateMemberInput,
        },
        scalar::Role,
    },
    logic::address,
    parts::{
        access::{
            role::{ROLE_NAMES, ROLES, UP_TO_MAINTAINER, role_key, role_name, role_of},
            user_field::UserField,
        },
        tags::report,
    },
    session::use_session,
};

#[component]
pub fn MembersTab() -> impl IntoView {
    let project = use_project();
    let search = address::use_query("q");
    let place = use_place();
    let members = Load::new(move || member::list(project.path.get(), search.get(), place.get()));
    let changed = Callback::new(move |()| members.refetch());
    let maintains = Memo::new(move |_| project.allows(Role::Maintainer));
    view! {
        <PageTitle text=move || format!("Members of {}", project.path.get())/>
        <h2 class="sr-only">"Members"</h2>
        <div
            class="grid grid-cols-[minmax(0,1fr)] items-start gap-6"
            class=("lg:grid-cols-[20rem_minmax(0,1fr)]", maintains)
        >
            <Show when=move || maintains.get()><AddMember on_change=changed/></Show>
            <div>
                <div class="mb-4 flex flex-wrap gap-3"><SearchBox name="q" label="Search members"/></div>
                <Loaded from=members fallback=|| view! { <SkeletonRows/> } let:page>
                    <MemberList page on_change=changed/>
                </Loaded>
            </div>
        </div>
    }
}

#[component]
fn AddMember(on_change: Callback<()>) -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    let username = RwSignal::new(String::new());
    let role = RwSignal::new("developer".to_owned());
    let submit = Submit::naming("username");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = AddMemberInput {
            project: project.path.get_untracked(),
            username: username.get_untracked().trim().trim_start_matches('@').to_owned(),
            role: role_of(&role.read_untracked()),
        };
        submit.run(member::add(input), move |member| {
            toasts.success(format!("{} is now a member.", member.user.username));
            username.set(String::new());
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || username.read().trim().is_empty());
    // Only owners make owners.
    let options =
        move || if project.allows(Role::Owner) { ROLES } else { &ROLES[..UP_TO_MAINTAINER] };
    view! {
        <form class="panel space-y-4 p-5" on:submit=send>
            <h3 class="font-semibold">"Add a member"</h3>
            <UserField id="username" value=username refused=submit.field("username")/>
            {move || view! { <SelectField id="role" label="Role" value=role options=options()/> }}
            <FormError error=submit.general(&["username"])/>
            <SubmitButton text="Add member" pending=submit.pending disabled=blocked/>
        </form>
    }
}

#[component]
fn MemberList(page: Memo<MemberPage>, on_change: Callback<()>) -> impl IntoView {
    let leaving = RwSignal::new(None::<MemberRow>);
    leave_when_empty(move || page.read().nodes.is_empty());
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! {
                <Empty d=icon::USERS title="No members found">
                    <p>"No member matches the search, or this project has no members yet. Administrators can add members."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Members">
                <For
                    each=move || page.get().nodes
                    key=|row| (row.user.username.clone(), row.role as u8, row.by_single_sign_on)
                    let:row
                >
                    <MemberLine row leaving on_change/>
                </For>
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="member"
                many="members"
            />
        </Show>
        {move || leaving.get().map(|row| view! { <Remove row on_change/> })}
    }
}

#[component]
fn MemberLine(
    row: MemberRow,
    leaving: RwSignal<Option<MemberRow>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let project = use_project();
    let session = use_session();
    let me = session.viewer().is_some_and(|viewer| viewer.username == row.user.username);
    let MemberRow { user, role, by_single_sign_on, added_by, created_at } = row.clone();
    let name = if user.name.is_empty() { user.username.clone() } else { user.name };
    // Owners are changed by owners only.
    let needed = if role == Role::Owner { Role::Owner } else { Role::Maintainer };
    let editable = move || project.allows(needed);
    let button = if me { "Leave" } else { "Remove" };
    let label = if me { "Leave the project".to_owned() } else { format!("Remove {name}") };
    let by = added_by
        .map(|by| format!(" by {}", if by.name.is_empty() { by.username } else { by.name }));
    let username = StoredValue::new(user.username.clone());
    let shown = StoredValue::new(name.clone());
    view! {
        <li class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 p-4">
            <div class="min-w-0">
                <p class="flex flex-wrap items-center gap-2">
                    <span class="break-words font-medium">{name}</span>
                    <span class="font-mono text-xs text-muted">"@" {user.username}</span>
                    {me.then(|| view! { <Badge text="You"/> })}
                    {by_single_sign_on.then(|| view! { <Badge text="Single sign-on"/> })}
                </p>
                <p class="text-sm text-muted">"Member since " <Time at=created_at.0/> {by}</p>
            </div>
            <div class="flex items-center gap-2">
                <Show when=editable fallback=move || view! { <Badge text=role_name(role)/> }>
                    <RoleSelect username=username.get_value() name=shown.get_value() role on_change/>
                </Show>
                <Show when=move || me || editable()>
                    <button
                        type="button"
                        class="btn btn-sm btn-outline btn-error"
                        aria-label=label.clone()
                        on:click={
                            let row = row.clone();
                            move |_| leaving.set(Some(row.clone()))
                        }
                    >
                        {button}
                    </button>
                </Show>
            </div>
        </li>
    }
}

/// Changes a role at once; where that is refused, the old one stands again.
#[component]
fn RoleSelect(
    username: String,
    name: String,
    role: Role,
    on_change: Callback<()>,
) -> impl IntoView {
    let project = use_project();
    let toasts = use_toasts();
    let chosen = RwSignal::new(role_key(role));
    let submit = Submit::new();
    report(submit);
    Effect::new(move |_| {
        if submit.error.read().is_some() {
            chosen.set(role_key(role));
        }
    });
    let change = move |key: String| {
        let role = role_of(&key);
        chosen.set(role_key(role));
        let input = UpdateMemberInput {
            project: project.path.get_untracked(),
            username: username.clone(),
            role,
        };
        submit.run(member::update(input), move |member| {
            toasts.success(format!("{} is now {}.", member.user.username, role_name(role)));
            on_change.run(());
            // The viewer may have changed what they may do themselves.
            project.reload();
        });
    };
    let options =
        if project.allows(Role::Owner) { ROLE_NAMES } else { &ROLE_NAMES[..UP_TO_MAINTAINER] };
    view! {
        <select
            class="select select-sm w-auto"
            aria-label=format!("Role of {name}")
            disabled=submit.pending
            prop:value=chosen
            on:change:target=move |event| change(event.target().value())
        >
            {options
                .iter()
                .map(|(key, text)| view! {
                    <option value=*key selected=move || chosen.get() == *key>{*text}</option>
                })
                .collect_view()}
        </select>
    }
}

/// Asks before somebody is removed, or leaves.
#[component]
fn Remove(row: MemberRow, on_change: Callback<()>) -> impl IntoView {
    let project = use_project();
    let session = use_session();
    let toasts = use_toasts();
    let open = RwSignal::new(true);
    let submit = Submit::new();
    report(submit);
    let username = row.user.username;
    let navigate = address::use_navigate();
    let me = session.viewer().is_some_and(|viewer| viewer.username == username);
    let (title, action, text) = if me {
        (
            "Leave this project?".to_owned(),
            "Leave project",
            "You lose the access that your membership gives you. A maintainer can add you again.",
        )
    } else {
        (
            format!("Remove {username}?"),
            "Remove member",
            "They immediately lose the access that membership gives them. Everything they created is kept.",
        )
    };
    let remove = move |()| {
        let input =
            RemoveMemberInput { project: project.path.get_untracked(), username: username.clone() };
        let navigate = navigate.clone();
        submit.run(member::remove(input), move |member| {
            open.set(false);
            toasts.success(format!("{} is no longer a member.", member.user.username));
            if me {
                navigate(&address::at("/"), NavigateOptions::default());
            } else {
                on_change.run(());
            }
        });
    };
    view! {
        <Confirm open title action danger=true pending=submit.pending on_confirm=remove>
            <p>{text}</p>
        </Confirm>
    }
}
