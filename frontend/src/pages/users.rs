//! `/admin/users`: the people who use the registry: invite them, and manage their accounts.

use leptos::prelude::*;

use super::{
    leave_when_empty, neighbours, use_place,
    user_actions::{Action, Ask, Invite, Link, LinkDialog},
};
use crate::{
    components::{
        badge::{AlarmBadge, Badge},
        empty::Empty,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        menu::Menu,
        pager::Pager,
        query_field::QuerySelect,
        search::SearchBox,
        skeleton::SkeletonRows,
        sort::{SortSelect, use_sort},
        time::Time,
        title::PageTitle,
    },
    graphql::{
        scalar::{OrderDirection, UserState},
        user::{self, UserOrder, UserOrderField, UserPage, UserRow},
    },
    logic::address,
    session::use_session,
};

#[component]
pub fn UsersPage() -> impl IntoView {
    let search = address::use_query("q");
    let state = address::use_query("state");
    let sort = use_sort("name");
    let place = use_place();
    let users = Load::new(move || {
        let sort = sort.get();
        let field = match sort.key.as_str() {
            "created" => UserOrderField::CreatedAt,
            _ => UserOrderField::Username,
        };
        let order = UserOrder { field, direction: OrderDirection::of(sort.descending) };
        user::list(search.get(), state.read().as_deref().and_then(state_of), order, place.get())
    });
    leave_when_empty(move || {
        users.with(|page| page.and_then(Result::ok).is_some_and(|page| page.nodes.is_empty()))
    });
    let changed = Callback::new(move |()| users.refetch());
    let inviting = RwSignal::new(false);
    let link = RwSignal::new(None::<Link>);
    view! {
        <PageTitle text="Users"/>
        <div class="mb-5 flex flex-wrap items-center justify-between gap-3">
            <h1 class="text-2xl font-semibold tracking-tight">"Users"</h1>
            <button type="button" class="btn btn-primary" on:click=move |_| inviting.set(true)>
                <Icon d=icon::PLUS/>
                "Invite a user"
            </button>
        </div>
        <div class="mb-4 flex flex-wrap items-start gap-3">
            <SearchBox name="q" label="Search users"/>
            <QuerySelect
                name="state" label="State"
                options=&[("", "All users"), ("active", "Active"), ("invited", "Invited"), ("blocked", "Blocked"), ("deleted", "Deleted")]
            />
            <SortSelect sort options=&[("name", "Username"), ("-created", "Newest")]/>
        </div>
        <Loaded from=users fallback=|| view! { <SkeletonRows/> } let:page>
            <UserList page link on_change=changed/>
        </Loaded>
        <Invite open=inviting link on_change=changed/>
        <LinkDialog link/>
    }
}

fn state_of(name: &str) -> Option<UserState> {
    match name {
        "active" => Some(UserState::Active),
        "invited" => Some(UserState::Invited),
        "blocked" => Some(UserState::Blocked),
        "deleted" => Some(UserState::Deleted),
        _ => None,
    }
}

#[component]
fn UserList(
    page: Memo<UserPage>,
    link: RwSignal<Option<Link>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let asked = RwSignal::new(None::<(Action, UserRow)>);
    view! {
        <Show
            when=move || !page.read().nodes.is_empty()
            fallback=|| view! {
                <Empty d=icon::USERS title="No matching users">
                    <p>"Try another search or another state."</p>
                </Empty>
            }
        >
            <ul class="panel divide-y divide-base-300" aria-label="Users">
                {move || page.get().nodes.into_iter().map(|row| view! { <Line row asked/> }).collect_view()}
            </ul>
            <Pager
                neighbours=Signal::derive(move || {
                    page.with(|page| neighbours(&page.page_info, page.total_count, page.nodes.len()))
                })
                one="user"
                many="users"
            />
        </Show>
        {move || asked.get().map(|(action, row)| view! { <Ask action row link on_change/> })}
    }
}

#[component]
fn Line(row: UserRow, asked: RwSignal<Option<(Action, UserRow)>>) -> impl IntoView {
    let session = use_session();
    let me = session.viewer().is_some_and(|viewer| viewer.username == row.username);
    let UserRow { username, name, is_admin, state, last_seen_at, created_at, .. } = row.clone();
    let shown = if name.is_empty() { username.clone() } else { name };
    let badge = match state {
        Some(UserState::Invited) => Some(view! { <Badge text="Invited"/> }.into_any()),
        Some(UserState::Blocked) => Some(view! { <AlarmBadge text="Blocked"/> }.into_any()),
        Some(UserState::Deleted) => Some(view! { <AlarmBadge text="Deleted"/> }.into_any()),
        Some(UserState::Active) | None => None,
    };
    let actions = StoredValue::new(Action::of(&row, me));
    let row = StoredValue::new(row);
    let seen = match last_seen_at {
        Some(at) => view! { "Last seen " <Time at=at.0/> }.into_any(),
        None => view! { "Never seen" }.into_any(),
    };
    let menu_label = format!("Actions for {username}");
    view! {
        <li class="flex items-center justify-between gap-4 p-4">
            <div class="min-w-0">
                <p class="flex flex-wrap items-center gap-2">
                    <span class="break-words font-medium">{shown}</span>
                    <span class="break-all font-mono text-xs text-muted">"@" {username}</span>
                    {(is_admin == Some(true)).then(|| view! { <Badge text="Administrator"/> })}
                    {badge}
                    {me.then(|| view! { <Badge text="You"/> })}
                </p>
                <p class="text-sm text-muted">{seen} " · added " <Time at=created_at.0/></p>
            </div>
            <Show when=move || !actions.read_value().is_empty()>
                <Menu label=menu_label.clone() class="btn btn-ghost btn-sm btn-square" button=|| view! { <Icon d=icon::MORE/> }>
                    {actions
                        .get_value()
                        .into_iter()
                        .map(|action| view! {
                            <li>
                                <button type="button" on:click=move |_| asked.set(Some((action, row.get_value())))>
                                    <Icon d=action.icon()/>
                                    {action.verb()}
                                </button>
                            </li>
                        })
                        .collect_view()}
                </Menu>
            </Show>
        </li>
    }
}
