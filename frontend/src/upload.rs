//! Uploads over `/files`: a queue for each version or candidate, a few files at once.
//!
//! Queues outlive the page that started them, so that people can look around meanwhile. A queue
//! knows nothing of versions: it puts files below an address.

use std::collections::HashMap;

use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Event, File, ProgressEvent, XmlHttpRequest};

use crate::{address, picked::Picked};

/// Files on their way at the same time. Browsers open six connections to one server at most.
const PARALLEL: usize = 3;

#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Waiting,
    /// Bytes sent so far.
    Sending(f64),
    Done,
    Failed(String),
    Cancelled,
}

/// One file in a queue.
#[derive(Clone)]
pub struct Upload {
    pub id: u64,
    pub path: String,
    pub size: f64,
    pub progress: ArcRwSignal<Progress>,
}

/// A request on its way, with the closures that it calls.
struct Request {
    http: XmlHttpRequest,
    _on_progress: Closure<dyn FnMut(ProgressEvent)>,
    _on_end: Closure<dyn FnMut(Event)>,
}

/// The uploads to one version or candidate.
#[derive(Clone, Copy)]
pub struct Queue {
    base: StoredValue<String>,
    pub uploads: RwSignal<Vec<Upload>>,
    /// Grows with every file that is there, so that lists of files can follow.
    pub finished: RwSignal<u32>,
    /// When the first file of this batch began, in milliseconds.
    pub started_at: RwSignal<f64>,
    files: StoredValue<HashMap<u64, File>, LocalStorage>,
    requests: StoredValue<HashMap<u64, Request>, LocalStorage>,
}

/// What a queue has done and has yet to do, in bytes and files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    pub files: usize,
    pub done: usize,
    pub failed: usize,
    pub active: usize,
    pub bytes: f64,
    pub sent: f64,
}

/// All queues, by the address they fill; provided once, by the app.
#[derive(Clone)]
pub struct Uploads {
    owner: Owner,
    queues: StoredValue<HashMap<String, Queue>>,
}

impl Uploads {
    pub fn new() -> Self {
        let owner = Owner::current().expect("the app is an owner");
        Self { owner, queues: StoredValue::new(HashMap::new()) }
    }

    /// The queue that fills `base`, an address of [`address::files`].
    pub fn queue(&self, base: &str) -> Queue {
        if let Some(queue) = self.queues.with_value(|queues| queues.get(base).copied()) {
            return queue;
        }
        let queue = self.owner.with(|| Queue::new(base.to_owned()));
        self.queues.update_value(|queues| {
            queues.insert(base.to_owned(), queue);
        });
        queue
    }

    /// Whether anything is on its way or waiting.
    pub fn busy(&self) -> bool {
        let queues: Vec<Queue> =
            self.queues.with_value(|queues| queues.values().copied().collect());
        queues.into_iter().any(|queue| untrack(|| queue.total().active) > 0)
    }
}

impl Queue {
    fn new(base: String) -> Self {
        Self {
            base: StoredValue::new(base),
            uploads: RwSignal::new(Vec::new()),
            finished: RwSignal::new(0),
            started_at: RwSignal::new(0.0),
            files: StoredValue::new_local(HashMap::new()),
            requests: StoredValue::new_local(HashMap::new()),
        }
    }

    /// Adds files below `folder` and starts. A file whose path is already under way is not added.
    pub fn add(self, folder: &str, picked: Vec<Picked>) {
        if untrack(|| self.total().active) == 0 {
            self.started_at.set(js_sys::Date::now());
        }
        let folder = folder.trim().trim_matches('/');
        self.uploads.update(|uploads| {
            let mut next_id = uploads.iter().map(|upload| upload.id + 1).max().unwrap_or(0);
            for Picked { path, file } in picked {
                let path = if folder.is_empty() { path } else { format!("{folder}/{path}") };
                let under_way = uploads.iter().any(|upload| {
                    upload.path == path && !is_over(&upload.progress.get_untracked())
                });
                if under_way {
                    continue;
                }
                uploads.retain(|upload| upload.path != path);
                let progress = ArcRwSignal::new(Progress::Waiting);
                uploads.push(Upload { id: next_id, path, size: file.size(), progress });
                self.files.update_value(|files| {
                    files.insert(next_id, file);
                });
                next_id += 1;
            }
        });
        self.pump();
    }

    /// Stops one file. What had arrived of it is thrown away by the server.
    pub fn cancel(self, id: u64) {
        let Some(upload) = self.find(id) else { return };
        if is_over(&upload.progress.get_untracked()) {
            return;
        }
        upload.progress.set(Progress::Cancelled);
        if let Some(Some(http)) = self
            .requests
            .try_with_value(|requests| requests.get(&id).map(|request| request.http.clone()))
        {
            // An aborted request that was already over is none.
            let _ = http.abort();
        }
        self.pump();
    }

    pub fn cancel_all(self) {
        for upload in self.uploads.get_untracked().into_iter().rev() {
            self.cancel(upload.id);
        }
    }

    /// Tries one file again that failed or was cancelled.
    pub fn retry(self, id: u64) {
        if let Some(upload) = self.find(id) {
            upload.progress.set(Progress::Waiting);
            self.pump();
        }
    }

    pub fn retry_failed(self) {
        for upload in self.uploads.get_untracked() {
            if matches!(upload.progress.get_untracked(), Progress::Failed(_)) {
                upload.progress.set(Progress::Waiting);
            }
        }
        self.pump();
    }

    /// Forgets what is over.
    pub fn clear(self) {
        self.uploads
            .update(|uploads| uploads.retain(|upload| !is_over(&upload.progress.get_untracked())));
        let kept: Vec<u64> = self.uploads.get_untracked().iter().map(|upload| upload.id).collect();
        self.files.update_value(|files| files.retain(|id, _| kept.contains(id)));
    }

    /// Sums over all files that were not cancelled; reactive.
    pub fn total(self) -> Total {
        let mut total = Total::default();
        for upload in self.uploads.read().iter() {
            let sent = match &*upload.progress.read() {
                Progress::Cancelled => continue,
                Progress::Waiting => {
                    total.active += 1;
                    0.0
                }
                Progress::Sending(sent) => {
                    total.active += 1;
                    *sent
                }
                Progress::Done => {
                    total.done += 1;
                    upload.size
                }
                Progress::Failed(_) => {
                    total.failed += 1;
                    0.0
                }
            };
            total.files += 1;
            total.bytes += upload.size;
            total.sent += sent.min(upload.size);
        }
        total
    }

    fn find(self, id: u64) -> Option<Upload> {
        self.uploads.with_untracked(|uploads| uploads.iter().find(|u| u.id == id).cloned())
    }

    /// Starts waiting files while there is room.
    fn pump(self) {
        while self.requests.with_value(HashMap::len) < PARALLEL {
            let next = self.uploads.with_untracked(|uploads| {
                uploads
                    .iter()
                    .find(|upload| upload.progress.get_untracked() == Progress::Waiting)
                    .cloned()
            });
            let Some(upload) = next else { return };
            if let Err(error) = self.start(&upload) {
                let reason =
                    error.as_string().unwrap_or_else(|| "It could not be sent.".to_owned());
                upload.progress.set(Progress::Failed(reason));
            }
        }
    }

    fn start(self, upload: &Upload) -> Result<(), JsValue> {
        let id = upload.id;
        let file = self
            .files
            .with_value(|files| files.get(&id).cloned())
            .ok_or("The file is gone. Pick it again.")?;
        let http = XmlHttpRequest::new()?;
        http.open("PUT", &self.base.with_value(|base| address::file(base, &upload.path)))?;
        http.set_request_header("content-type", &content_type(&file))?;

        let progress = upload.progress.clone();
        let on_progress = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
            if !is_over(&progress.get_untracked()) {
                progress.set(Progress::Sending(event.loaded()));
            }
        });
        let progress = upload.progress.clone();
        let request = http.clone();
        let on_end = Closure::<dyn FnMut(Event)>::new(move |_| {
            if progress.get_untracked() != Progress::Cancelled {
                progress.set(outcome(&request));
            }
            // The closure must not drop itself while it runs: after this event it may go.
            set_timeout(move || self.end(id), std::time::Duration::ZERO);
        });
        http.upload()?.set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
        http.set_onloadend(Some(on_end.as_ref().unchecked_ref()));
        http.send_with_opt_blob(Some(&file))?;

        upload.progress.set(Progress::Sending(0.0));
        let request = Request { http, _on_progress: on_progress, _on_end: on_end };
        self.requests.update_value(|requests| {
            requests.insert(id, request);
        });
        Ok(())
    }

    fn end(self, id: u64) {
        self.requests.update_value(|requests| {
            requests.remove(&id);
        });
        let progress = self.find(id).map(|upload| upload.progress.get_untracked());
        if progress == Some(Progress::Done) {
            self.files.update_value(|files| {
                files.remove(&id);
            });
            self.finished.update(|finished| *finished += 1);
        }
        self.pump();
    }
}

fn is_over(progress: &Progress) -> bool {
    matches!(progress, Progress::Done | Progress::Failed(_) | Progress::Cancelled)
}

fn content_type(file: &File) -> String {
    let kind = file.type_();
    if kind.is_empty() { "application/octet-stream".to_owned() } else { kind }
}

/// What the server said: 201 for a new file, 200 where the same bytes were there already.
fn outcome(request: &XmlHttpRequest) -> Progress {
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    match request.status().unwrap_or(0) {
        200 | 201 => Progress::Done,
        0 => Progress::Failed("The connection was lost.".to_owned()),
        status => {
            let text = request.response_text().ok().flatten().unwrap_or_default();
            Progress::Failed(match serde_json::from_str::<Refusal>(&text) {
                Ok(refusal) => refusal.message,
                Err(_) => format!("The registry refused it (HTTP {status})."),
            })
        }
    }
}
