//! One request that says how much of its body is sent, which `fetch` does not.

use js_sys::Promise;
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, ProgressEvent, XmlHttpRequest};

/// What is sent.
pub struct Request<'a> {
    pub method: &'a str,
    pub address: &'a str,
    pub headers: &'a [(&'a str, String)],
    pub body: Option<&'a Blob>,
}

/// What came back.
pub struct Answer {
    /// 0 where nothing did: the connection was lost, or the request ended.
    pub status: u16,
    http: XmlHttpRequest,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<String> {
        self.http.get_response_header(name).ok().flatten()
    }

    /// Why it was refused, in the registry's words.
    pub fn reason(&self) -> String {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let text = self.http.response_text().ok().flatten().unwrap_or_default();
        match serde_json::from_str::<Refusal>(&text) {
            Ok(refusal) => refusal.message,
            Err(_) => format!("The registry refused this file (HTTP {}).", self.status),
        }
    }
}

/// Sends it with `http`, by which it can be aborted; `on_progress` hears how many bytes of the body are sent.
pub async fn send(
    http: &XmlHttpRequest,
    request: Request<'_>,
    on_progress: impl FnMut(f64) + 'static,
) -> Result<Answer, JsValue> {
    http.open(request.method, request.address)?;
    for (name, value) in request.headers {
        http.set_request_header(name, value)?;
    }
    let mut on_progress = on_progress;
    let on_progress = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
        on_progress(event.loaded());
    });
    if request.body.is_some() {
        http.upload()?.set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
    }
    let ended = Promise::new(&mut |resolve, _| http.set_onloadend(Some(&resolve)));
    http.send_with_opt_blob(request.body)?;
    JsFuture::from(ended).await?;
    Ok(Answer { status: http.status().unwrap_or(0), http: http.clone() })
}
