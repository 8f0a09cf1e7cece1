//! Relay connections, and one SQL statement for the same page of many parents.
//!
//! A [`Connection`] knows its query and runs it only when its rows are asked for, through the request's
//! loader: fifty models that each show their first versions cost one statement, a `UNION ALL` of fifty
//! index look-ups.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object, OutputType, SimpleObject, TypeName};
use sqlx::{ColumnIndex, FromRow};
use tokio::sync::OnceCell;

use crate::db::{Budget, Db, Query, Row, Sql};
use crate::error::{Error, Result};
use crate::loader::{Loaders, MAX_SELECTS, loaders};
use crate::page::{Cursor, KEY_COLUMNS, Key, List, Page};

/// A row with its place.
#[derive(Clone, Debug)]
struct Keyed<T> {
    node: T,
    /// None where all rows are of the same.
    parent: Option<String>,
    cursor: Cursor,
}

impl<'r, R, T> FromRow<'r, R> for Keyed<T>
where
    R: sqlx::Row,
    T: FromRow<'r, R>,
    &'static str: sqlx::ColumnIndex<R>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    f64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let keys = KEY_COLUMNS.into_iter().map_while(|[text, int, real]| {
            if has(row, int) {
                Some(row.try_get(int).map(Key::Int))
            } else if has(row, text) {
                Some(row.try_get(text).map(Key::Text))
            } else if has(row, real) {
                Some(row.try_get(real).map(|real: f64| Key::Real(real.to_bits())))
            } else {
                None
            }
        });
        let keys = keys.collect::<Result<_, sqlx::Error>>()?;
        Ok(Self {
            node: T::from_row(row)?,
            parent: has(row, "page_parent").then(|| row.try_get("page_parent")).transpose()?,
            cursor: Cursor { keys, id: row.try_get("page_id")? },
        })
    }
}

fn has<R: sqlx::Row>(row: &R, column: &'static str) -> bool
where
    &'static str: sqlx::ColumnIndex<R>,
{
    column.index(row).is_ok()
}

/// The rows of one page, and whether there are more.
#[derive(Clone, Debug)]
pub struct Rows<T> {
    /// Shared: a request may ask for the same page many times over.
    rows: Arc<Vec<Keyed<T>>>,
    more: bool,
}

/// One page of a list, each row with its cursor, and whether there are more: where a budget ends it, too.
pub async fn fetch<T: Row>(
    db: &Db,
    list: &List,
    page: &Page,
    parent: Option<&str>,
) -> Result<(Vec<(T, Cursor)>, bool)> {
    let budget = Budget::new(PAGE);
    let query = Query::from(list.select(page, parent)?);
    let rows: Vec<Keyed<T>> = query.fetch_fitting(&db.within(&budget)).await?;
    let size = usize::try_from(page.size).unwrap_or_default();
    let more = rows.len() > size || budget.is_over();
    Ok((rows.into_iter().take(size).map(|row| (row.node, row.cursor)).collect(), more))
}

/// How many bytes of rows a page has at most that is fetched by itself: many, but no more than can be held.
const PAGE: usize = 64 << 20;

/// Runs one page of the same list for many parents in one statement.
async fn load_pages<T: Row + Clone>(
    loaders: &Loaders,
    query: &PageQuery,
    parents: &[String],
) -> Result<HashMap<String, Rows<T>>> {
    let PageQuery { list, page } = query;
    let mut pages: HashMap<String, Vec<Keyed<T>>> =
        parents.iter().map(|parent| (parent.clone(), Vec::new())).collect();
    let mut sql = Sql::default();
    if list.parent.is_none() || parents.len() == 1 {
        sql = list.select(page, parents.first().map(String::as_str))?;
    } else {
        for (index, parent) in parents.iter().enumerate() {
            sql.push(if index == 0 { "" } else { " UNION ALL " });
            sql.push("SELECT of_one.*, CAST(").push_value(parent.as_str());
            sql.push(" AS TEXT) AS page_parent FROM (").push_sql(list.select(page, Some(parent))?);
            sql.push(") AS of_one");
        }
    }
    let rows: Vec<Keyed<T>> = Query::from(sql).fetch_all(&loaders.app.db).await?;
    let only = parents.first().cloned().unwrap_or_default();
    for row in rows {
        let parent = row.parent.as_ref().unwrap_or(&only);
        pages.entry(parent.clone()).or_default().push(row);
    }
    // Each part of the UNION ALL has its LIMIT and comes in its own order, whichever comes first.
    let size = usize::try_from(page.size).unwrap_or_default();
    let pages = pages.into_iter().map(|(parent, mut rows)| {
        let more = rows.len() > size;
        rows.truncate(size);
        if page.backward {
            rows.reverse();
        }
        (parent, Rows { rows: Arc::new(rows), more })
    });
    Ok(pages.collect())
}

/// A page of a list, the same for every parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageQuery {
    list: List,
    page: Page,
}

/// The key of the loader of pages of `T`.
pub struct PageOf<T> {
    parent: String,
    query: Arc<PageQuery>,
    row: std::marker::PhantomData<fn() -> T>,
}

impl<T> Clone for PageOf<T> {
    fn clone(&self) -> Self {
        Self { parent: self.parent.clone(), query: self.query.clone(), row: self.row }
    }
}
impl<T> PartialEq for PageOf<T> {
    fn eq(&self, other: &Self) -> bool {
        self.parent == other.parent && self.query == other.query
    }
}
impl<T> Eq for PageOf<T> {}
impl<T> std::hash::Hash for PageOf<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parent.hash(state);
        self.query.hash(state);
    }
}

impl<T: Row + Clone + Send + Sync + 'static> Loader<PageOf<T>> for Loaders {
    type Value = Rows<T>;
    type Error = Error;

    async fn load(&self, keys: &[PageOf<T>]) -> Result<HashMap<PageOf<T>, Rows<T>>> {
        let mut groups: HashMap<Arc<PageQuery>, Vec<String>> = HashMap::new();
        for key in keys {
            groups.entry(key.query.clone()).or_default().push(key.parent.clone());
        }
        let mut loaded = HashMap::new();
        for (query, parents) in &groups {
            for parents in parents.chunks(MAX_SELECTS) {
                let pages = load_pages::<T>(self, query, parents).await?;
                loaded.extend(pages.into_iter().map(|(parent, rows)| {
                    let query = query.clone();
                    (PageOf { parent, query, row: std::marker::PhantomData }, rows)
                }));
            }
        }
        Ok(loaded)
    }
}

/// The key of the loader of totals.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CountOf {
    parent: String,
    list: Arc<PageQuery>,
}

impl Loader<CountOf> for Loaders {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[CountOf]) -> Result<HashMap<CountOf, i64>> {
        let mut groups: HashMap<Arc<PageQuery>, Vec<String>> = HashMap::new();
        for key in keys {
            groups.entry(key.list.clone()).or_default().push(key.parent.clone());
        }
        let mut totals: HashMap<CountOf, i64> = keys.iter().map(|key| (key.clone(), 0)).collect();
        for (list, parents) in groups {
            let rows: Vec<(String, i64)> =
                list.list.count(&parents).fetch_all(&self.app.db).await?;
            for (parent, total) in rows {
                totals.insert(CountOf { parent, list: list.clone() }, total);
            }
        }
        Ok(totals)
    }
}

/// A row type that lists hold; its GraphQL name names its connection.
pub trait Node: Row + OutputType + Clone + Send + Sync + 'static {
    const NAME: &'static str;
}

/// A list that is read when its rows or its total are asked for.
pub struct Connection<T: Node> {
    parent: String,
    query: Arc<PageQuery>,
    rows: OnceCell<Rows<T>>,
}

impl<T: Node> Connection<T> {
    /// `parent` is the raw id that `list.parent` is compared with.
    pub fn new(list: List, page: Page, parent: &str) -> Self {
        let query = Arc::new(PageQuery { list, page });
        Self { parent: parent.to_owned(), query, rows: OnceCell::new() }
    }

    async fn rows(&self, ctx: &Context<'_>) -> Result<&Rows<T>> {
        self.rows
            .get_or_try_init(|| async {
                if self.query.page.size == 0 {
                    return Ok(Rows { rows: Arc::default(), more: false });
                }
                let key = PageOf {
                    parent: self.parent.clone(),
                    query: self.query.clone(),
                    row: std::marker::PhantomData,
                };
                let rows = loaders(ctx).load_one(key).await?;
                Ok(rows.unwrap_or(Rows { rows: Arc::default(), more: false }))
            })
            .await
    }
}

impl<T: Node> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::NAME).into()
    }
}

/// A page of a list.
#[Object(name_type)]
impl<T: Node> Connection<T> {
    /// The rows of this page, each with its cursor.
    async fn edges(&self, ctx: &Context<'_>) -> Result<Vec<Edge<T>>> {
        let rows = &self.rows(ctx).await?.rows;
        Ok(rows
            .iter()
            .map(|row| Edge { node: row.node.clone(), cursor: row.cursor.encode() })
            .collect())
    }

    /// The rows of this page.
    async fn nodes(&self, ctx: &Context<'_>) -> Result<Vec<T>> {
        Ok(self.rows(ctx).await?.rows.iter().map(|row| row.node.clone()).collect())
    }

    /// Where this page begins and ends, and whether there is more.
    async fn page_info(&self, ctx: &Context<'_>) -> Result<PageInfo> {
        let page = &self.query.page;
        let rows = self.rows(ctx).await?;
        Ok(PageInfo {
            has_next_page: if page.backward { page.before.is_some() } else { rows.more },
            has_previous_page: if page.backward { rows.more } else { page.after.is_some() },
            start_cursor: rows.rows.first().map(|row| row.cursor.encode()),
            end_cursor: rows.rows.last().map(|row| row.cursor.encode()),
        })
    }

    /// How many rows the whole list has.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32> {
        // The page does not change the total: leave it out of the key, so that lists share it.
        let list = Arc::new(PageQuery {
            list: self.query.list.clone(),
            page: Page { size: 0, backward: false, after: None, before: None },
        });
        let total = loaders(ctx).load_one(CountOf { parent: self.parent.clone(), list }).await?;
        Ok(i32::try_from(total.unwrap_or(0)).unwrap_or(i32::MAX))
    }
}

/// A row of a list and its place in it.
pub struct Edge<T: Node> {
    node: T,
    cursor: String,
}

impl<T: Node> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::NAME).into()
    }
}

/// A row of a list and its place in it.
#[Object(name_type)]
impl<T: Node> Edge<T> {
    /// The row.
    async fn node(&self) -> &T {
        &self.node
    }

    /// Its position: pass it as `after` or `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// Where a page begins and ends.
#[derive(SimpleObject)]
pub struct PageInfo {
    /// Whether rows come after this page.
    has_next_page: bool,
    /// Whether rows come before this page.
    has_previous_page: bool,
    /// The cursor of the first row; null if there is none.
    start_cursor: Option<String>,
    /// The cursor of the last row; null if there is none.
    end_cursor: Option<String>,
}
