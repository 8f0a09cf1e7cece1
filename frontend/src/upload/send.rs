//! What is sent for one file: small ones as one `PUT`, large ones so that they can be interrupted (tus 1.0.0).
//! What is there already is not sent again.

use std::rc::Rc;

use wasm_bindgen::JsValue;
use web_sys::{Blob, File, XmlHttpRequest};

use super::{
    Attempt,
    notes::{self, Note},
    request::{self, Answer, Request},
};
use crate::logic::address;

/// Files of this size and more can be interrupted, in bytes.
const RESUMABLE: f64 = 8_388_608.0;
/// How much is sent with one request.
const PIECE: f64 = 67_108_864.0;

/// A file and where it goes.
pub struct Job {
    pub base: String,
    pub path: String,
    pub file: File,
}

/// Why a file is not there.
pub enum Stop {
    /// It may go better later.
    Lost,
    Refused(String),
}

impl From<JsValue> for Stop {
    fn from(_: JsValue) -> Self {
        Self::Refused("The browser couldn't send this file.".to_owned())
    }
}

/// Sends a file, as far as it is not there already.
pub async fn send(job: &Job, attempt: &Rc<Attempt>) -> Result<(), Stop> {
    let address = address::file(&job.base, &job.path);
    let key = notes::key(&address, &job.file);
    Sending { job, attempt, address, key }.send().await
}

/// Has the registry throw away what has arrived of a file.
pub async fn terminate(job: &Job) {
    let key = notes::key(&address::file(&job.base, &job.path), &job.file);
    if let Some(Note::At(upload)) = notes::find(&key) {
        notes::forget(&key);
        let headers = [tus()];
        let request = Request { method: "DELETE", address: &upload, headers: &headers, body: None };
        if let Ok(http) = XmlHttpRequest::new() {
            // If it does not arrive, the upload expires.
            let _ = request::send(&http, request, |_| {}).await;
        }
    }
}

fn tus() -> (&'static str, String) {
    ("tus-resumable", "1.0.0".to_owned())
}

struct Sending<'a> {
    job: &'a Job,
    attempt: &'a Rc<Attempt>,
    address: String,
    key: String,
}

impl Sending<'_> {
    async fn send(&self) -> Result<(), Stop> {
        if self.is_there().await? {
            return Ok(());
        }
        if self.job.file.size() < RESUMABLE { self.put().await } else { self.send_pieces().await }
    }

    /// One request; what was sent before it is `offset` bytes.
    async fn ask(&self, request: Request<'_>, offset: f64) -> Result<Answer, Stop> {
        if !self.attempt.goes_on() {
            return Err(Stop::Lost);
        }
        let http = XmlHttpRequest::new()?;
        self.attempt.ends_with_me(&http);
        let attempt = self.attempt.clone();
        let answer = request::send(&http, request, move |sent| attempt.report(offset + sent));
        let answer = answer.await?;
        match answer.status {
            // No answer, or one that says to come again.
            0 | 408 | 502..=504 => Err(Stop::Lost),
            _ => Ok(answer),
        }
    }

    async fn head(&self, address: &str) -> Result<Answer, Stop> {
        let headers = [tus()];
        self.ask(Request { method: "HEAD", address, headers: &headers, body: None }, 0.0).await
    }

    /// Whether the file that this browser sent before is still there.
    async fn is_there(&self) -> Result<bool, Stop> {
        let Some(Note::Is(etag)) = notes::find(&self.key) else { return Ok(false) };
        let answer = self.head(&self.address).await?;
        let there = answer.status == 200 && answer.header("etag") == Some(etag);
        if !there {
            notes::forget(&self.key);
        }
        Ok(there)
    }

    async fn put(&self) -> Result<(), Stop> {
        self.attempt.begin_at(0.0);
        let file = &self.job.file;
        let kind = Some(file.type_()).filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
        let headers = [("content-type", kind)];
        let body: &Blob = file;
        let request =
            Request { method: "PUT", address: &self.address, headers: &headers, body: Some(body) };
        let answer = self.ask(request, 0.0).await?;
        // 201 for a new file, 200 where the same bytes were there already.
        if !matches!(answer.status, 200 | 201) {
            // Nothing of it is kept.
            self.attempt.begin_at(0.0);
            return Err(refused(&answer));
        }
        if let Some(etag) = answer.header("etag") {
            notes::keep(&self.key, &Note::Is(etag));
        }
        Ok(())
    }

    async fn send_pieces(&self) -> Result<(), Stop> {
        let size = self.job.file.size();
        let (upload, mut offset) = match self.find_begun().await? {
            Some(begun) => begun,
            None => (self.begin().await?, 0.0),
        };
        self.attempt.begin_at(offset);
        while offset < size {
            offset = self.send_piece(&upload, offset).await?;
        }
        let answer = self.head(&self.address).await?;
        match answer.header("etag").filter(|_| answer.status == 200) {
            Some(etag) => {
                notes::keep(&self.key, &Note::Is(etag));
                Ok(())
            }
            None => {
                // It was there, and somebody has deleted it: it is sent once more.
                notes::forget(&self.key);
                Err(Stop::Lost)
            }
        }
    }

    /// Where an upload goes on that an earlier attempt began.
    async fn find_begun(&self) -> Result<Option<(String, f64)>, Stop> {
        let Some(Note::At(upload)) = notes::find(&self.key) else { return Ok(None) };
        let answer = self.head(&upload).await?;
        match offset_of(&answer).filter(|_| answer.status == 200) {
            Some(offset) => Ok(Some((upload, offset))),
            None => {
                // It has expired, or cannot go on: to begin anew says why.
                notes::forget(&self.key);
                Ok(None)
            }
        }
    }

    async fn begin(&self) -> Result<String, Stop> {
        let headers = [tus(), ("upload-length", self.job.file.size().to_string())];
        let request =
            Request { method: "POST", address: &self.address, headers: &headers, body: None };
        let answer = self.ask(request, 0.0).await?;
        let upload = answer.header("location").filter(|_| answer.status == 201);
        let upload = upload.ok_or_else(|| refused(&answer))?;
        notes::keep(&self.key, &Note::At(upload.clone()));
        Ok(upload)
    }

    /// Sends the next bytes; returns where the upload goes on.
    async fn send_piece(&self, upload: &str, offset: f64) -> Result<f64, Stop> {
        let end = (offset + PIECE).min(self.job.file.size());
        let piece = self.job.file.slice_with_f64_and_f64(offset, end)?;
        let headers = [
            tus(),
            ("upload-offset", offset.to_string()),
            ("content-type", "application/offset+octet-stream".to_owned()),
        ];
        let request =
            Request { method: "PATCH", address: upload, headers: &headers, body: Some(&piece) };
        let answer = self.ask(request, offset).await?;
        if answer.status == 204 {
            return offset_of(&answer).ok_or_else(|| refused(&answer));
        }
        if answer.status == 409 {
            // Perhaps more has arrived than we heard of.
            let there = offset_of(&self.head(upload).await?);
            if let Some(there) = there.filter(|there| *there != offset) {
                self.attempt.begin_at(there);
                return Ok(there);
            }
        }
        Err(refused(&answer))
    }
}

fn offset_of(answer: &Answer) -> Option<f64> {
    answer.header("upload-offset")?.parse().ok()
}

fn refused(answer: &Answer) -> Stop {
    Stop::Refused(answer.reason())
}
