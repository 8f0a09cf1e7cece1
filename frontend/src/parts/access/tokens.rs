//! Access tokens: make one, see its secret once, list and revoke them.

use std::{future::Future, pin::Pin};

use leptos::prelude::*;

use super::{
    revocable::{Revocable, RevocableList},
    role::{role_name, scope_name},
};
use crate::{
    components::{
        badge::Badge,
        copy::CopyButton,
        failed::FormError,
        field::{SelectField, SubmitButton, TextField},
        form::Submit,
        icon::{self, Icon},
        loaded::{Load, Loaded},
        skeleton::SkeletonRows,
        time::{self, Time},
    },
    graphql::{
        scalar::DateTime,
        token::{self, RevokeTokenInput, Token},
    },
    logic::{address, error::ApiError, format},
    session::use_session,
};

/// A token as it is asked for.
pub struct Wanted {
    pub name: String,
    /// A role or a scope, as the form's options call it.
    pub may: String,
    pub expires_at: Option<DateTime>,
}

/// Makes a token and answers with its secret.
pub type Create = Callback<Wanted, Pin<Box<dyn Future<Output = Result<String, ApiError>>>>>;

/// What tokens can be allowed to do: the field's name, its options and what is chosen first.
#[derive(Clone, Copy)]
pub struct Choice {
    pub field: &'static str,
    pub label: &'static str,
    pub options: &'static [(&'static str, &'static str)],
    pub first: &'static str,
}

#[component]
pub fn Tokens(tokens: Load<Vec<Token>>, choice: Choice, create: Create) -> impl IntoView {
    let secret = RwSignal::new(None::<String>);
    let changed = Callback::new(move |()| tokens.refetch());
    view! {
        <div class="grid grid-cols-[minmax(0,1fr)] items-start gap-6 xl:grid-cols-[20rem_minmax(0,1fr)]">
            <CreateToken secret choice create on_change=changed/>
            <div class="space-y-4">
                {move || secret.get().map(|secret| {
                    let example = commands(&secret);
                    view! { <NewSecret secret introduction="In a shell:" example/> }
                })}
                <Loaded from=tokens fallback=|| view! { <SkeletonRows rows=3/> } let:list>
                    <RevocableList list on_change=changed/>
                </Loaded>
            </div>
        </div>
    }
}

#[component]
fn CreateToken(
    secret: RwSignal<Option<String>>,
    choice: Choice,
    create: Create,
    on_change: Callback<()>,
) -> impl IntoView {
    let name = RwSignal::new(String::new());
    let may = RwSignal::new(choice.first.to_owned());
    let ends = Ends::new();
    let submit = Submit::naming("name");
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let wanted = Wanted {
            name: name.get_untracked().trim().to_owned(),
            may: may.get_untracked(),
            expires_at: ends.at(),
        };
        submit.run(create.run(wanted), move |made| {
            secret.set(Some(made));
            name.set(String::new());
            on_change.run(());
        });
    };
    let blocked = Signal::derive(move || name.read().trim().is_empty());
    view! {
        <form class="panel space-y-4 p-5" aria-label="New token" on:submit=send>
            <h2 class="font-semibold">"New token"</h2>
            <TextField
                id="token-name" label="Name" value=name required=true
                hint="Where you will use the token, for example ci or laptop." refused=submit.field("name")
            />
            <SelectField id=choice.field label=choice.label value=may options=choice.options/>
            <EndField ends id="token-expiry" is_endless=true/>
            <FormError error=submit.general(&["name"])/>
            <SubmitButton text="Create token" pending=submit.pending disabled=blocked/>
        </form>
    }
}

/// Days until a token ends, and what that is called.
const EXPIRIES: &[(&str, &str)] =
    &[("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")];

/// Sends no end: the token gets the latest that there is.
const LATEST: &str = "";

/// The ends before the latest one, where tokens work for so many days at most.
fn expiries(limit: Option<i32>) -> &'static [(&'static str, &'static str)] {
    let is_within = |(days, _): &&(&str, &str)| {
        limit.is_none_or(|limit| days.parse::<i32>().is_ok_and(|days| days < limit))
    };
    &EXPIRIES[..EXPIRIES.iter().take_while(is_within).count()]
}

/// When a new token ends.
#[derive(Clone, Copy)]
pub struct Ends {
    days: RwSignal<String>,
    limit: Memo<Option<i32>>,
}

impl Ends {
    pub fn new() -> Self {
        let session = use_session();
        let limit = Memo::new(move |_| session.allowance.read().max_token_days);
        Self { days: RwSignal::new("90".to_owned()), limit }
    }

    /// None: never, or as late as the operator allows.
    pub fn at(self) -> Option<DateTime> {
        self.days.get_untracked().parse().ok().map(|days| DateTime(time::in_days(days)))
    }

    /// As late as the operator allows, and in so many days at most, where nothing earlier was chosen.
    pub fn at_latest(self, days: u32) -> DateTime {
        let limit = self.limit.get_untracked().and_then(|limit| u32::try_from(limit).ok());
        let latest = limit.unwrap_or(days).min(days);
        self.at().unwrap_or_else(|| DateTime(time::in_days(latest)))
    }
}

/// When a new token ends, as far as the operator lets it be chosen.
#[component]
pub fn EndField(ends: Ends, id: &'static str, is_endless: bool) -> impl IntoView {
    let Ends { days, limit } = ends;
    Effect::new(move |_| {
        let offered = expiries(limit.get());
        if offered.iter().all(|(value, _)| *value != *days.read_untracked()) {
            days.set(LATEST.to_owned());
        }
    });
    move || {
        let (last, hint) = match limit.get() {
            Some(limit) => {
                let most = format::plural(limit.into(), "day", "days");
                (
                    format!("In {most}"),
                    format!("Tokens on this server expire after at most {most}."),
                )
            }
            None if is_endless => ("Never".to_owned(), String::new()),
            None => ("In a year".to_owned(), String::new()),
        };
        // A year is the latest there is for what must end.
        let offered = match limit.get() {
            None if !is_endless => expiries(Some(365)),
            limit => expiries(limit),
        };
        view! {
            <SelectField
                id label="Expires" value=days
                options=offered last=(LATEST, last) hint
            />
        }
    }
}

/// How a shell uses a token.
fn commands(secret: &str) -> String {
    format!(
        "export TOKEN={secret}\ncurl -fsS {}/graphql -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' -d '{{\"query\":\"{{ viewer {{ username }} }}\"}}'\n",
        address::registry(),
    )
}

/// The one time a secret is shown.
#[component]
pub fn NewSecret(
    secret: String,
    /// Where the example belongs.
    introduction: &'static str,
    /// How it is used.
    example: String,
) -> impl IntoView {
    view! {
        <section class="panel border-success/60 p-5" role="status">
            <h2 class="flex items-center gap-2 font-semibold">
                <span class="text-success"><Icon d=icon::SUCCESS class="size-5 shrink-0"/></span>
                "Copy the token now"
            </h2>
            <p class="mt-1 text-sm text-muted">"You won't see this token again: the registry stores only its hash."</p>
            <div class="mt-3 flex items-center gap-2 rounded-field bg-base-200 p-2 pl-3">
                <code class="min-w-0 grow break-all text-sm" data-testid="token-secret">{secret.clone()}</code>
                <CopyButton text=Signal::stored(secret) label="Copy the token" class="btn btn-sm btn-square"/>
            </div>
            <p class="mt-3 text-sm text-muted">{introduction}</p>
            <div class="relative mt-1 rounded-field bg-base-200">
                <pre class="overflow-x-auto whitespace-pre-wrap break-all p-3 pr-12 font-mono text-xs leading-relaxed" tabindex="0">
                    {example.clone()}
                </pre>
                <div class="absolute right-2 top-2">
                    <CopyButton
                        text=Signal::stored(example)
                        label="Copy the example"
                        class="btn btn-sm btn-square border-base-300 bg-base-100"
                    />
                </div>
            </div>
        </section>
    }
}

impl Revocable for Token {
    const KIND: &'static str = "Token";
    const LIST: &'static str = "Tokens";
    const NONE: &'static str = "No tokens yet";
    const PURPOSE: &'static str =
        "Create a token to upload from a training script or to download models in CI.";
    const WARNING: &'static str =
        "Scripts and services that use this token stop working immediately.";

    fn id(&self) -> &cynic::Id {
        &self.id
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn revoke(id: cynic::Id) -> impl Future<Output = Result<Self, ApiError>> + 'static {
        token::revoke(RevokeTokenInput { id })
    }

    fn view(self) -> AnyView {
        let expiry = match self.expires_at {
            Some(at) => format!("expires on {}", at.0.get(..10).unwrap_or_default()),
            None => "never expires".to_owned(),
        };
        let may = self.scope.map(scope_name).or(self.role.map(role_name));
        view! {
            <p class="flex items-center gap-2">
                <span class="truncate font-medium">{self.name}</span>
                {may.map(|text| view! { <Badge text/> })}
            </p>
            <p class="text-sm text-muted">
                "Created " <Time at=self.created_at.0/> " · " <LastUsed at=self.last_used_at/> " · " {expiry}
            </p>
        }
        .into_any()
    }
}

/// When a token was used last.
#[component]
pub fn LastUsed(at: Option<DateTime>) -> impl IntoView {
    match at {
        Some(at) => view! { "last used " <Time at=at.0/> }.into_any(),
        None => view! { "never used" }.into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_offered_up_to_the_limit() {
        let last = |limit| expiries(limit).last().map(|(days, _)| *days);
        assert_eq!(last(None), Some("365"));
        assert_eq!(last(Some(366)), Some("365"));
        // The limit itself is the last choice, and not said twice.
        assert_eq!(last(Some(90)), Some("30"));
        assert_eq!(last(Some(1)), None);
    }
}
