//! Changes that were refused: each becomes a line of the log, by construction and for every mutation.
//!
//! Never tells the caller more than the answer does: where something is hidden, the line is written
//! beside the answer, so that it takes as long as for what is not there.

use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo,
};
use async_graphql::parser::types::Field;
use async_graphql::{ServerResult, Value, Variables};

use crate::app::App;
use crate::auth::{self, Actor};
use crate::error::{Error, Result};
use crate::registry::event::{self, Refusal};

/// What the extension needs of a request.
pub struct Attempt {
    pub app: App,
    pub actor: Actor,
    pub variables: Variables,
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
        // Sign-ins are logged where passwords are checked.
        if info.parent_type != "Mutation" || info.name == "signIn" {
            return next.run(ctx, info).await;
        }
        let (name, field) = (info.name, info.field);
        let answer = next.run(ctx, info).await;
        if let Err(error) = &answer
            && let Some(code) = refused_with(error)
            && let Ok(attempt) = ctx.data::<Attempt>()
        {
            let subject = subject_of(field, &attempt.variables);
            let (app, actor) = (&attempt.app, &attempt.actor);
            if let Err(error) = log(app, actor, action_of(name), subject, code).await {
                tracing::error!(?error, "a refused change could not be logged");
            }
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

/// Logs the refused upload or change of a REST route.
pub async fn log_error(app: &App, actor: &Actor, action: &str, subject: &str, error: &Error) {
    let code = error.code();
    if matches!(code, "FORBIDDEN" | "UNAUTHENTICATED" | "NOT_FOUND") {
        let logged = log(app, actor, action.to_owned(), subject.to_owned(), code).await;
        if let Err(error) = logged {
            tracing::error!(?error, "a refused change could not be logged");
        }
    }
}

async fn log(
    app: &App,
    actor: &Actor,
    action: String,
    subject: String,
    code: &'static str,
) -> Result<()> {
    if code != "NOT_FOUND" {
        let refusal = Refusal { action: &action, subject: &subject, code };
        return event::record_refusal(app, actor, refusal).await;
    }
    let (app, actor) = (app.clone(), actor.clone());
    tokio::spawn(async move {
        let refusal = Refusal { action: &action, subject: &subject, code };
        let logged = match is_hidden(&app, &actor, &subject).await {
            Ok(true) => event::record_refusal(&app, &actor, refusal).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = logged {
            tracing::error!(?error, "a refused change could not be logged");
        }
    });
    Ok(())
}

/// Whether there is such a project, which the caller may not see. Otherwise something was misspelt.
async fn is_hidden(app: &App, actor: &Actor, path: &str) -> Result<bool> {
    let project = path.split('/').next().unwrap_or_default();
    match auth::reader(&app.db, actor, project).await {
        Ok(_) => Ok(false),
        Err(Error::NotFound { .. }) => event::is_project(&app.db, project).await,
        Err(error) => Err(error),
    }
}

/// What a mutation is about: the model, project or person that its input names.
fn subject_of(field: &Field, variables: &Variables) -> String {
    let input = field.get_argument("input").map(|input| input.node.clone());
    let input = input.and_then(|input| {
        input.into_const_with(|name| variables.get(&name).cloned().ok_or(())).ok()
    });
    let Some(async_graphql::Value::Object(input)) = input else { return String::new() };
    ["model", "project", "username", "path", "id"]
        .into_iter()
        .find_map(|key| match input.get(key) {
            Some(async_graphql::Value::String(text)) => Some(text.clone()),
            _ => None,
        })
        .unwrap_or_default()
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
