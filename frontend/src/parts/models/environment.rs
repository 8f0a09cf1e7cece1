//! What the environment of a client must say before the commands of a page work, with a token that can be made there.

use leptos::{prelude::*, task::spawn_local};

use crate::{
    components::{
        copy::{CopyButton, copy},
        failed::FormError,
        form::Submit,
        icon::{self, Icon},
        time,
    },
    graphql::{
        scalar::{DateTime, TokenScope, Visibility},
        token::{self, CreateTokenInput},
    },
    logic::address,
    session::use_session,
};

/// How long a token that is made here works, in days; less where the operator says so.
const DAYS: i32 = 90;

/// The secrets of tokens that were made here, until the page is loaded anew or somebody else signs in. Provided with the
/// pages.
#[derive(Clone, Copy)]
pub struct MadeTokens {
    read: RwSignal<Option<String>>,
    write: RwSignal<Option<String>>,
}

impl MadeTokens {
    pub fn provide() {
        provide_context(Self { read: RwSignal::new(None), write: RwSignal::new(None) });
    }

    /// One that may do that and no more: a command that only reads never gets a token that writes.
    fn of(self, scope: TokenScope) -> RwSignal<Option<String>> {
        if scope == TokenScope::Read { self.read } else { self.write }
    }
}

/// What a token must be allowed for commands of a page to work; none where they work without one: where nobody signs in,
/// and for reading what everybody may read.
pub fn scope_for(visibility: Visibility, writes: bool) -> Option<TokenScope> {
    match (writes, visibility) {
        _ if !use_session().needs_tokens.get() => None,
        (true, _) => Some(TokenScope::Write),
        (false, Visibility::Public) => None,
        (false, _) => Some(TokenScope::Read),
    }
}

/// Lines for a shell: what is given, and the token.
#[component]
pub fn Environment(
    /// Names and values.
    #[prop(optional, into)]
    settings: Signal<Vec<(&'static str, String)>>,
    /// The variable of the token.
    variable: &'static str,
    /// What it must be allowed; none where no token is needed.
    scope: Signal<Option<TokenScope>>,
    /// What the token is for, which becomes its name: `vision/ocr`.
    #[prop(into)]
    purpose: Signal<String>,
) -> impl IntoView {
    let made = expect_context::<MadeTokens>();
    let lines = Memo::new(move |_| {
        let mut lines = settings.get();
        if let Some(scope) = scope.get() {
            let token = made.of(scope).get().unwrap_or_else(|| "\"<your token>\"".to_owned());
            lines.push((variable, token));
        }
        lines
    });
    let text = Signal::derive(move || {
        let line = |(name, value): &(&str, String)| format!("export {name}={value}\n");
        lines.read().iter().map(line).collect::<String>()
    });
    let shown = move || {
        let line = |(index, (name, value)): (usize, (&'static str, String))| {
            view! { {(index > 0).then_some("\n")} "export " {name} "=" <wbr/> {value} }
        };
        lines.get().into_iter().enumerate().map(line).collect_view()
    };
    view! {
        <Show when=move || !lines.read().is_empty()>
            <div class="flex items-start gap-1 rounded-field bg-base-200 py-2 pl-3 pr-2">
                <pre
                    class="min-w-0 grow whitespace-pre-wrap break-words py-1 font-mono text-xs leading-relaxed"
                    tabindex="0" role="region" aria-label=format!("Client environment: {variable}")
                >
                    <code>{shown}</code>
                </pre>
                <CopyButton text label="Copy the environment"/>
            </div>
        </Show>
        {move || scope.get().map(|scope| view! { <CreateToken made scope text purpose/> })}
    }
}

/// Makes a token, fills it in and copies what it was filled into.
#[component]
fn CreateToken(
    made: MadeTokens,
    scope: TokenScope,
    text: Signal<String>,
    purpose: Signal<String>,
) -> impl IntoView {
    let session = use_session();
    let submit = Submit::new();
    let copied = RwSignal::new(false);
    let limit = move || session.allowance.read().max_token_days.filter(|most| *most <= DAYS);
    let days = move || limit().unwrap_or(DAYS);
    let create = move |_| {
        let now = time::clock(js_sys::Date::now());
        let input = CreateTokenInput {
            name: format!("{} {now}", purpose.get_untracked()),
            scope: Some(scope),
            // The server takes its limit where none is given; a browser whose clock is ahead would go beyond it.
            expires_at: untrack(limit)
                .is_none()
                .then(|| DateTime(time::in_days(DAYS.unsigned_abs()))),
        };
        submit.run(token::create(input), move |secret| {
            made.of(scope).set(Some(secret));
            spawn_local(async move {
                // Where the browser does not let it, the text is there to be copied.
                let done = copy(&text.get_untracked()).await.is_ok();
                copied.try_set(done);
            });
        });
    };
    let may = if scope == TokenScope::Read { "read" } else { "read and write" };
    let tokens =
        || view! { <a class="link" href=address::at("/settings/tokens")>"Access tokens"</a> };
    view! {
        <div class="mt-2 space-y-2 text-xs text-muted">
            <Show
                when=move || made.of(scope).read().is_none()
                fallback=move || view! {
                    <p role="status">
                        {move || if copied.get() { "Token created and copied. " } else { "Token created. " }}
                        "It is shown until you reload the page. Revoke it under " {tokens()} "."
                    </p>
                }
            >
                <button type="button" class="btn btn-sm" disabled=submit.pending on:click=create>
                    <Icon d=icon::KEY/>
                    "Create token and copy"
                </button>
                <p>
                    "It can " {may} " as you for " {days} " days. Or use one that you have, or, for CI, a project token: "
                    {tokens()} "."
                </p>
            </Show>
            <FormError error=submit.general(&[])/>
        </div>
    }
}
