//! Uploads in parts, as MLflow's client sends large files: begun, put together or given up here, while the
//! parts go to signed addresses. The id of an upload says what it is of, and whose.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use futures_util::Stream;
use serde::{Deserialize, Serialize};

use super::artifacts::{Place, transfer};
use super::call::{Call, Done, write};
use super::capability::{Addresses, Capability};
use super::error::{Failure, Result};
use super::message::{self, Message};
use crate::access::{self, Actor, Writer};
use crate::action::Action;
use crate::app::App;
use crate::change::Change;
use crate::error::{Error, Result as Found};
use crate::files::upload::{self, Place as _};
use crate::registry::catalog::upload::rules::{self, NewUpload};
use crate::registry::catalog::upload::staged;

/// How many parts an upload has at most. The client sends what has more as one stream when it is told so in
/// these words.
const MAX_PARTS: i64 = 10_000;
const NOT_SO_MANY: &str = "Multipart upload is not supported for the current artifact repository";
/// How long the addresses of parts are good.
const SECONDS: i64 = 3600;
/// What the ids of uploads are sealed for.
const PURPOSE: &str = "upload";

pub fn routes() -> Router<App> {
    Router::new()
        .route(
            "/mlflow-artifacts/mpu/create/{*artifact_path}",
            post(write(Action::FilePut, create)),
        )
        .route(
            "/mlflow-artifacts/mpu/complete/{*artifact_path}",
            post(write(Action::FilePut, complete)),
        )
        .route("/mlflow-artifacts/mpu/abort/{*artifact_path}", post(write(Action::FilePut, abort)))
}

/// What the id of an upload says.
#[derive(PartialEq, Serialize, Deserialize)]
struct UploadId {
    /// Its raw id.
    upload: String,
    project: String,
    /// The file that it will be.
    address: String,
    /// The raw id of whose it is.
    user: String,
    parts: u32,
}

#[derive(Serialize)]
pub struct Begun {
    upload_id: String,
    credentials: Vec<Credential>,
}

#[derive(Serialize)]
struct Credential {
    url: String,
    part_number: u32,
    headers: Empty,
}

/// What is to be sent besides: nothing.
#[derive(Serialize)]
pub struct Empty {}

/// Where the file goes: the address names the folder, and the message has the client's own path.
async fn place(call: &Call) -> Result<Place> {
    let path = call.message.required("path")?;
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let folder = transfer::named(call).await?;
    Place::new(&call.project, transfer::address_of(call, &format!("{folder}/{name}")).await?)
}

async fn create(call: Call) -> Result<Begun> {
    let place = place(&call).await?;
    let parts = call.message.int("num_parts")?.unwrap_or(1);
    if parts > MAX_PARTS {
        return Err(Failure::invalid(format!("{NOT_SO_MANY}: at most {MAX_PARTS} parts")));
    }
    let parts = u32::try_from(parts).ok().filter(|parts| *parts > 0);
    let parts = parts.ok_or_else(|| Failure::invalid("num_parts must be at least 1"))?;
    let arrival = upload::check(&call.app, &call.actor, &place, &HeaderMap::new()).await?;
    let id = UploadId {
        upload: begin(&call, &place, arrival.path, parts).await?,
        project: call.project.clone(),
        address: place.address.to_string(),
        user: call.actor.user()?.id.raw().to_owned(),
        parts,
    };
    let addresses = Addresses::new(&call, SECONDS);
    let credential = |number| {
        let may = Capability::PutPart { upload: id.upload.clone(), number };
        let url = addresses.url(&place.address, may)?;
        Ok(Credential { url, part_number: number, headers: Empty {} })
    };
    let credentials = (1..=parts).map(credential).collect::<Result<_>>()?;
    Ok(Begun { upload_id: call.app.signing.seal(PURPOSE, &id)?, credentials })
}

/// Begins an upload in parts; returns its raw id.
async fn begin(call: &Call, place: &Place, path: String, parts: u32) -> Result<String> {
    call.app.store.check_room()?;
    let new = NewUpload {
        path,
        size: None,
        sha256: None,
        metadata: String::new(),
        concat: None,
        part_count: Some(parts),
    };
    let mut change = Change::begin(&call.app, &call.actor).await?;
    let (reader, target) = place.find((&mut *change).into(), &call.actor).await?;
    let upload = rules::create(&mut change, &Writer::of(reader)?, &target, new).await?;
    change.commit().await?;
    Ok(upload.id)
}

/// Takes in a part from somebody who was given an address for it.
pub async fn take_part(
    app: &App,
    actor: &Actor,
    place: &Place,
    (upload, number): (&str, u32),
    parts: &Parts,
    body: &mut (impl Stream<Item = Found<Bytes>> + Unpin),
) -> Result<Response> {
    let written = async {
        let arrival = upload::check(app, actor, place, &parts.headers).await?;
        let _under_way = app.in_flight.begin(arrival);
        let max_size = app.config.max_file_size;
        let room = staged::room(&app.db, upload, number, max_size).await?;
        let (length, now) = (upload::announced(&parts.headers), app.clock.now());
        let part = app.store.stage(upload, &mut *body, length, room, now).await?;
        // By itself: a client who goes away now leaves nothing half done.
        let (app, upload) = (app.clone(), upload.to_owned());
        let user = actor.user()?.id.clone();
        let added = tokio::spawn(async move {
            let (now, whose) = (app.clock.now(), (&user, upload.as_str()));
            let added = staged::add(&app.db, whose, number, &part, max_size, now).await;
            if !matches!(added, Ok(true)) {
                app.store.delete(&part.key).await?;
            }
            added.map(|_| part.sha256)
        });
        added.await.map_err(Error::internal)?
    };
    match written.await {
        Ok(sha256) => Ok(transfer::stored(&sha256)),
        Err(error) => {
            let project = &place.project;
            Err(transfer::reject_upload(app, actor, project, error.into()).await)
        }
    }
}

/// The upload that the request names, if it is the caller's and of this file. Who may not upload is told
/// that, whatever they name.
async fn own_upload(call: &Call, place: &Place) -> Result<UploadId> {
    call.actor.check_may_write()?;
    access::writer(&call.app.db, &call.actor, &call.project).await?;
    let id = call.message.text_or_empty("upload_id")?;
    let user = call.actor.user()?.id.raw();
    let found: Option<UploadId> = call.app.signing.open(PURPOSE, &id);
    found
        .filter(|id| {
            id.user == user && id.project == call.project && id.address == place.address.to_string()
        })
        .ok_or_else(|| {
            let message = format!("No such upload of '{}': begin it again", place.address);
            Failure::not_found("upload", message)
        })
}

/// Puts the parts together, and stores the file as if it had come as one.
async fn complete(mut call: Call) -> Result<Done> {
    let place = place(&call).await?;
    if !call.message.has("parts") {
        return Err(message::missing("parts"));
    }
    let parts = call.message.messages("parts")?;
    let id = own_upload(&call, &place).await?;
    let wanted = wanted(&parts, id.parts)?;
    drop(parts);
    call.is_read();
    let (app, actor) = (call.app.clone(), call.actor.clone());
    // By itself: a client who does not wait that long asks again, and need not send anything again.
    let joined = tokio::spawn(async move { join(&app, &actor, &place, &id.upload, wanted).await });
    joined.await.map_err(Error::internal)??;
    Ok(Done {})
}

/// Puts parts together, one request after the other, unless that was done.
async fn join(
    app: &App,
    actor: &Actor,
    place: &Place,
    upload: &str,
    wanted: Vec<(u32, String)>,
) -> Found<()> {
    let _turn = app.store.partial(upload).await;
    if staged::is_over(&app.db, upload, app.clock.now()).await? {
        return Ok(());
    }
    let parts = staged::parts(app, upload, &wanted).await?;
    let mut bytes = app.store.read_staged(parts);
    let put = upload::receive(app, actor, place, &HeaderMap::new(), &mut bytes).await;
    if let Err(error) = put {
        // Another server may have put them together meanwhile, and removed them.
        return match staged::is_over(&app.db, upload, app.clock.now()).await? {
            true => Ok(()),
            false => Err(error),
        };
    }
    staged::finish(app, upload).await
}

/// The numbers of all parts and their hashes, in order.
fn wanted(parts: &[Message<'_>], count: u32) -> Result<Vec<(u32, String)>> {
    let mut wanted = Vec::with_capacity(parts.len());
    for part in parts {
        let number = part.required_int("part_number")?;
        let number = u32::try_from(number).unwrap_or(0);
        let etag = part.text_or_empty("etag")?;
        wanted.push((number, etag.trim_start_matches("W/").trim_matches('"').to_owned()));
    }
    wanted.sort();
    wanted.dedup();
    if wanted.iter().map(|(number, _)| *number).eq(1..=count) {
        return Ok(wanted);
    }
    Err(Failure::invalid(format!("parts must have each of the numbers 1 to {count} once")))
}

/// Gives an upload up. One that is over is as good: the client says so after whatever went wrong.
async fn abort(call: Call) -> Result<Done> {
    let place = place(&call).await?;
    let id = own_upload(&call, &place).await?;
    staged::end(&call.app, &id.upload).await?;
    Ok(Done {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_named_once() {
        let part = |number: i64, etag: &str| {
            let json = serde_json::json!({ "part_number": number, "etag": etag });
            Message::from_json(json.to_string().as_bytes())
        };
        let all = wanted(&[part(2, "\"b\""), part(1, "a"), part(1, "W/\"a\"")], 2);
        assert_eq!(all.ok(), Some(vec![(1, "a".to_owned()), (2, "b".to_owned())]));
        for wrong in [
            vec![],
            vec![part(1, "a")],
            vec![part(1, "a"), part(3, "c")],
            vec![part(1, "a"), part(1, "b"), part(2, "c")],
            vec![part(-1, "a"), part(2, "c")],
        ] {
            assert!(wanted(&wrong, 2).is_err());
        }
    }
}
