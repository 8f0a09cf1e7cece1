//! The audit of what was denied: each refused change becomes a line of the log, whatever the mutation.
//!
//! Never tells the caller more than the answer does: where something is hidden, the line is written
//! beside the answer, so that it takes as long as for what is not there.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationType, Selection, SelectionSet,
};
use async_graphql::{ID, Name, PathSegment, ServerError, Value, Variables};
use model_registry_names::MAX_NAME;

use crate::access::{self, Actor};
use crate::action::Action;
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::AnyId;
use crate::log;
use crate::log::Refusal;
use crate::registry::webhook;

/// How many refused mutations of one request are logged: nobody needs more, but who fills the log.
const MAX_LINES: usize = 10;
/// How many selections are looked at: fragments have not been checked for circles yet.
const MAX_SELECTIONS: usize = 1000;

/// The mutations that a request asks for.
pub struct MutationAttempt {
    fields: Vec<Field>,
    variables: Variables,
}

impl MutationAttempt {
    /// Of a document that mutates nothing there is none.
    pub fn of(document: &ExecutableDocument, variables: &Variables) -> Option<Self> {
        let (mut fields, mut budget) = (Vec::new(), MAX_SELECTIONS);
        for (_, operation) in document.operations.iter() {
            if operation.node.ty == OperationType::Mutation {
                collect(document, &operation.node.selection_set.node, &mut budget, &mut fields);
            }
        }
        (!fields.is_empty()).then(|| Self { fields, variables: variables.clone() })
    }

    /// Logs those that were refused, as the errors of the answer say. A sign-in is logged where the
    /// password is checked.
    pub async fn log(&self, app: &App, actor: &Actor, errors: &[ServerError]) {
        let refused = errors.iter().filter_map(|error| {
            let [PathSegment::Field(key)] = error.path.as_slice() else { return None };
            let field = self.fields.iter().find(|field| response_key(field) == key)?;
            Some((field, refused_with(error)?))
        });
        let refused = refused.filter(|(field, _)| field.name.node != "signIn");
        for (field, code) in refused.take(MAX_LINES) {
            self.log_field(app, actor, field, code).await;
        }
    }

    /// Logs all of them: the request was refused as a whole, for its token or its origin.
    pub async fn log_all(&self, app: &App, actor: &Actor, error: &Error) {
        for field in self.fields.iter().take(MAX_LINES) {
            self.log_field(app, actor, field, error.code()).await;
        }
    }

    async fn log_field(&self, app: &App, actor: &Actor, field: &Field, code: &'static str) {
        let Some(action) = Action::of_mutation(&field.name.node) else { return };
        let input = input_of(field, &self.variables);
        let (subject, named) = (subject_of(&input), named_in(action, &input));
        log(app, actor, Denied { action, subject, named, code }).await;
    }
}

/// The fields of a selection, with those in its fragments.
fn collect(
    document: &ExecutableDocument,
    selections: &SelectionSet,
    budget: &mut usize,
    fields: &mut Vec<Field>,
) {
    for selection in &selections.items {
        let Some(left) = budget.checked_sub(1) else { return };
        *budget = left;
        match &selection.node {
            Selection::Field(field) => fields.push(field.node.clone()),
            Selection::InlineFragment(fragment) => {
                collect(document, &fragment.node.selection_set.node, budget, fields);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(document, &fragment.node.selection_set.node, budget, fields);
                }
            }
        }
    }
}

fn response_key(field: &Field) -> &str {
    field.alias.as_ref().map_or(&field.name, |alias| alias).node.as_str()
}

/// The code of an error that may mean that the caller may not.
fn refused_with(error: &ServerError) -> Option<&'static str> {
    let code = error.extensions.as_ref()?.get("code")?;
    ["FORBIDDEN", "UNAUTHENTICATED", "NOT_FOUND"]
        .into_iter()
        .find(|refusal| *code == Value::from(*refusal))
}

/// Logs the refused change of a REST route, of the model at `path`.
pub async fn log_error(app: &App, actor: &Actor, action: Action, path: &str, error: &Error) {
    let code = error.code();
    if matches!(code, "FORBIDDEN" | "UNAUTHENTICATED" | "NOT_FOUND") {
        let subject = Subject::Path(path.to_owned());
        log(app, actor, Denied { action, subject, named: Named::default(), code }).await;
    }
}

/// A change that was refused.
struct Denied {
    action: Action,
    subject: Subject,
    named: Named,
    /// The code of the error.
    code: &'static str,
}

/// What the caller named besides the subject, as the detail of a change that was made has it.
type Named = serde_json::Map<String, serde_json::Value>;

/// What a refused change was about, as the caller named it.
enum Subject {
    /// Of a project or model.
    Path(String),
    /// An opaque id.
    Id(String),
    /// A username or nothing.
    Other(String),
}

/// Never fails: the caller gets their answer, and the operator the reason.
async fn log(app: &App, actor: &Actor, denied: Denied) {
    let who = actor.counted_as();
    if app.refusals.count(&who, app.clock.now()).is_err() {
        tracing::warn!(who, action = denied.action.as_str(), "refused too often to log each time");
        return;
    }
    if denied.code != "NOT_FOUND" {
        return record(app, actor, denied).await;
    }
    let (beside, app, actor) = (app.beside.clone(), app.clone(), actor.clone());
    beside.spawn(async move {
        match is_hidden(&app, &actor, &denied.subject).await {
            Ok(true) => record(&app, &actor, denied).await,
            Ok(false) => {}
            Err(error) => tracing::error!(?error, "a refused change could not be looked into"),
        }
    });
}

async fn record(app: &App, actor: &Actor, denied: Denied) {
    let Denied { action, subject, named, code } = denied;
    let is_path = matches!(subject, Subject::Path(_));
    let (Subject::Path(subject) | Subject::Id(subject) | Subject::Other(subject)) = subject;
    let refusal = Refusal { action, subject: &subject, is_path, code, named };
    if let Err(error) = log::record_refusal(&app.db, app.clock.now(), &actor.by(), refusal).await {
        tracing::error!(?error, "a refused change could not be logged");
    }
}

/// Whether there is such a thing, which the caller may not see. Otherwise something was misspelt.
async fn is_hidden(app: &App, actor: &Actor, subject: &Subject) -> Result<bool> {
    match subject {
        Subject::Path(path) => {
            let project = path.split('/').next().unwrap_or_default();
            match access::reader(&app.db, actor, project).await {
                Ok(_) => Ok(false),
                Err(Error::NotFound { .. }) => log::is_project(&app.db, project).await,
                Err(error) => Err(error),
            }
        }
        Subject::Id(id) => match AnyId::parse(&ID::from(id.as_str())) {
            Ok(AnyId::CredentialId(id)) => access::credential::exists(&app.db, &id).await,
            Ok(AnyId::WebhookId(id)) => Ok(webhook::sql::find(&app.db, &id).await?.is_some()),
            _ => Ok(false),
        },
        Subject::Other(_) => Ok(false),
    }
}

type Input = IndexMap<Name, Value>;

/// The input of a mutation; empty where it is none.
fn input_of(field: &Field, variables: &Variables) -> Input {
    let input = field.get_argument("input").map(|input| input.node.clone());
    let input = input.and_then(|input| {
        input.into_const_with(|name| variables.get(&name).cloned().ok_or(())).ok()
    });
    match input {
        Some(Value::Object(input)) => input,
        _ => Input::default(),
    }
}

fn text_of(input: &Input, key: &str) -> Option<String> {
    match input.get(key) {
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// What a mutation is about: the model, project, person or thing that its input names.
fn subject_of(input: &Input) -> Subject {
    let text = |key| text_of(input, key);
    if let Some(path) = text("model").or_else(|| text("project")) {
        return Subject::Path(path);
    }
    match text("id") {
        Some(id) => Subject::Id(id),
        None => Subject::Other(text("username").or_else(|| text("path")).unwrap_or_default()),
    }
}

/// The names in the input of a mutation, never a value: the alias that was to be moved, and to which version.
fn named_in(action: Action, input: &Input) -> Named {
    const NAMES: [&str; 7] = ["name", "version", "pattern", "key", "path", "username", "role"];
    let short = |text: String| text.replace('\0', "").chars().take(MAX_NAME).collect::<String>();
    let mut named = Named::new();
    for key in NAMES {
        let told = if key == "name" && action.kind() == "alias" { "alias" } else { key };
        let value = match input.get(key) {
            Some(Value::String(text)) => short(text.clone()),
            Some(Value::Enum(name)) => short(name.to_string()),
            _ => continue,
        };
        named.insert(told.to_owned(), value.into());
    }
    if let Some(Value::Number(number)) = input.get("candidate") {
        named.insert("candidate".to_owned(), number.clone().into());
    }
    named
}
