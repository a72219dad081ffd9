//! Forms that make something: however often one is sent, it happens once. The address of what it made is kept and a secret is not, so that
//! whoever sends it again, by coming back or by a second click, comes to what was made.

use axum::{http::StatusCode, response::Response};
use claviger_core::Event;
use claviger_store::{IdempotencyKey, Remembered, StoreError, Tx};
use jiff::Timestamp;
use rand::Rng as _;

use crate::{
    app::App,
    console::{form::Fields, page::go_and_tell, trouble::Trouble},
    session::{Session, hex},
};

const LENGTH: usize = 32;

/// One showing of such a form.
pub(crate) struct Once {
    key: IdempotencyKey,
}

impl Once {
    /// What the form carries.
    pub(crate) fn field(app: &App) -> String {
        let mut bytes = [0; LENGTH / 2];
        app.rng().fill_bytes(&mut bytes);
        hex(&bytes)
    }

    /// The form that was sent, by whom and for what.
    pub(crate) fn of(app: &App, session: &Session, about: &str, fields: &Fields) -> Result<Self, Trouble> {
        let once = fields.value("once");
        if once.len() != LENGTH || !once.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Trouble::Form);
        }
        let user = session.user().to_string();
        let key = app.peppers.keyed_hash("form", &[user.as_bytes(), about.as_bytes(), once.as_bytes()]);
        Ok(Self { key: IdempotencyKey { key, body: key } })
    }

    /// Whether it was sent before.
    pub(crate) async fn was_sent(&self, app: &App) -> Result<bool, StoreError> {
        Ok(app.store.remembered(&self.key.key).await?.is_some())
    }

    /// What is kept of it: where it leads.
    pub(crate) fn remembered(&self, path: String) -> Remembered {
        Remembered {
            request: self.key,
            status: StatusCode::SEE_OTHER.as_u16(),
            location: Some(path),
            answer: String::new(),
        }
    }

    /// To what was made of it, if it was sent before.
    pub(crate) async fn done(&self, app: &App) -> Result<Option<Response>, StoreError> {
        let kept = app.store.remembered(&self.key.key).await?;
        Ok(kept.and_then(|kept| kept.location).map(|path| go_and_tell(&path, "once", [])))
    }

    /// Commits what the form asked for. If it was sent twice at once, one of them made it, and the other is led there.
    pub(crate) async fn commit(
        &self,
        app: &App,
        tx: Tx<'_>,
        event: Event,
        path: String,
        now: Timestamp,
    ) -> Result<Option<Response>, Trouble> {
        let answer = self.remembered(path);
        match tx.commit_answering(event, Some(&answer), now, &mut app.rng()).await {
            Ok(()) => Ok(None),
            Err(StoreError::Taken(_)) => {
                // Where what the other made cannot be read yet, its list will have it.
                let list =
                    answer.location.as_deref().and_then(|path| path.rsplit_once('/')).map_or("/", |(list, _)| list);
                let there = self.done(app).await?;
                Ok(Some(there.unwrap_or_else(|| go_and_tell(list, "once", []))))
            }
            Err(error) => Err(error.into()),
        }
    }
}
