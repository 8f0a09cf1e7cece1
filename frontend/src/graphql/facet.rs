//! What models can be narrowed down by: the values that they have, each with how many have it.

use cynic::QueryBuilder;

use super::{model::Wanted, project, schema};
use crate::{api::run, logic::error::ApiError};

/// A value that some models have.
#[derive(cynic::QueryFragment, Clone, Debug, PartialEq)]
pub struct FacetValue {
    pub key: Option<String>,
    pub value: String,
    pub count: i32,
}

impl FacetValue {
    /// As [`Wanted`] has it; none for what a filter cannot say.
    pub fn wanted(&self) -> Option<String> {
        let odd = |text: &str, marks: &[char]| text.contains(marks);
        match &self.key {
            _ if odd(&self.value, &['\'']) && odd(&self.value, &['"']) => None,
            Some(key) if odd(key, &['=', '`']) => None,
            Some(key) => Some(format!("{key}={}", self.value)),
            None => Some(self.value.clone()),
        }
    }
}

/// What models can be narrowed down by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facets {
    pub tags: Vec<FacetValue>,
    pub frameworks: Vec<FacetValue>,
    pub licenses: Vec<FacetValue>,
    pub authors: Vec<FacetValue>,
}

/// The facets of a project's models, or of all.
macro_rules! facets_of {
    ($dollar:tt $name:ident, $graphql_type:literal) => {
        #[derive(cynic::QueryFragment)]
        #[cynic(graphql_type = $graphql_type, variables = "FacetsVariables")]
        struct $name {
            #[arguments(of: TAG, search: $dollar search, filter: $dollar but_tag)]
            #[cynic(rename = "modelFacet", alias)]
            tags: Vec<FacetValue>,
            #[arguments(of: FRAMEWORK, search: $dollar search, filter: $dollar but_framework)]
            #[cynic(rename = "modelFacet", alias)]
            frameworks: Vec<FacetValue>,
            #[arguments(of: LICENSE, search: $dollar search, filter: $dollar but_license)]
            #[cynic(rename = "modelFacet", alias)]
            licenses: Vec<FacetValue>,
            #[arguments(of: AUTHOR, search: $dollar search, filter: $dollar but_author)]
            #[cynic(rename = "modelFacet", alias)]
            authors: Vec<FacetValue>,
        }

        impl From<$name> for Facets {
            fn from($name { tags, frameworks, licenses, authors }: $name) -> Self {
                Self { tags, frameworks, licenses, authors }
            }
        }
    };
}
facets_of!($ FacetsOfProject, "Project");
facets_of!($ FacetsOfAll, "Query");

#[derive(cynic::QueryVariables)]
struct FacetsVariables {
    /// Not sent where all are asked for.
    project: String,
    search: Option<String>,
    but_tag: Option<String>,
    but_framework: Option<String>,
    but_license: Option<String>,
    but_author: Option<String>,
}

#[derive(cynic::QueryFragment)]
#[cynic(graphql_type = "Query", variables = "FacetsVariables")]
struct ProjectFacets {
    #[arguments(path: $project)]
    project: Option<FacetsOfProject>,
}

/// What the models of a project have, or of all, each facet of those that match all others.
pub async fn facets(project: Option<String>, wanted: Wanted) -> Result<Facets, ApiError> {
    let variables = FacetsVariables {
        project: project.clone().unwrap_or_default(),
        but_tag: Some(wanted.filter("tag")),
        but_framework: Some(wanted.filter("framework")),
        but_license: Some(wanted.filter("license")),
        but_author: Some(wanted.filter("author")),
        search: wanted.search,
    };
    let Some(path) = project else { return Ok(run(FacetsOfAll::build(variables)).await?.into()) };
    let project = run(ProjectFacets::build(variables)).await?.project;
    project.map(Facets::from).ok_or_else(|| ApiError::not_found(project::missing(&path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_wanted_as_a_filter_can_say_it() {
        let value = |key: Option<&str>, value: &str| {
            let key = key.map(str::to_owned);
            FacetValue { key, value: value.to_owned(), count: 1 }.wanted()
        };
        assert_eq!(value(Some("a"), "b=c").as_deref(), Some("a=b=c"));
        assert_eq!(value(Some("a=b"), "c"), None);
        assert_eq!(value(None, "it's \"it\""), None);
    }
}
