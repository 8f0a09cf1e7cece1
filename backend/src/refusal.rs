//! Changes that were refused: each becomes a line of the log, by construction and for every mutation.
//!
//! Never tells the caller more than the answer does: where something is hidden, the line is written
//! beside the answer, so that it takes as long as for what is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo,
};
use async_graphql::parser::types::{ExecutableDocument, Field, OperationType, Selection};
use async_graphql::{ID, ServerResult, Value, Variables};

use crate::app::App;
use crate::auth::{self, Actor};
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::registry::credential;
use crate::registry::event::{self, Refusal};

/// How many refused mutations of one request are logged: nobody needs more, but who fills the log.
const MAX_LINES: u32 = 10;

/// What the extension needs of a request.
pub struct Attempt {
    pub app: App,
    pub actor: Actor,
    pub variables: Variables,
    /// How many lines were logged.
    pub lines: AtomicU32,
}

/// Writes the refused mutations of a schema into the log.
pub struct LogRefusals;

impl ExtensionFactory for LogRefusals {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for LogRefusals {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // Wrong passwords are logged where they are checked.
        if info.parent_type != "Mutation" || info.name == "signIn" {
            return next.run(ctx, info).await;
        }
        let (name, field) = (info.name, info.field);
        let answer = next.run(ctx, info).await;
        if let Err(error) = &answer
            && let Some(code) = refused_with(error)
            && let Ok(attempt) = ctx.data::<Attempt>()
            && attempt.lines.fetch_add(1, Ordering::Relaxed) < MAX_LINES
        {
            let subject = subject_of(field, &attempt.variables);
            log(&attempt.app, &attempt.actor, action_of(name), subject, code).await;
        }
        answer
    }
}

/// The code of an error that may mean that the caller may not.
fn refused_with(error: &async_graphql::ServerError) -> Option<&'static str> {
    let code = error.extensions.as_ref()?.get("code")?;
    ["FORBIDDEN", "UNAUTHENTICATED", "NOT_FOUND"]
        .into_iter()
        .find(|refusal| *code == Value::from(*refusal))
}

/// Logs the mutations of a request that was refused as a whole: for its token or its origin.
pub async fn log_document(
    app: &App,
    actor: &Actor,
    document: &ExecutableDocument,
    variables: &Variables,
    error: &Error,
) {
    let mutations = document
        .operations
        .iter()
        .map(|(_, operation)| &operation.node)
        .filter(|operation| operation.ty == OperationType::Mutation);
    let fields =
        mutations.flat_map(|mutation| &mutation.selection_set.node.items).filter_map(|selection| {
            match &selection.node {
                Selection::Field(field) => Some(&field.node),
                _ => None,
            }
        });
    for field in fields.take(MAX_LINES as usize) {
        let subject = subject_of(field, variables);
        log(app, actor, action_of(&field.name.node), subject, error.code()).await;
    }
}

/// Logs the refused change of a REST route, of the model at `path`.
pub async fn log_error(app: &App, actor: &Actor, action: &str, path: &str, error: &Error) {
    let code = error.code();
    if matches!(code, "FORBIDDEN" | "UNAUTHENTICATED" | "NOT_FOUND") {
        log(app, actor, action.to_owned(), Subject::Path(path.to_owned()), code).await;
    }
}

/// What a refused change was about, as the caller named it.
enum Subject {
    /// Of a project or model.
    Path(String),
    /// An opaque id.
    Id(String),
    /// A user name or nothing.
    Other(String),
}

/// Never fails: the caller gets their answer, and the operator the reason.
async fn log(app: &App, actor: &Actor, action: String, subject: Subject, code: &'static str) {
    let who = actor.user().map_or_else(|_| actor.network(), |user| user.id.raw().to_owned());
    if app.refusals.count(&who, app.clock.now()).is_err() {
        tracing::warn!(who, action, "refused too often to log each time");
        return;
    }
    if code != "NOT_FOUND" {
        return record(app, actor, &action, &subject, code).await;
    }
    let (app, actor) = (app.clone(), actor.clone());
    tokio::spawn(async move {
        match is_hidden(&app, &actor, &subject).await {
            Ok(true) => record(&app, &actor, &action, &subject, code).await,
            Ok(false) => {}
            Err(error) => tracing::error!(?error, "a refused change could not be looked into"),
        }
    });
}

async fn record(app: &App, actor: &Actor, action: &str, subject: &Subject, code: &'static str) {
    let is_path = matches!(subject, Subject::Path(_));
    let (Subject::Path(subject) | Subject::Id(subject) | Subject::Other(subject)) = subject;
    let refusal = Refusal { action, subject, is_path, code };
    if let Err(error) = event::record_refusal(app, actor, refusal).await {
        tracing::error!(?error, "a refused change could not be logged");
    }
}

/// Whether there is such a thing, which the caller may not see. Otherwise something was misspelt.
async fn is_hidden(app: &App, actor: &Actor, subject: &Subject) -> Result<bool> {
    match subject {
        Subject::Path(path) => {
            let project = path.split('/').next().unwrap_or_default();
            match auth::reader(&app.db, actor, project).await {
                Ok(_) => Ok(false),
                Err(Error::NotFound { .. }) => event::is_project(&app.db, project).await,
                Err(error) => Err(error),
            }
        }
        Subject::Id(id) => match AnyId::parse(&ID::from(id.as_str())) {
            Ok(AnyId::CredentialId(id)) => credential::exists(&app.db, &id).await,
            _ => Ok(false),
        },
        Subject::Other(_) => Ok(false),
    }
}

/// What a mutation is about: the model, project, person or thing that its input names.
fn subject_of(field: &Field, variables: &Variables) -> Subject {
    let input = field.get_argument("input").map(|input| input.node.clone());
    let input = input.and_then(|input| {
        input.into_const_with(|name| variables.get(&name).cloned().ok_or(())).ok()
    });
    let Some(Value::Object(input)) = input else { return Subject::Other(String::new()) };
    let text = |key: &str| match input.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    if let Some(path) = text("model").or_else(|| text("project")) {
        return Subject::Path(path);
    }
    match text("id") {
        Some(id) => Subject::Id(id),
        None => Subject::Other(text("username").or_else(|| text("path")).unwrap_or_default()),
    }
}

/// The action in the log that a mutation is: `createModelVersion` is `version.create`.
pub fn action_of(mutation: &str) -> String {
    let split = mutation.find(|c: char| c.is_ascii_uppercase()).unwrap_or(mutation.len());
    let (verb, noun) = mutation.split_at(split);
    let noun = match noun {
        "ModelVersion" => "version".to_owned(),
        "ProjectToken" => "token".to_owned(),
        "Viewer" => "user".to_owned(),
        "Out" => "session".to_owned(),
        noun => noun.to_ascii_lowercase(),
    };
    let verb = if verb == "sign" { "end" } else { verb };
    format!("{noun}.{verb}")
}

#[cfg(test)]
mod tests {
    use super::action_of;

    #[test]
    fn mutations_are_logged_as_what_they_do() {
        for (mutation, action) in [
            ("createModelVersion", "version.create"),
            ("setAlias", "alias.set"),
            ("promoteCandidate", "candidate.promote"),
            ("createProjectToken", "token.create"),
            ("signOut", "session.end"),
        ] {
            assert_eq!(action_of(mutation), action);
        }
    }
}
