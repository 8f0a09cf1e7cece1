//! Where messages go, and where they do not.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use model_registry::outbound::Outbound;
use model_registry::time::Clock;
use serde_json::json;

use super::receiver::Receiver;
use super::{CREATE, set_tag, until, with_model};
use crate::harness::{Server, serve_config};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_the_operator_did_not_allow_it() {
    let server = Server::start().await;
    let admin = with_model(&server).await;
    for url in [
        "https://127.0.0.1/x",
        "http://ci.example.org/x",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://a:b@ci.example.org/",
    ] {
        let input = json!({ "project": "vision", "name": "ci", "url": url, "events": ["*"] });
        let refused = admin.refused(CREATE, json!({ "input": input })).await;
        assert_eq!((refused.code.as_str(), refused.field.as_str()), ("INVALID", "url"), "{url}");
    }
    let input =
        json!({ "project": "vision", "name": "ci", "url": "https://localhost/x", "events": ["*"] });
    let made = admin.ok(CREATE, json!({ "input": input })).await["createWebhook"].clone();
    set_tag(&admin, "1").await;
    let state = until(&admin, &made, |state| {
        state["deliveries"]["nodes"][0]["attempts"][0]["error"].is_string()
    })
    .await;
    let error =
        state["deliveries"]["nodes"][0]["attempts"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("--webhook-allow"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_and_checked_for_each_attempt() {
    let receiver = Receiver::start().await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let answers: Arc<Mutex<Vec<Vec<IpAddr>>>> = Arc::default();
    let told =
        |answer: &[&str]| answer.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    // Taken from the end.
    *answers.lock().unwrap() = vec![
        told(&["169.254.169.254"]),
        told(&["127.0.0.1"]),
        told(&["10.0.0.1", "::1", "127.0.0.1"]),
    ];
    let config = serve_config(["model-registry", "serve", "--webhook-allow", "127.0.0.1"].iter());
    let look_up = {
        let answers = answers.clone();
        move |_: String| -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
            let answer = answers.lock().unwrap().pop().unwrap();
            Box::pin(async move { Ok(answer) })
        }
    };
    let outbound = Outbound::resolving(&config, Arc::new(look_up));
    let url = format!("http://rebinding.example:{port}");
    let send = async || {
        outbound.post(&url, Default::default(), "{}".to_owned(), Clock::System.now()).await
    };
    for _ in 0..2 {
        assert_eq!(
            send().await.answer.unwrap().status,
            200,
            "only the address that is allowed is tried"
        );
    }
    let refused = send().await.answer.unwrap_err();
    assert!(refused.contains("not a public address"), "{refused}");
    assert_eq!(receiver.all().len(), 2);
    // An address never reaches the resolver.
    let refused = outbound
        .post("http://169.254.169.254/", Default::default(), String::new(), Clock::System.now())
        .await;
    assert!(refused.answer.unwrap_err().contains("--webhook-allow"));
}
