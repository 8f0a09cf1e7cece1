//! Uploads over `/files`: a queue for each version or candidate, a few files at once.
//!
//! Queues outlive the page that started them, so that people can look around meanwhile. A queue
//! knows nothing of versions: it puts files below an address. What is sent for a file is in [`send`].

mod meter;
mod notes;
mod request;
mod send;

use std::{collections::HashMap, rc::Rc};

use gloo_timers::future::TimeoutFuture;
use leptos::{prelude::*, task::spawn_local};
use web_sys::{File, XmlHttpRequest};

use crate::picked::Picked;
use meter::Meter;
use send::{Job, Stop};

/// Files on their way at the same time. Browsers open six connections to one server at most.
const PARALLEL: usize = 3;
/// How often a file is tried again by itself while nothing of it arrives: for some five minutes.
const ATTEMPTS: u32 = 14;
/// The longest that is waited between two attempts, in milliseconds.
const LONGEST_WAIT: u32 = 30_000;

const LOST: &str =
    "Connection lost. What was uploaded so far is kept. Resume when you are back online.";

#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Waiting,
    Sending,
    /// The connection was lost; it is tried again in a while.
    Lost,
    Paused,
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
    /// In bytes, those that an earlier visit sent among them.
    pub sent: ArcRwSignal<f64>,
    /// In bytes a second.
    pub meter: ArcRwSignal<Meter>,
}

/// What a queue fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its address below `/files`.
    pub base: String,
    /// Its page.
    pub page: String,
    /// What it is called: `vision/ocr 1.2.0`.
    pub name: String,
}

/// The uploads to one version or candidate.
#[derive(Clone, Copy)]
pub struct Queue {
    base: StoredValue<String>,
    pub uploads: RwSignal<Vec<Upload>>,
    /// Grows with every file that is there, so that lists of files can follow.
    pub finished: RwSignal<u32>,
    meter: RwSignal<Meter>,
    files: StoredValue<HashMap<u64, File>, LocalStorage>,
    running: StoredValue<HashMap<u64, Running>, LocalStorage>,
    last_run: StoredValue<u64>,
}

/// What is done about a file. Who stops it takes it out; what was under way then changes nothing more.
struct Running {
    run: u64,
    http: Option<XmlHttpRequest>,
}

/// What a queue has done and has yet to do, in bytes and files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    pub files: usize,
    pub done: usize,
    pub failed: usize,
    pub active: usize,
    /// Active ones on their way right now.
    pub sending: usize,
    pub paused: usize,
    /// Active ones whose connection was lost.
    pub lost: usize,
    pub bytes: f64,
    pub sent: f64,
    /// In bytes a second; 0 where it is not known.
    pub rate: f64,
}

/// All queues, by the address they fill; provided once, by the app.
#[derive(Clone)]
pub struct Uploads {
    owner: Owner,
    queues: RwSignal<Vec<(Place, Queue)>>,
}

impl Uploads {
    pub fn new() -> Self {
        notes::purge();
        let owner = Owner::current().expect("the app is an owner");
        let uploads = Self { owner, queues: RwSignal::new(Vec::new()) };
        let queues = uploads.queues;
        let online = window_event_listener(leptos::ev::online, move |_| {
            for (_, queue) in queues.get_untracked() {
                queue.go_on_with(|progress| *progress == Progress::Lost);
            }
        });
        on_cleanup(move || online.remove());
        uploads
    }

    /// The queue that fills a place.
    pub fn queue(&self, place: Place) -> Queue {
        let found = self.queues.with_untracked(|queues| {
            queues.iter().find(|(other, _)| other.base == place.base).map(|(_, queue)| *queue)
        });
        found.unwrap_or_else(|| {
            let queue = self.owner.with(|| Queue::new(place.base.clone()));
            self.queues.update(|queues| queues.push((place, queue)));
            queue
        })
    }

    /// What is not over, or has failed, and where; reactive.
    pub fn unfinished(&self) -> Vec<(Place, Total)> {
        let queues = self.queues.get().into_iter().map(|(place, queue)| (place, queue.total()));
        queues.filter(|(_, total)| total.active + total.paused + total.failed > 0).collect()
    }

    /// Ends and forgets everything, for somebody else is about to be here.
    pub fn abandon(&self) {
        for (_, queue) in self.queues.get_untracked() {
            queue.abandon();
        }
    }

    /// Whether anything is on its way or waiting.
    pub fn busy(&self) -> bool {
        let unfinished = untrack(|| self.unfinished());
        unfinished.iter().any(|(_, total)| total.active + total.paused > 0)
    }
}

impl Queue {
    fn new(base: String) -> Self {
        Self {
            base: StoredValue::new(base),
            uploads: RwSignal::new(Vec::new()),
            finished: RwSignal::new(0),
            meter: RwSignal::new(Meter::default()),
            files: StoredValue::new_local(HashMap::new()),
            running: StoredValue::new_local(HashMap::new()),
            last_run: StoredValue::new(0),
        }
    }

    /// Adds files below `folder` and starts. A file whose path is already under way is not added.
    pub fn add(self, folder: &str, picked: Vec<Picked>) {
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
                uploads.push(Upload {
                    id: next_id,
                    path,
                    size: file.size(),
                    progress: ArcRwSignal::new(Progress::Waiting),
                    sent: ArcRwSignal::new(0.0),
                    meter: ArcRwSignal::new(Meter::default()),
                });
                self.files.update_value(|files| {
                    files.insert(next_id, file);
                });
                next_id += 1;
            }
        });
        self.pump();
    }

    /// The paths of what is on its way or waiting: of what was cancelled or has failed, none.
    pub fn unfinished(self) -> Vec<String> {
        let uploads = self.uploads.get_untracked().into_iter();
        let unfinished = uploads.filter(|upload| !is_over(&upload.progress.get_untracked()));
        unfinished.map(|upload| upload.path).collect()
    }

    /// Stops one file until it is resumed. What has arrived of it stays.
    pub fn pause(self, id: u64) {
        self.stop(id, Progress::Paused);
    }

    pub fn pause_all(self) {
        // The last first: what waits must not start only to be stopped.
        for upload in self.uploads.get_untracked().into_iter().rev() {
            self.pause(upload.id);
        }
    }

    /// Stops one file for good. What had arrived of it is thrown away by the server.
    pub fn cancel(self, id: u64) {
        if self.stop(id, Progress::Cancelled)
            && let Some(job) = self.job(id)
        {
            spawn_local(async move { send::terminate(&job).await });
        }
    }

    pub fn cancel_all(self) {
        for upload in self.uploads.get_untracked().into_iter().rev() {
            self.cancel(upload.id);
        }
    }

    /// Goes on with one file that was paused, failed, lost its connection or was cancelled.
    pub fn resume(self, id: u64) {
        if let Some(upload) = self.find(id) {
            self.take_out(id);
            upload.progress.set(Progress::Waiting);
            self.pump();
        }
    }

    pub fn resume_all(self) {
        self.go_on_with(|progress| matches!(progress, Progress::Paused | Progress::Lost));
    }

    pub fn retry_failed(self) {
        self.go_on_with(|progress| matches!(progress, Progress::Failed(_)));
    }

    fn go_on_with(self, which: impl Fn(&Progress) -> bool) {
        for upload in self.uploads.get_untracked() {
            if which(&upload.progress.get_untracked()) {
                self.take_out(upload.id);
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

    /// Ends and forgets every file. The server is not asked to throw away what arrived, since it would take that for the
    /// wish of whoever is signed in now: it expires there.
    fn abandon(self) {
        let running: Vec<u64> =
            self.running.with_value(|running| running.keys().copied().collect());
        for id in running {
            self.take_out(id);
        }
        self.files.set_value(HashMap::new());
        self.uploads.set(Vec::new());
        self.meter.set(Meter::default());
    }

    /// Sums over all files that were not cancelled; reactive.
    pub fn total(self) -> Total {
        let mut total = Total { rate: self.meter.read().rate(), ..Total::default() };
        for upload in self.uploads.read().iter() {
            let sent = upload.sent.get();
            total.sent += match &*upload.progress.read() {
                Progress::Cancelled => continue,
                Progress::Waiting => {
                    total.active += 1;
                    sent
                }
                Progress::Sending => {
                    total.active += 1;
                    total.sending += 1;
                    sent
                }
                Progress::Lost => {
                    total.active += 1;
                    total.lost += 1;
                    sent
                }
                Progress::Paused => {
                    total.paused += 1;
                    sent
                }
                Progress::Done => {
                    total.done += 1;
                    upload.size
                }
                Progress::Failed(_) => {
                    total.failed += 1;
                    sent
                }
            };
            total.files += 1;
            total.bytes += upload.size;
        }
        total
    }

    fn find(self, id: u64) -> Option<Upload> {
        self.uploads.with_untracked(|uploads| uploads.iter().find(|u| u.id == id).cloned())
    }

    fn job(self, id: u64) -> Option<Job> {
        let file = self.files.with_value(|files| files.get(&id).cloned())?;
        Some(Job { base: self.base.get_value(), path: self.find(id)?.path, file })
    }

    /// Ends what is done about a file, unless that is over; returns whether it was not.
    fn stop(self, id: u64, progress: Progress) -> bool {
        let Some(upload) = self.find(id) else { return false };
        let over = is_over(&upload.progress.get_untracked());
        if !over {
            upload.progress.set(progress);
            self.take_out(id);
            self.pump();
        }
        !over
    }

    fn take_out(self, id: u64) {
        let running = self.running.try_update_value(|running| running.remove(&id)).flatten();
        if let Some(http) = running.and_then(|running| running.http) {
            // An aborted request that was already over is none.
            let _ = http.abort();
        }
    }

    /// Starts waiting files while there is room.
    fn pump(self) {
        while self.running.with_value(HashMap::len) < PARALLEL {
            let next = self.uploads.with_untracked(|uploads| {
                uploads
                    .iter()
                    .find(|upload| upload.progress.get_untracked() == Progress::Waiting)
                    .cloned()
            });
            let Some(upload) = next else { return };
            let Some(job) = self.job(upload.id) else {
                upload.progress.set(Progress::Failed(
                    "The browser no longer has this file. Choose it again.".into(),
                ));
                continue;
            };
            let run = self.last_run.get_value() + 1;
            self.last_run.set_value(run);
            self.running.update_value(|running| {
                running.insert(upload.id, Running { run, http: None });
            });
            upload.progress.set(Progress::Sending);
            let attempt = Rc::new(Attempt { queue: self, upload, run });
            spawn_local(attempt.carry_out(job));
        }
    }
}

/// One file on its way, until somebody stops it.
pub struct Attempt {
    queue: Queue,
    upload: Upload,
    run: u64,
}

impl Attempt {
    async fn carry_out(self: Rc<Self>, job: Job) {
        let mut losses = 0;
        let end = loop {
            let before = self.upload.sent.get_untracked();
            let outcome = send::send(&job, &self).await;
            if !self.goes_on() {
                return;
            }
            match outcome {
                Ok(()) => break Progress::Done,
                Err(Stop::Refused(reason)) => break Progress::Failed(reason),
                Err(Stop::Lost) => {}
            }
            losses = if self.upload.sent.get_untracked() > before { 1 } else { losses + 1 };
            if losses > ATTEMPTS {
                break Progress::Failed(LOST.to_owned());
            }
            self.upload.progress.set(Progress::Lost);
            TimeoutFuture::new((500 << losses.min(8)).min(LONGEST_WAIT)).await;
            if !self.goes_on() {
                return;
            }
            self.upload.progress.set(Progress::Sending);
        };
        let Self { queue, upload, .. } = &*self;
        queue.take_out(upload.id);
        let done = end == Progress::Done;
        upload.progress.set(end);
        if done {
            queue.files.update_value(|files| {
                files.remove(&upload.id);
            });
            queue.finished.update(|finished| *finished += 1);
        }
        queue.pump();
    }

    /// Whether nobody has stopped it.
    fn goes_on(&self) -> bool {
        let run = self.queue.running.try_with_value(|running| {
            running.get(&self.upload.id).is_some_and(|running| running.run == self.run)
        });
        run == Some(true)
    }

    /// Has a request ended when the file is stopped.
    fn ends_with_me(&self, http: &XmlHttpRequest) {
        self.queue.running.update_value(|running| {
            if let Some(running) = running.get_mut(&self.upload.id) {
                running.http = Some(http.clone());
            }
        });
    }

    /// So many bytes were there already.
    fn begin_at(&self, offset: f64) {
        if self.goes_on() {
            self.upload.sent.set(offset);
        }
    }

    /// So many bytes are sent by now.
    fn report(&self, sent: f64) {
        if self.goes_on() {
            let more = sent - self.upload.sent.get_untracked();
            let now = js_sys::Date::now();
            self.upload.meter.update(|meter| meter.count(more, now));
            self.queue.meter.update(|meter| meter.count(more, now));
            self.upload.sent.set(sent.min(self.upload.size));
        }
    }
}

fn is_over(progress: &Progress) -> bool {
    matches!(progress, Progress::Done | Progress::Failed(_) | Progress::Cancelled)
}
