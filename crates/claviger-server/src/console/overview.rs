//! `/organizations/{organization}`: what is there, what wants to be looked at, and how much is used.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{CredentialStatus, Kind, Reach, permission};
use claviger_store::{CountedAmong, CredentialFilter, StatusAt};

use super::{
    api_keys::list::{IDLE, SOON, endless, idle, rolling, soon},
    first_run,
    inside::Inside,
    page::{Frame, page},
    query::Query,
    trouble::Trouble,
    usage::{Boxes, window::Wanted},
};
use crate::app::App;

/// How far keys are counted, and among how many: beyond that, how many there are takes long to know and changes nothing.
const MOST: u32 = 1000;
const LOOKED_AT: u32 = 5000;

#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct OverviewPage {
    pub(super) frame: Frame,
    pub(super) organization: String,
    /// Address and words of each thing to look at.
    pub(super) attention: Vec<(String, String)>,
    /// Whether all was looked at, so that nothing to look at is nothing.
    pub(super) is_all: bool,
    /// How many API keys work, in numbers and in words; `None`: that is not theirs to know.
    pub(super) keys: Option<(usize, String)>,
    pub(super) keys_path: String,
    /// Whether they may make one.
    pub(super) makes: bool,
    /// Whether they set up the instance, in which nothing is yet.
    pub(super) sets_up: bool,
    /// How much is used here; `None`: that is not theirs to know.
    pub(super) boxes: Option<Boxes>,
}

impl OverviewPage {
    pub(super) fn active(&self) -> usize {
        self.keys.as_ref().map_or(0, |(number, _)| *number)
    }
}

/// `GET /organizations/{organization}`.
pub(super) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (here, now) = (&inside.here, app.now());
    let frame = Frame::inside(&inside.session, &inside.visit, &app, Some(here)).await?;
    let keys_path = here.path("/api-keys");
    let (mut attention, mut is_all, mut keys) = (Vec::new(), true, None);
    let waiting = frame.shell().map(|shell| shell.waiting).unwrap_or_default();
    if waiting > 0 {
        attention.push(("/approvals".to_owned(), frame.text_counting("approvals-waiting", waiting)));
    }
    if here.person.may(permission::API_KEYS_READ) {
        let organization = here.organization.id;
        let mut view = app.store.within(Reach::Organization(organization));
        let all = || CredentialFilter {
            kind: Some(Kind::ApiKey),
            organization: Some(organization),
            ..CredentialFilter::default()
        };
        let looked_at = [
            ("rolling", rolling(all(), now), "attention-rolling"),
            ("soon", soon(all(), now), "attention-soon"),
            ("idle", idle(all(), now), "attention-idle"),
            ("endless", endless(all(), now), "attention-endless"),
        ];
        for (state, filter, words) in looked_at {
            let counted = view.count_credentials_among(&filter, LOOKED_AT).await?;
            is_all &= !counted.more;
            if counted.number > 0 {
                attention.push((format!("{keys_path}?state={state}"), told(&frame, words, counted).1));
            }
        }
        let status = Some(StatusAt { status: CredentialStatus::Active, at: now });
        let active = view.count_credentials_among(&CredentialFilter { status, ..all() }, LOOKED_AT).await?;
        keys = Some(told(&frame, "overview-keys", active));
    }
    let makes = here.person.may(permission::API_KEYS_WRITE) && here.person.may(permission::SERVICE_ACCOUNTS_READ);
    let sets_up = first_run::sets_up(&here.person);
    let organization = here.organization.name.to_string();
    let boxes = Boxes::read(&inside.place(&app), wanted.window(), &frame).await?;
    let shown = OverviewPage { frame, organization, attention, is_all, keys, keys_path, makes, sets_up, boxes };
    Ok(page(&shown, []))
}

/// So many, or so many and more, in words too. Where not all were looked at, nobody says that there are none.
fn told(frame: &Frame, words: &str, counted: CountedAmong) -> (usize, String) {
    let (most, number) = (MOST as usize, usize::try_from(counted.number).unwrap_or_default());
    if counted.more || number > most {
        (number.max(1), frame.text_with(words, "count", format!("{}+", number.min(most))))
    } else {
        (number, frame.text_counting(words, number))
    }
}

/// The words speak of these numbers.
const _: () = assert!(SOON == 14 && IDLE == 90);
