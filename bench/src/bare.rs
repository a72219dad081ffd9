//! The server to compare with: axum that answers what Claviger answered, byte for byte, and thinks nothing.
//!
//! It reads no body and no header of a request, so it is the least that an axum server can cost.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue},
    routing::any,
    serve::ListenerExt as _,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{
    Result,
    process::{Core, Process, free_port},
};

/// What hyper writes by itself.
const AUTOMATIC: [&str; 2] = ["content-length", "date"];

#[derive(Debug, clap::Args)]
pub(crate) struct Bare {
    #[arg(long)]
    port: u16,
    /// A JSON file: the answer for each path
    #[arg(long)]
    answers: PathBuf,
}

/// A fixed 200.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    /// The same answer as this one.
    pub(crate) fn like(response: reqwest::blocking::Response) -> Result<Self> {
        let mut headers = Vec::new();
        for (name, value) in response.headers() {
            if !AUTOMATIC.contains(&name.as_str()) {
                headers.push((name.as_str().to_owned(), value.to_str()?.to_owned()));
            }
        }
        Ok(Self { headers, body: response.text()? })
    }

    fn parts(self) -> Result<(HeaderMap, Bytes)> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            headers.insert(name.parse::<HeaderName>()?, HeaderValue::try_from(value)?);
        }
        Ok((headers, self.body.into()))
    }
}

/// Starts one with an answer for each path; on which port, it says.
pub(crate) fn start(core: Core, answers: &BTreeMap<&str, Answer>, scratch: &Path) -> Result<(Process, u16)> {
    let port = free_port()?;
    let file = scratch.join(format!("answers-{port}"));
    fs::write(&file, serde_json::to_vec(answers)?)?;
    let mut command = core.command(std::env::current_exe()?);
    command.args(["bare", "--port", &port.to_string(), "--answers"]).arg(file);
    let mut process = Process::spawn(&mut command)?;
    process.ready(port, answers.keys().next().ok_or("a bare server needs an answer")?)?;
    Ok((process, port))
}

pub(crate) fn serve(bare: &Bare) -> Result<ExitCode> {
    let answers: BTreeMap<String, Answer> = serde_json::from_str(&fs::read_to_string(&bare.answers)?)?;
    let mut routes = Router::new();
    for (path, answer) in answers {
        let (headers, body) = answer.parts()?;
        routes = routes.route(&path, any(async move || (headers.clone(), body.clone())));
    }
    // As Claviger's.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", bare.port)).await?;
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, routes).await?;
        Ok(ExitCode::SUCCESS)
    })
}
