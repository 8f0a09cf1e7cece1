//! `/invitation#SECRET`: a one-time link, with which a person sets their password.
//!
//! The secret is in the part of the address that browsers keep to themselves, so that it is in no log.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_location};

use crate::{
    components::{
        empty::Empty,
        failed::FormError,
        field::{SubmitButton, TextField},
        form::{Submit, filled},
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonPage,
        title::PageTitle,
    },
    graphql::viewer::{self, AcceptInvitationInput, Invitation},
    logic::address,
    parts::access::new_password::{NewPassword, NewPasswordFields},
    session::use_session,
};

#[component]
pub fn InvitationPage() -> impl IntoView {
    let hash = use_location().hash;
    let secret = Memo::new(move |_| hash.read().trim_start_matches('#').to_owned());
    let invitation = Load::new(move || {
        let secret = secret.get();
        async move {
            // A link that was cut off needs no server to be wrong.
            if secret.is_empty() { Ok(None) } else { viewer::invitation(secret).await }
        }
    });
    view! {
        <PageTitle text="Invitation"/>
        <div class="mx-auto max-w-sm pt-[6vh]">
            <Loaded page=true from=invitation fallback=|| view! { <SkeletonPage/> } let:invitation>
                {move || match invitation.get() {
                    Some(invitation) => {
                        view! { <Accept invitation secret=secret.get_untracked()/> }.into_any()
                    }
                    None => view! {
                        <h1 class="sr-only">"Invitation"</h1>
                        <Empty d=icon::KEY title="This link no longer works">
                            <p>
                                "The link was already used, has expired, was replaced by a newer one, or was not copied completely. "
                                "Ask your administrator for a new link."
                            </p>
                            <a class="btn" href=address::at("/sign-in")>"Sign in"</a>
                        </Empty>
                    }
                    .into_any(),
                }}
            </Loaded>
        </div>
    }
}

#[component]
fn Accept(invitation: Invitation, secret: String) -> impl IntoView {
    let session = use_session();
    let navigate = address::use_navigate();
    let Invitation { username, name } = invitation;
    let name = RwSignal::new(name);
    let password = NewPassword::new();
    let submit = Submit::new();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let input = AcceptInvitationInput {
            secret: secret.clone(),
            password: password.value.get_untracked(),
            name: filled(&name.get_untracked()),
        };
        let navigate = navigate.clone();
        submit.run(viewer::accept_invitation(input), move |_| {
            // First away from here: the link is used now.
            navigate(&address::at("/"), NavigateOptions { replace: true, ..Default::default() });
            session.reload();
        });
    };
    let blocked = Signal::derive(move || !password.ready());
    view! {
        <div class="mb-6 flex flex-col items-center gap-3 text-center">
            <span class="grid size-12 place-items-center rounded-xl bg-primary text-primary-content">
                <Icon d=icon::LAYERS class="size-7"/>
            </span>
            <h1 class="text-2xl font-semibold tracking-tight">"Welcome"</h1>
            <p class="text-sm text-muted">
                "This link is for " <strong class="break-all font-mono text-base-content">{username.clone()}</strong>
                ". Choose a password to sign in."
            </p>
        </div>
        <form class="panel space-y-4 p-6" on:submit=send>
            // Password managers want to know whose it is.
            <input type="text" class="hidden" autocomplete="username" readonly prop:value=username/>
            <TextField
                id="name" label="Name" value=name autocomplete="name" hint="Shown next to your activity."
                refused=submit.field("name")
            />
            <NewPasswordFields password refused=submit.field("password")/>
            <FormError error=submit.general(&["name", "password"])/>
            <div class="grid">
                <SubmitButton text="Set password and sign in" pending=submit.pending disabled=blocked/>
            </div>
        </form>
    }
}
