//! What an administrator does to an account: each thing is asked about first. Part of `/admin/users`.

use leptos::prelude::*;

use crate::{
    components::{
        confirm::Confirm,
        copy::CopyButton,
        dialog::Dialog,
        failed::FormError,
        field::{CheckField, SubmitButton, TextField},
        form::{Submit, filled},
        icon,
        toast::use_toasts,
    },
    graphql::{
        scalar::UserState,
        user::{
            self, BlockUserInput, DeleteUserInput, InviteUserInput, NewInvitation, ResetUserInput,
            UnblockUserInput, UpdateUserInput, UserRow,
        },
    },
    logic::{address, error::ApiError},
    parts::tags::report,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Reset,
    Block,
    Unblock,
    MakeAdmin,
    RemoveAdmin,
    Delete,
}

impl Action {
    /// What can be done to an account; `me` for the administrator's own.
    pub fn of(row: &UserRow, me: bool) -> Vec<Self> {
        let admin = row.is_admin == Some(true);
        match row.state {
            // Nobody shuts themselves out.
            _ if me => Vec::new(),
            None | Some(UserState::Deleted) => Vec::new(),
            Some(UserState::Blocked) => vec![Self::Unblock, Self::Delete],
            Some(_) => {
                let rank = if admin { Self::RemoveAdmin } else { Self::MakeAdmin };
                vec![Self::Reset, rank, Self::Block, Self::Delete]
            }
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Self::Reset => icon::KEY,
            Self::Block => icon::LOCK,
            Self::Unblock => icon::RESTORE,
            Self::MakeAdmin | Self::RemoveAdmin => icon::SHIELD,
            Self::Delete => icon::TRASH,
        }
    }

    pub fn verb(self) -> &'static str {
        match self {
            Self::Reset => "New one-time link",
            Self::Block => "Block",
            Self::Unblock => "Unblock",
            Self::MakeAdmin => "Make administrator",
            Self::RemoveAdmin => "Remove administrator rights",
            Self::Delete => "Delete user",
        }
    }

    fn question(self, username: &str) -> String {
        match self {
            Self::Reset => format!("Create a new one-time link for {username}?"),
            Self::MakeAdmin => format!("Make {username} an administrator?"),
            Self::RemoveAdmin => format!("Remove administrator rights from {username}?"),
            Self::Block | Self::Unblock => format!("{} {username}?", self.verb()),
            Self::Delete => format!("Delete {username}?"),
        }
    }

    fn consequence(self) -> &'static str {
        match self {
            Self::Reset => {
                "The link lets them choose a new password. Their old password, sessions and earlier links stop working now, so they can't sign in until they use the link."
            }
            Self::Block => {
                "They are signed out immediately and can't sign in. Their tokens stop working. Everything they created is kept."
            }
            Self::Unblock => "They can sign in again, and their tokens work again.",
            Self::MakeAdmin => {
                "Administrators manage users and can do everything in every project."
            }
            Self::RemoveAdmin => "They keep the access they have as a project member.",
            Self::Delete => {
                "Their tokens and sessions are permanently revoked. Everything they created is kept, under their name."
            }
        }
    }

    fn danger(self) -> bool {
        matches!(self, Self::Block | Self::RemoveAdmin | Self::Delete)
    }

    /// Does it; answers with a link where it makes one.
    async fn run(self, username: String) -> Result<Option<NewInvitation>, ApiError> {
        let admin = |is_admin| UpdateUserInput { username: username.clone(), is_admin };
        match self {
            Self::Reset => user::reset(ResetUserInput { username }).await.map(Some),
            Self::Block => user::block(BlockUserInput { username }).await.map(|_| None),
            Self::Unblock => user::unblock(UnblockUserInput { username }).await.map(|_| None),
            Self::MakeAdmin => user::update(admin(Some(true))).await.map(|_| None),
            Self::RemoveAdmin => user::update(admin(Some(false))).await.map(|_| None),
            Self::Delete => user::delete(DeleteUserInput { username }).await.map(|_| None),
        }
    }

    fn done(self, username: &str) -> String {
        match self {
            Self::Reset => format!("{username} has a new one-time link."),
            Self::Block => format!("{username} is blocked."),
            Self::Unblock => format!("{username} is no longer blocked."),
            Self::MakeAdmin => format!("{username} is now an administrator."),
            Self::RemoveAdmin => format!("{username} is no longer an administrator."),
            Self::Delete => format!("{username} was deleted."),
        }
    }
}

/// Asks, and does it.
#[component]
pub fn Ask(
    action: Action,
    row: UserRow,
    link: RwSignal<Option<Link>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let toasts = use_toasts();
    let open = RwSignal::new(true);
    let submit = Submit::new();
    report(submit);
    let username = row.username;
    let title = action.question(&username);
    let confirm = move |()| {
        let username = username.clone();
        submit.run(action.run(username.clone()), move |made| {
            open.set(false);
            toasts.success(action.done(&username));
            link.set(made.map(|invitation| Link { username, invitation }));
            on_change.run(());
        });
    };
    view! {
        <Confirm
            open title action=action.verb() danger=action.danger() pending=submit.pending on_confirm=confirm
        >
            <p>{action.consequence()}</p>
        </Confirm>
    }
}

/// Whom a one-time link is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub username: String,
    pub invitation: NewInvitation,
}

/// The one time a link is shown.
#[component]
pub fn LinkDialog(link: RwSignal<Option<Link>>) -> impl IntoView {
    let open = RwSignal::new(false);
    Effect::new(move |_| open.set(link.read().is_some()));
    let title = Signal::derive(move || {
        link.with(|link| {
            let username = link.as_ref().map(|link| link.username.clone()).unwrap_or_default();
            format!("One-time link for {username}")
        })
    });
    let shown = move || {
        link.get().map(|Link { invitation, .. }| {
            // A server that was not told its public address makes a link without one.
            let origin = if invitation.url.starts_with('/') { address::origin() } else { String::new() };
            let url = format!("{origin}{}", invitation.url);
            let day = invitation.expires_at.0.get(..10).unwrap_or_default().to_owned();
            view! {
                <p class="text-sm text-muted">
                    "Send them this link to set their password and sign in. It works once and expires on "
                    {day} ". It won't be shown again."
                </p>
                <div class="mt-3 flex items-center gap-2 rounded-field bg-base-200 p-2 pl-3">
                    <code class="min-w-0 grow break-all text-sm" data-testid="invitation-link">
                        {url.clone()}
                    </code>
                    <CopyButton text=Signal::stored(url) label="Copy the link" class="btn btn-sm btn-square"/>
                </div>
            }
        })
    };
    view! { <Dialog open title>{shown}</Dialog> }
}

#[component]
pub fn Invite(
    open: RwSignal<bool>,
    link: RwSignal<Option<Link>>,
    on_change: Callback<()>,
) -> impl IntoView {
    view! { <Dialog open title="Invite a user"><InviteForm open link on_change/></Dialog> }
}

#[component]
fn InviteForm(
    open: RwSignal<bool>,
    link: RwSignal<Option<Link>>,
    on_change: Callback<()>,
) -> impl IntoView {
    let username = RwSignal::new(String::new());
    let name = RwSignal::new(String::new());
    let is_admin = RwSignal::new(false);
    let submit = Submit::naming("username");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let username = username.get_untracked().trim().to_owned();
        let input = InviteUserInput {
            username: username.clone(),
            name: filled(&name.get_untracked()),
            is_admin: Some(is_admin.get_untracked()),
        };
        submit.run(user::invite(input), move |invitation| {
            open.set(false);
            link.set(Some(Link { username, invitation }));
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || username.read().trim().is_empty());
    view! {
        <form class="space-y-4" on:submit=send>
            <TextField
                id="invite-username" label="Username" value=username required=true autofocus=true mono=true
                placeholder="ada" hint="Used to sign in. It can't be changed later." refused=submit.field("username")
            />
            <TextField
                id="invite-name" label="Name" value=name placeholder="Ada Lovelace" refused=submit.field("name")
            />
            <CheckField label="Administrator: manages users and all projects" value=is_admin/>
            <FormError error=submit.general(&["username", "name"])/>
            <div class="modal-action">
                <button type="button" class="btn" on:click=move |_| open.set(false)>"Cancel"</button>
                <SubmitButton text="Invite" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}
