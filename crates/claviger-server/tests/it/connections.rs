//! Clients that take their time: they lose their connection, and nobody else notices.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    app::{TestApp, instant},
    database::Engine,
};

/// What `serve.rs` grants to the first head and to a body, and a little.
const HEAD: Duration = Duration::from_secs(7);
const BODY: Duration = Duration::from_secs(12);

/// What such a client gets until the server closes the connection.
async fn answer_to(app: &TestApp, sent: &str, bound: Duration) -> String {
    let mut stream = TcpStream::connect(app.public).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(bound, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "still open after {bound:?}: {sent:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_does_not_finish_its_request_is_disconnected_while_others_are_served() {
    crate::app::run(Engine::Sqlite, async |app: &TestApp| {
        let healthy = async {
            let began = instant();
            while began.elapsed() < HEAD {
                let asked = instant();
                let reply = app.request(Method::GET, app.public, "/health/live").send().await.unwrap();
                assert_eq!(reply.status(), StatusCode::OK);
                assert!(asked.elapsed() < Duration::from_secs(1));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let body =
            "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{";
        let (nothing, head, preface, body, ()) = tokio::join!(
            answer_to(app, "", HEAD),
            answer_to(app, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow", HEAD),
            answer_to(app, "PRI * HTTP/2", HEAD),
            answer_to(app, body, BODY),
            healthy,
        );
        assert_eq!((nothing.as_str(), head.as_str(), preface.as_str()), ("", "", ""));
        assert!(body.starts_with("HTTP/1.1 4"), "{body}");
    });
}

#[test]
fn a_connection_that_was_used_may_pause() {
    crate::app::run(Engine::Sqlite, async |app: &TestApp| {
        let mut stream = TcpStream::connect(app.internal).await.unwrap();
        for pause in [Duration::ZERO, HEAD] {
            tokio::time::sleep(pause).await;
            stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 1000];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        }
    });
}
