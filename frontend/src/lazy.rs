//! Lazy routes: pages whose code the browser loads when they are first opened, those that few people need or that are large.
//!
//! `wasm-split-cli` takes each chunk out of the program (scripts/trunk/wasm-bindgen); what several chunks need, and the
//! first page does not, becomes a chunk of its own.

use std::pin::pin;

use futures::future::select;
use gloo_timers::future::TimeoutFuture;
use leptos::{
    prelude::*,
    wasm_split::{SplitLoaderError, wasm_split},
};
use leptos_router::ChooseView;

use crate::{
    components::{failed::Failed, loaded::Load, skeleton::SkeletonPage},
    logic::error::{ApiError, Code},
    pages::{
        account::AccountPage,
        admin::{AdminAuditPage, AdminFrame},
        candidate::CandidatePage,
        candidates::CandidatesTab,
        compare::{ComparePage, Kind},
        experiment::ExperimentPage,
        experiments::ExperimentsTab,
        invitation::InvitationPage,
        members::MembersTab,
        mlflow_link::MlflowLinkPage,
        model_audit::ModelAuditTab,
        model_card::ModelCardTab,
        model_edit::ModelEditTab,
        model_new::ModelNewPage,
        operations::OperationsPage,
        project_audit::ProjectAuditTab,
        project_edit::ProjectEditTab,
        project_new::ProjectNewPage,
        project_tokens::ProjectTokensTab,
        prompt_new::PromptNewPage,
        sessions::SessionsPage,
        settings::SettingsFrame,
        tokens::TokensPage,
        trash::TrashTab,
        users::UsersPage,
        version::VersionPage,
        version_new::VersionNewPage,
        versions::VersionsTab,
        webhooks::{AdminWebhooksPage, ProjectWebhooksTab},
    },
};

type Shown = Result<AnyView, SplitLoaderError>;

/// How long the page before stays while a chunk comes, in milliseconds. Then a skeleton takes its place.
const PATIENCE: u32 = 500;

/// Whether there is no page yet that could stay. Provided with the routes.
#[derive(Clone, Copy)]
pub struct NothingYet(StoredValue<bool>);

impl NothingYet {
    pub fn provide() {
        let nothing_yet = StoredValue::new(true);
        provide_context(Self(nothing_yet));
        request_animation_frame(move || {
            // The routes may be gone already.
            let _ = nothing_yet.try_set_value(false);
        });
    }
}

/// A page in a chunk, for a route to show.
#[derive(Clone, Copy)]
pub enum LazyPage {
    Card,
    Manage(Manage),
    Runs(Runs),
    Versions(Versions),
    Compare(Kind),
}

impl LazyPage {
    async fn load(self) -> Result<(), ApiError> {
        let loaded = match self {
            Self::Card => load_card().await,
            Self::Manage(_) => load_manage().await,
            Self::Runs(_) => load_runs().await,
            Self::Versions(_) => load_versions().await,
            Self::Compare(_) => load_compare().await,
        };
        loaded.map_err(|_| {
            ApiError::new(
                Code::Unreachable,
                "This page couldn't be loaded. Check that the registry is running and that you are online. \
                 If the registry was just updated, try again.",
            )
        })
    }

    async fn show(self) -> AnyView {
        let shown = match self {
            Self::Card => card().await,
            Self::Manage(page) => manage(page).await,
            Self::Runs(page) => runs(page).await,
            Self::Versions(page) => versions(page).await,
            Self::Compare(kind) => compare(kind).await,
        };
        shown.unwrap_or_else(|_| view! { <SkeletonPage/> }.into_any())
    }
}

impl ChooseView for LazyPage {
    async fn choose(self) -> AnyView {
        let load = Load::new(move || self.load());
        let shown = move || {
            load.with(|loaded| match loaded {
                None => view! { <SkeletonPage/> }.into_any(),
                Some(Ok(())) => Suspend::new(self.show()).into_any(),
                Some(Err(error)) => {
                    // A newer server has other chunks, which only a reload finds.
                    let retry = move |()| {
                        let _ = window().location().reload();
                    };
                    view! { <Failed error=error.clone() page=true on_retry=retry/> }.into_any()
                }
            })
        };
        shown.into_any()
    }

    async fn preload(&self) {
        let NothingYet(nothing_yet) = expect_context();
        if !nothing_yet.get_value() {
            select(pin!(self.load()), TimeoutFuture::new(PATIENCE)).await;
        }
    }
}

/// The card of a model, and what stands beside it.
#[wasm_split(card, wasm_split_path = ::leptos::wasm_split, preload(load_card), fallible)]
fn card() -> Shown {
    Ok(view! { <ModelCardTab/> }.into_any())
}

/// What is done once in a while: accounts, projects, who may what, what happened.
#[derive(Clone, Copy)]
pub enum Manage {
    Account,
    Admin,
    AdminAudit,
    AdminWebhooks,
    Invitation,
    Members,
    MlflowLink,
    ModelAudit,
    ModelEdit,
    ModelNew,
    Operations,
    ProjectAudit,
    ProjectEdit,
    ProjectNew,
    ProjectTokens,
    ProjectWebhooks,
    PromptNew,
    Sessions,
    Settings,
    Tokens,
    Trash,
    Users,
}

#[wasm_split(manage, wasm_split_path = ::leptos::wasm_split, preload(load_manage), fallible)]
fn manage(page: Manage) -> Shown {
    Ok(match page {
        Manage::Account => view! { <AccountPage/> }.into_any(),
        Manage::Admin => view! { <AdminFrame/> }.into_any(),
        Manage::AdminAudit => view! { <AdminAuditPage/> }.into_any(),
        Manage::AdminWebhooks => view! { <AdminWebhooksPage/> }.into_any(),
        Manage::Invitation => view! { <InvitationPage/> }.into_any(),
        Manage::Members => view! { <MembersTab/> }.into_any(),
        Manage::MlflowLink => view! { <MlflowLinkPage/> }.into_any(),
        Manage::ModelAudit => view! { <ModelAuditTab/> }.into_any(),
        Manage::ModelEdit => view! { <ModelEditTab/> }.into_any(),
        Manage::ModelNew => view! { <ModelNewPage/> }.into_any(),
        Manage::Operations => view! { <OperationsPage/> }.into_any(),
        Manage::ProjectAudit => view! { <ProjectAuditTab/> }.into_any(),
        Manage::ProjectEdit => view! { <ProjectEditTab/> }.into_any(),
        Manage::ProjectNew => view! { <ProjectNewPage/> }.into_any(),
        Manage::ProjectTokens => view! { <ProjectTokensTab/> }.into_any(),
        Manage::ProjectWebhooks => view! { <ProjectWebhooksTab/> }.into_any(),
        Manage::PromptNew => view! { <PromptNewPage/> }.into_any(),
        Manage::Sessions => view! { <SessionsPage/> }.into_any(),
        Manage::Settings => view! { <SettingsFrame/> }.into_any(),
        Manage::Tokens => view! { <TokensPage/> }.into_any(),
        Manage::Trash => view! { <TrashTab/> }.into_any(),
        Manage::Users => view! { <UsersPage/> }.into_any(),
    })
}

/// Training runs, with and without a model.
#[derive(Clone, Copy)]
pub enum Runs {
    Candidate,
    Candidates,
    Experiment,
    Experiments,
}

#[wasm_split(runs, wasm_split_path = ::leptos::wasm_split, preload(load_runs), fallible)]
fn runs(page: Runs) -> Shown {
    Ok(match page {
        Runs::Candidate => view! { <CandidatePage/> }.into_any(),
        Runs::Candidates => view! { <CandidatesTab/> }.into_any(),
        Runs::Experiment => view! { <ExperimentPage/> }.into_any(),
        Runs::Experiments => view! { <ExperimentsTab/> }.into_any(),
    })
}

/// The versions of a model.
#[derive(Clone, Copy)]
pub enum Versions {
    All,
    New,
    One,
}

#[wasm_split(versions, wasm_split_path = ::leptos::wasm_split, preload(load_versions), fallible)]
fn versions(page: Versions) -> Shown {
    Ok(match page {
        Versions::All => view! { <VersionsTab/> }.into_any(),
        Versions::New => view! { <VersionNewPage/> }.into_any(),
        Versions::One => view! { <VersionPage/> }.into_any(),
    })
}

#[wasm_split(compare, wasm_split_path = ::leptos::wasm_split, preload(load_compare), fallible)]
fn compare(kind: Kind) -> Shown {
    Ok(view! { <ComparePage kind/> }.into_any())
}
