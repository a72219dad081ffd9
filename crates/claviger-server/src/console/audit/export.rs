//! The trail as a file, CSV or JSON lines: all events that a list would show, read a batch at a time and written as they are read, so that
//! one of any length costs the memory of a batch.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use claviger_core::Reach;
use claviger_store::{AuditEvent, AuditFilter, Page, StoreError};
use hyper::body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{reader::Reader, told::Event, wanted::Wanted};
use crate::{
    app::App,
    console::{page::go, query::Query, trouble::Trouble},
    manage::audit_event::AuditEventView,
    metrics::Guarded,
};

/// How many events are read at a time.
const BATCH: u32 = 500;

/// The columns of a table.
const COLUMNS: &str =
    "id,at,organization_id,seq,action,actor_type,actor_id,credential,target,address,request_id,details,personal\r\n";

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// `GET …/audit/export.csv`.
pub(crate) async fn csv(
    State(app): State<App>,
    reader: Reader,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    export(app, &reader, &wanted, Format::Csv).await
}

/// `GET …/audit/export.jsonl`: each line as `GET /v1/audit-events` has it.
pub(crate) async fn json_lines(
    State(app): State<App>,
    reader: Reader,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    export(app, &reader, &wanted, Format::JsonLines).await
}

async fn export(app: App, reader: &Reader, wanted: &Wanted, format: Format) -> Result<Response, Trouble> {
    let meant = wanted.meant(reader, &app, &reader.frame(&app).await?).await?;
    if !meant.wrong.is_empty() {
        // The list says what is wrong.
        return Ok(go(&wanted.address(&reader.path(), &[]), []));
    }
    app.throttle.exports(reader.session.user(), app.now()).map_err(|wait| app.throttled(Guarded::Audit, wait))?;
    let (media_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        Format::JsonLines => ("application/jsonl; charset=utf-8", "jsonl"),
    };
    let whose = reader.here.as_ref().map_or("instance", |here| here.organization.slug.as_str());
    let day = app.now().strftime("%Y-%m-%d").to_string();
    let name = HeaderValue::from_str(&format!("attachment; filename=\"audit-{whose}-{day}.{ending}\""));
    let (sender, parts) = mpsc::channel(1);
    tokio::spawn(write(app, reader.reach(), meant.filter, format, sender));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_DISPOSITION, name.unwrap_or(HeaderValue::from_static("attachment"))),
    ];
    Ok((headers, Body::new(Parts(parts))).into_response())
}

async fn write(
    app: App,
    reach: Reach,
    filter: AuditFilter,
    format: Format,
    sender: mpsc::Sender<Result<Bytes, StoreError>>,
) {
    let (mut after, mut text) = (None, String::new());
    if format == Format::Csv {
        text.push_str(COLUMNS);
    }
    loop {
        let found = match app.store.within(reach).audit_events(&filter, &Page { after, limit: BATCH }).await {
            Ok(found) => found,
            // The connection breaks off, so that nobody takes a part for the whole.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an export of the audit trail broke off");
                sender.send(Err(error)).await.ok();
                return;
            }
        };
        let more = found.len() == BATCH as usize;
        after = found.last().map(|last| last.id).or(after);
        found.into_iter().for_each(|event| format.add(event, &mut text));
        // Nobody takes it any more, or there is no more.
        if sender.send(Ok(std::mem::take(&mut text).into())).await.is_err() || !more {
            return;
        }
    }
}

impl Format {
    fn add(self, event: AuditEvent, text: &mut String) {
        match self {
            Self::Csv => add_row(&Event::read(event), text),
            Self::JsonLines => match serde_json::to_string(&AuditEventView::from(event)) {
                Ok(line) => {
                    text.push_str(&line);
                    text.push('\n');
                }
                Err(error) => tracing::error!(%error, "an event could not be written; this is a defect"),
            },
        }
    }
}

fn add_row(event: &Event, text: &mut String) {
    let member = |name: &str| match event.record.get(name) {
        Some(Value::String(value)) => value.clone(),
        Some(Value::Null) | None => String::new(),
        Some(value) => value.to_string(),
    };
    let actor = event.record.get("actor").unwrap_or(&Value::Null);
    let of_actor = |name: &str| actor[name].as_str().unwrap_or_default().to_owned();
    let personal = if event.personal.is_null() { String::new() } else { event.personal.to_string() };
    let cells = [
        event.stored.id.to_string(),
        member("at"),
        event.stored.chain.organization().map(|id| id.to_string()).unwrap_or_default(),
        member("seq"),
        member("action"),
        of_actor("type"),
        of_actor("id"),
        of_actor("credential"),
        member("target"),
        event.stored.address.clone().unwrap_or_default(),
        member("request_id"),
        // Where a list is separated by semicolons, one of a name would begin a cell: in JSON it can be written otherwise.
        member("details").replace(';', "\\u003b"),
        personal.replace(';', "\\u003b"),
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    text.push_str(&cells.join(","));
    text.push_str("\r\n");
}

/// A cell (RFC 4180, section 2). What a program that opens the table would take for a formula begins with an apostrophe.
fn quoted(cell: &str) -> String {
    let first = cell.trim_start_matches([' ', '\u{a0}', '\u{feff}']).chars().next();
    let is_formula = first.is_some_and(|first| "=+-@\t\r\n|%＝＋－＠".contains(first));
    let apostrophe = if is_formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", cell.replace('"', "\"\""))
}

/// A body that ends with what is written, or breaks off.
struct Parts(mpsc::Receiver<Result<Bytes, StoreError>>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        let check = |cell: &str, expected: &str| assert_eq!(quoted(cell), expected);
        check("plain, \"quoted\"\r\nand long", "\"plain, \"\"quoted\"\"\r\nand long\"");
        check("", "\"\"");
        for evil in ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1"] {
            check(evil, &format!("\"'{evil}\""));
        }
        check("key_1=2", "\"key_1=2\"");
    }
}
