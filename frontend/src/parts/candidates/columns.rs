//! The columns of a table of training runs: which metrics, params and tags it shows, and what it is sorted by.

use leptos::prelude::*;

use crate::{
    components::{
        icon::{self, Icon},
        sort::Sort,
    },
    graphql::{
        candidate::{CandidateList, CandidateOrder, CandidateOrderField, Columns},
        scalar::OrderDirection,
        tag::is_system_tag,
    },
    logic::address,
};

/// Columns of metrics and of params before somebody chooses.
const COLUMNS_SHOWN: usize = 4;

/// A column that only some models have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Column {
    Metric(String),
    Param(String),
    Tag(String),
}

impl Column {
    /// What stands above all columns of its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Metric(_) => "Metrics",
            Self::Param(_) => "Params",
            Self::Tag(_) => "Tags",
        }
    }

    /// What it is.
    fn noun(&self) -> &'static str {
        match self {
            Self::Metric(_) => "metric",
            Self::Param(_) => "param",
            Self::Tag(_) => "tag",
        }
    }

    /// As in the address: `metric:accuracy`.
    pub fn key(&self) -> String {
        match self {
            Self::Metric(name) => format!("metric:{name}"),
            Self::Param(name) => format!("param:{name}"),
            Self::Tag(key) => format!("tag:{key}"),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Metric(name) | Self::Param(name) | Self::Tag(name) => name,
        }
    }
}

/// What the server sorts by.
pub fn order(sort: &Sort) -> CandidateOrder {
    let (field, key) = match sort.key.split_once(':') {
        Some(("metric", name)) => (CandidateOrderField::Metric, Some(name.to_owned())),
        Some(("param", name)) => (CandidateOrderField::Param, Some(name.to_owned())),
        Some(("tag", key)) => (CandidateOrderField::Tag, Some(key.to_owned())),
        _ => match sort.key.as_str() {
            "name" => (CandidateOrderField::Name, None),
            "status" => (CandidateOrderField::Status, None),
            "created" => (CandidateOrderField::CreatedAt, None),
            _ => (CandidateOrderField::Number, None),
        },
    };
    CandidateOrder { field, direction: OrderDirection::of(sort.descending), key }
}

/// The columns in the address, or the first of each kind.
pub fn use_columns(list: Memo<CandidateList>) -> (Memo<Vec<Column>>, Memo<Vec<Column>>) {
    let chosen = address::use_query("columns");
    let all = Memo::new(move |_| {
        list.with(|list| {
            let Columns { metrics, params, tags } = list.candidate_columns.clone();
            let tags = tags.into_iter().filter(|key| !is_system_tag(key));
            let metrics = metrics.into_iter().map(Column::Metric);
            let params = params.into_iter().map(Column::Param);
            metrics.chain(params).chain(tags.map(Column::Tag)).collect::<Vec<_>>()
        })
    });
    let shown = Memo::new(move |_| {
        let all = all.get();
        match chosen.get() {
            Some(chosen) => {
                let chosen: Vec<&str> = chosen.split(',').collect();
                all.into_iter().filter(|column| chosen.contains(&column.key().as_str())).collect()
            }
            None => {
                let first = |kind: &'static str| {
                    all.iter().filter(move |column| column.kind() == kind).take(COLUMNS_SHOWN)
                };
                first("Metrics").chain(first("Params")).cloned().collect::<Vec<_>>()
            }
        }
    });
    (all, shown)
}

#[component]
pub fn ColumnPicker(all: Memo<Vec<Column>>, shown: Memo<Vec<Column>>) -> impl IntoView {
    let set_query = address::use_set_query();
    let toggle = move |column: &Column| {
        let mut keys: Vec<String> = shown.read_untracked().iter().map(Column::key).collect();
        let key = column.key();
        if keys.contains(&key) {
            keys.retain(|kept| *kept != key);
        } else {
            keys.push(key);
        }
        // “none” names no column, so that an empty choice is not the same as no choice.
        let value = if keys.is_empty() { "none".to_owned() } else { keys.join(",") };
        set_query(&[("columns", Some(value))], true);
    };
    view! {
        <details class="dropdown dropdown-end">
            <summary class="btn btn-sm"><Icon d=icon::COLUMNS/>"Columns"</summary>
            <fieldset class="dropdown-content z-30 mt-1 max-h-80 w-64 space-y-1 overflow-y-auto rounded-box border border-base-300 bg-base-100 p-3 shadow-lg">
                <legend class="sr-only">"Columns"</legend>
                {move || all
                    .get()
                    .into_iter()
                    .map(|column| {
                        let toggle = toggle.clone();
                        let noun = column.noun();
                        let name = column.name().to_owned();
                        let checked = {
                            let column = column.clone();
                            move || shown.read().contains(&column)
                        };
                        view! {
                            <label class="flex cursor-pointer items-center gap-2 rounded-field px-1 py-1 text-sm hover:bg-base-200">
                                <input
                                    type="checkbox"
                                    class="checkbox checkbox-sm"
                                    prop:checked=checked
                                    on:change=move |_| toggle(&column)
                                />
                                <span class="min-w-0 grow truncate">{name}</span>
                                <span class="text-xs text-muted">{noun}</span>
                            </label>
                        }
                    })
                    .collect_view()}
            </fieldset>
        </details>
    }
}
