//! What the UI asks the GraphQL API: fragments and operations, one file a concept.
//!
//! The schema is registered by `build.rs`; a field that is not in it does not compile. Nothing here
//! knows about pages or the browser.

pub mod alias;
pub mod candidate;
pub mod embed_token;
pub mod event;
pub mod experiment;
pub mod facet;
pub mod file;
pub mod find;
pub mod kind;
pub mod markdown;
pub mod member;
pub mod model;
pub mod operations;
pub mod page;
pub mod placement;
pub mod project;
pub mod prompt;
pub mod protected_alias;
pub mod scalar;
pub mod session;
pub mod support;
pub mod tag;
pub mod token;
pub mod trash;
pub mod user;
pub mod version;
pub mod viewer;
pub mod webhook;

#[cynic::schema("registry")]
pub mod schema {}

/// One mutation of the form `field(input: Input!): Payload!`, as a function that returns the
/// payload's object. The first token is a `$`, which a macro cannot write by itself; the payload's name
/// is a string, because cynic's derive wants the names of its structs from one macro context.
macro_rules! mutation {
    (
        $dollar:tt $(#[$doc:meta])*
        $function:ident: $field:ident($input:ident) -> $payload:tt { $object:ident: $fragment:ty }
    ) => {
        $(#[$doc])*
        pub async fn $function(input: $input) -> Result<$fragment, $crate::logic::error::ApiError> {
            #[derive(cynic::QueryVariables)]
            struct Variables {
                input: $input,
            }

            // These two say what is asked; the answer is read without them.
            #[allow(dead_code)]
            #[derive(cynic::QueryFragment)]
            #[cynic(graphql_type = "Mutation", variables = "Variables")]
            struct Operation {
                #[arguments(input: $dollar input)]
                $field: Payload,
            }

            #[allow(dead_code)]
            #[derive(cynic::QueryFragment)]
            #[cynic(graphql_type = $payload)]
            struct Payload {
                $object: $fragment,
            }

            let operation = <Operation as cynic::MutationBuilder<_>>::build(Variables { input });
            $crate::api::run_one(operation).await
        }
    };
}
pub(crate) use mutation;
