//! A page that asks once more before something ends or is taken away: it says what follows, and does nothing yet.

use askama::Template;
use axum::response::Response;

use super::{
    page::{Frame, page},
    sheet::Way,
};
use crate::{app::App, session::hex};

#[derive(Template)]
#[template(path = "ask.html")]
pub(crate) struct AskPage {
    pub(crate) frame: Frame,
    pub(crate) back: Way,
    pub(crate) title: String,
    /// What it is about.
    pub(crate) name: String,
    pub(crate) warning: String,
    pub(crate) follows: Vec<Fact>,
    pub(crate) action: String,
    pub(crate) hidden: Vec<(&'static str, String)>,
    pub(crate) button: String,
    /// Whether it stands between a form and its change: one goes back to the form then, with what was typed.
    pub(crate) of_form: bool,
}

/// One of the things that follow; without entries, it is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) label: String,
    pub(crate) entries: Vec<String>,
}

impl Fact {
    /// A sentence.
    pub(crate) fn told(label: String) -> Self {
        Self { label, entries: Vec::new() }
    }

    /// A list, unless it is empty.
    pub(crate) fn listed(label: String, entries: Vec<String>) -> Option<Self> {
        (!entries.is_empty()).then_some(Self { label, entries })
    }

    /// What a form carries of what was said to follow: if it is not the same any more, it is asked again.
    pub(crate) fn mark(all: &[Self], app: &App) -> String {
        let texts = all.iter().flat_map(|one| [&one.label].into_iter().chain(&one.entries));
        let parts: Vec<&[u8]> = texts.map(String::as_bytes).collect();
        hex(&app.peppers.keyed_hash("asked", &parts))
    }
}

impl AskPage {
    pub(crate) fn shown(&self) -> Response {
        page(self, [])
    }
}
