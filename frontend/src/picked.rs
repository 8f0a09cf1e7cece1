//! Files that a person dropped or picked, with the folders they were in.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransfer, File, FileList, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry,
};

/// A file and where it was below what was dropped: `onnx/model.onnx`.
#[derive(Clone)]
pub struct Picked {
    pub path: String,
    pub file: File,
}

impl Picked {
    fn new(path: &str, file: File) -> Self {
        // The registry keeps paths in NFC; macOS hands out NFD.
        let path = js_sys::JsString::from(path).normalize("NFC").into();
        Self { path, file }
    }
}

/// The files of an `<input type="file">`, with `webkitdirectory` or without.
pub fn from_list(list: &FileList) -> Vec<Picked> {
    (0..list.length())
        .filter_map(|index| list.get(index))
        .map(|file| {
            let relative = Reflect::get(&file, &"webkitRelativePath".into())
                .ok()
                .and_then(|path| path.as_string())
                .filter(|path| !path.is_empty());
            Picked::new(&relative.unwrap_or_else(|| file.name()), file)
        })
        .collect()
}

/// What was dropped: entries of the file system, and files that have none (made by a script).
pub struct Dropped {
    entries: Vec<FileSystemEntry>,
    files: Vec<File>,
}

impl Dropped {
    /// To be called inside the event: afterwards the browser has emptied `transfer`.
    pub fn new(transfer: &DataTransfer) -> Self {
        let items = transfer.items();
        let mut dropped = Self { entries: Vec::new(), files: Vec::new() };
        for item in (0..items.length()).filter_map(|index| items.get(index)) {
            if let Ok(Some(entry)) = item.webkit_get_as_entry() {
                dropped.entries.push(entry);
            } else if let Ok(Some(file)) = item.get_as_file() {
                dropped.files.push(file);
            }
        }
        dropped
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.files.is_empty()
    }

    /// All files, also those in and below folders.
    pub async fn read(self) -> Result<Vec<Picked>, JsValue> {
        let mut picked: Vec<Picked> =
            self.files.into_iter().map(|file| Picked::new(&file.name(), file)).collect();
        let mut waiting = self.entries;
        while let Some(entry) = waiting.pop() {
            if entry.is_directory() {
                waiting.extend(children(entry.unchecked_ref()).await?);
            } else {
                let path = entry.full_path();
                let file = file(entry.unchecked_ref()).await?;
                picked.push(Picked::new(path.trim_start_matches('/'), file));
            }
        }
        picked.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(picked)
    }
}

async fn file(entry: &FileSystemFileEntry) -> Result<File, JsValue> {
    let file = promise(|resolve, reject| entry.file_with_callback_and_callback(resolve, reject));
    file.await?.dyn_into()
}

/// What is directly in a folder. The browser hands it out in portions, the last one empty.
async fn children(folder: &FileSystemDirectoryEntry) -> Result<Vec<FileSystemEntry>, JsValue> {
    let reader = folder.create_reader();
    let mut children = Vec::new();
    loop {
        let portion = promise(|resolve, reject| {
            // A refusal arrives through `reject`.
            let _ = reader.read_entries_with_callback_and_callback(resolve, reject);
        });
        let portion = Array::from(&portion.await?);
        if portion.length() == 0 {
            return Ok(children);
        }
        children.extend(portion.iter().map(JsCast::unchecked_into::<FileSystemEntry>));
    }
}

fn promise(start: impl FnOnce(&Function, &Function)) -> JsFuture {
    let mut start = Some(start);
    JsFuture::from(Promise::new(&mut |resolve, reject| {
        if let Some(start) = start.take() {
            start(&resolve, &reject);
        }
    }))
}
