//! The cost of an operation, in rows: counted before it runs, from its fields and how much of each it asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextPrepareRequest, NextValidation,
};
use async_graphql::{Pos, Request, ServerError, ServerResult, ValidationResult, Value, Variables};

use crate::access::Actor;
use crate::error::Error;
use crate::registry::entity::MAX_REPRESENTATIONS;

/// What an operation may cost, and one that comes with an embed token.
const MAX_COST: usize = 50_000;
const MAX_COST_EMBEDDED: usize = 5_000;

/// Refuses operations that cost too much.
pub struct Cost;

impl ExtensionFactory for Cost {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Counter::default())
    }
}

/// How many representations of entities the variables of an operation have.
#[derive(Default)]
struct Counter(AtomicUsize);

#[async_trait]
impl Extension for Counter {
    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        self.0.store(representations(&request.variables), Ordering::Relaxed);
        next.run(ctx, request).await
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let count = self.0.load(Ordering::Relaxed);
        let is_embedded = ctx.data_opt::<Actor>().is_some_and(|actor| actor.embed().is_some());
        let most = if is_embedded { MAX_COST_EMBEDDED } else { MAX_COST };
        match check(result.complexity, most, count) {
            Ok(()) => Ok(result),
            Err(error) => {
                let error = async_graphql::Error::from(error);
                Err(vec![error.into_server_error(Pos::default())])
            }
        }
    }
}

fn check(cost: usize, most: usize, representations: usize) -> Result<(), Error> {
    if representations > MAX_REPRESENTATIONS {
        return Err(Error::invalid(
            "representations",
            format!("must be at most {MAX_REPRESENTATIONS} in one operation"),
        ));
    }
    match cost {
        _ if cost <= most => Ok(()),
        _ if representations > 0 => {
            let most = representations.saturating_mul(most) / cost;
            let reason =
                format!("must be at most {most} in one operation that asks so much of each");
            Err(Error::invalid("representations", reason))
        }
        _ => Err(Error::invalid(
            "query",
            format!(
                "is too complex: it costs {cost} of at most {most}; ask for fewer things, or for less of each"
            ),
        )),
    }
}

/// Gateways send representations as variables.
fn representations(variables: &Variables) -> usize {
    let is_one = |value: &Value| match value {
        Value::Object(fields) => fields.contains_key("__typename"),
        _ => false,
    };
    let lists = variables.values().filter_map(|value| match value {
        Value::List(values) => Some(values.iter().filter(|value| is_one(value)).count()),
        _ => None,
    });
    lists.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_many_representations_would_do() {
        assert!(check(50_000, MAX_COST, 1000).is_ok());
        assert!(
            check(50_001, MAX_COST, 0).is_err_and(|error| error.message().contains("50001 of"))
        );
        assert!(
            check(100_000, MAX_COST, 1000)
                .is_err_and(|error| error.message().contains("at most 500 "))
        );
        assert!(
            check(1, MAX_COST, 1001).is_err_and(|error| error.message().contains("at most 1000 "))
        );
    }
}
