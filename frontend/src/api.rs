//! The one way to the GraphQL API: `run(operation)`.

use std::{
    fmt,
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::Pin,
    task::Poll,
};

use cynic::{GraphQlError, Operation};
use gloo_net::http::Request;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    logic::{
        address,
        error::{ApiError, Code},
    },
    reach,
};

/// The errors of an answer are read before its data, which may then be incomplete.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(default)]
    errors: Vec<GraphQlError<Extensions>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Extensions {
    #[serde(default)]
    code: String,
    field: Option<String>,
    #[serde(default)]
    uploads: Vec<String>,
}

/// The only value of an object, whatever it is called.
struct Only<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Only<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entry<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entry<T> {
            type Value = Only<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object with one field")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Only<T>, A::Error> {
                match map.next_entry::<IgnoredAny, T>()? {
                    Some((_, value)) => Ok(Only(value)),
                    None => Err(de::Error::invalid_length(0, &self)),
                }
            }
        }

        deserializer.deserialize_map(Entry(PhantomData))
    }
}

/// The data of an answer without errors, and its status.
type Sent = (String, u16);

/// Sends one operation and returns its data, or the first error that the server named.
///
/// What does not depend on the operation is in [`send`], so that it is compiled once and not for each.
pub async fn run<T, V>(operation: Operation<T, V>) -> Result<T, ApiError>
where
    T: DeserializeOwned + 'static,
    V: Serialize,
{
    read(send(write(&operation)?).await?)
}

/// What somebody waits for.
pub type Asked<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// Waits for all at once, and gives their answers in order, or the first error.
pub async fn all<T>(mut asked: Vec<Asked<T>>) -> Result<Vec<T>, ApiError> {
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (asked, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = asked.as_mut().poll(context)
            {
                match ready {
                    Ok(ready) => *answer = Some(ready),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }
        if answers.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(answers.iter_mut().filter_map(Option::take).collect()))
    })
    .await
}

/// The same where the data is one field of one field: `{"createModel": {"model": …}}`.
///
/// It is read without the types of the operation, which are two more for each mutation.
pub async fn run_one<R, T, V>(operation: Operation<T, V>) -> Result<R, ApiError>
where
    R: DeserializeOwned,
    V: Serialize,
{
    let Only(Only(object)) = read(send(write(&operation)?).await?)?;
    Ok(object)
}

fn write<T, V: Serialize>(operation: &Operation<T, V>) -> Result<String, ApiError> {
    serde_json::to_string(operation)
        .map_err(|error| ApiError::new(Code::Invalid, error.to_string()))
}

fn read<T: DeserializeOwned>((data, status): Sent) -> Result<T, ApiError> {
    serde_json::from_str(&data).map_err(|_| ApiError::unexpected(status))
}

/// Nothing came back.
fn lost() -> ApiError {
    reach::doubt();
    ApiError::unreachable()
}

fn send(body: String) -> Pin<Box<dyn Future<Output = Result<Sent, ApiError>>>> {
    Box::pin(async move {
        let response = Request::post(&address::at("/graphql"))
            .header("content-type", "application/json")
            .header("accept", "application/json")
            .body(body)
            .map_err(|_| ApiError::unreachable())?
            .send()
            .await
            .map_err(|_| lost())?;
        let status = response.status();
        let text = response.text().await.map_err(|_| lost())?;
        let unexpected = || ApiError::unexpected(status);
        let answer: Answer<'_> = serde_json::from_str(&text).map_err(|_| unexpected())?;
        let Some(error) = answer.errors.into_iter().next() else {
            return Ok((answer.data.ok_or_else(unexpected)?.get().to_owned(), status));
        };
        let refused = ApiError::new(Code::Unexpected, error.message);
        Err(match error.extensions {
            Some(Extensions { code, field, uploads }) => {
                ApiError { code: Code::parse(&code), field, uploads, ..refused }
            }
            None => refused,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mutation_answers_is_its_object() {
        let read_one = |text: &str| read::<Only<Only<i32>>>((text.to_owned(), 200));
        let Only(Only(found)) = read_one(r#"{"emptyTrash":{"removedCount":3}}"#).ok().unwrap();
        assert_eq!(found, 3);
        for other in ["{}", r#"{"a":{}}"#, "null", "[]"] {
            assert!(read_one(other).is_err(), "{other}");
        }
    }
}
