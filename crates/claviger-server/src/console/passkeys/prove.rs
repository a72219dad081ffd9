//! `/sign-in/passkey` and `/sign-in/again/passkey`: somebody proves who they are by a passkey, and needs nothing else.
//!
//! Nobody says who they are before: the passkey does. Whether it is unknown, removed, of somebody who is disabled, or not theirs, the answer is
//! the same. What does not count is counted afterwards: a signature needs no protection from guessing, and whoever has the passkey is
//! never kept out by others.

use axum::{extract::State, response::Response};
use claviger_core::{Authenticators, Passkey, PasskeyAssertion, PasskeyError, SignInMethod};
use claviger_store::StoreError;

use super::{
    Proof, bytes,
    challenge::{Ceremony, Challenge},
};
use crate::{
    app::App,
    console::{
        again,
        form::{Fields, SessionForm, VisitForm},
        page::go,
        sign_in::{self, Second, open, tell_behind, tell_failure},
        trouble::Trouble,
        visit::Visit,
    },
    cookies::Cookie,
    metrics::Guarded,
};

/// The key of what is said of an answer that came too late, or twice.
const LATE: &str = "passkey-late";
/// The key of what is said of every other one that does not count.
const REFUSED: &str = "passkey-refused";

/// What somebody proved, and who that is.
struct Proved {
    user: Authenticators,
    proof: Proof,
}

/// `POST /sign-in/passkey` with what a browser answers, and perhaps `next`.
pub(crate) async fn submit(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, session } = form;
    let form = |wrong| sign_in::with_passkey(&app, &visit, fields.next(), wrong);
    app.relying_party().ok_or(Trouble::Absent)?;
    let Some(challenge) = Challenge::of(&app, Ceremony::SignIn, &fields) else { return Ok(form(LATE)) };
    let found = app.store.passkey_by_credential(&bytes(&fields, "credential")).await?;
    let proved = match found {
        Some(passkey) => proved(&app, &visit, &fields, passkey, &challenge, false).await?,
        None => None,
    };
    let Some(Proved { user, proof }) = proved else {
        app.throttle
            .passkey_failed(visit.from.address, app.now())
            .map_err(|wait| app.throttled(Guarded::SignIn, wait))?;
        return Ok(form(REFUSED));
    };
    if !challenge.use_up(&app).await? {
        return Ok(form(LATE));
    }
    let second = Second::Passkey(Box::new(proof));
    match open(&app, &visit, session, &user, SignInMethod::Passkey, second).await? {
        Some(cookies) => Ok(go(&fields.next(), cookies)),
        // Removed, or used further, in between.
        None => Ok(form(REFUSED)),
    }
}

/// `POST /sign-in/again/passkey` with what a browser answers, and perhaps `next`.
pub(crate) async fn again(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    let form = |wrong| again::with_passkey(&app, &visit, &session, fields.next(), wrong);
    app.relying_party().ok_or(Trouble::Absent)?;
    let attempt = app.attempt_in(&session, &visit);
    app.throttle.attempt(&attempt, app.now()).map_err(|wait| app.throttled(Guarded::Confirmation, wait))?;
    let Some(challenge) = Challenge::of(&app, Ceremony::Prove, &fields) else { return form(LATE).await };
    let found = app.store.passkey_by_credential(&bytes(&fields, "credential")).await?;
    let proved = match found.filter(|passkey| passkey.user == session.user()) {
        Some(passkey) => proved(&app, &visit, &fields, passkey, &challenge, true).await?,
        None => None,
    };
    let Some(Proved { user, proof }) = proved else { return form(REFUSED).await };
    if !challenge.use_up(&app).await? {
        return form(LATE).await;
    }
    let now = app.now();
    let (new, secret, mut event) = session.found().session.clone().prove(SignInMethod::Passkey, now, &mut app.rng());
    proof.tell(&mut event);
    let mut tx = app.store.begin(session.by()).await?;
    tx.authenticators(user.user).await?;
    if !proof.use_up(&mut tx).await? {
        drop(tx);
        return form(REFUSED).await;
    }
    if !tx.renew_session(&new, &app.peppers.digest(&secret.hash())).await? {
        return Err(Trouble::NotSignedIn { next: fields.next() });
    }
    tx.commit(event, now, &mut app.rng()).await?;
    app.throttle.succeeded(&attempt);
    Ok(go(&fields.next(), [Cookie::Session.set(secret.expose(), visit.secure)]))
}

/// What a browser's answer proves of this passkey; nothing if it does not count, which is told in the audit trail.
async fn proved(
    app: &App,
    visit: &Visit,
    fields: &Fields,
    passkey: Passkey,
    challenge: &Challenge,
    user_known: bool,
) -> Result<Option<Proved>, StoreError> {
    let Some(user) = app.store.authenticators(passkey.user).await?.filter(|user| !user.disabled) else {
        return Ok(None);
    };
    let Some(here) = app.relying_party() else { return Ok(None) };
    let [client_data, authenticator_data, signature, handle] =
        ["client_data", "authenticator_data", "signature", "user_handle"].map(|name| bytes(fields, name));
    let assertion = PasskeyAssertion {
        client_data: &client_data,
        authenticator_data: &authenticator_data,
        signature: &signature,
        user_handle: (!fields.value("user_handle").is_empty()).then_some(handle.as_slice()),
        user_known,
    };
    match assertion.judge(&passkey, &here, challenge.bytes()) {
        Ok(how) => {
            let after = passkey.clone().used(how, app.now());
            Ok(Some(Proved { user, proof: Proof { before: passkey, after } }))
        }
        Err(error) => {
            tracing::info!(%error, passkey = %passkey.id, "a passkey did not count");
            let account = app.account(&user.email.to_lowercase());
            if error != PasskeyError::Counter {
                tell_failure(app, visit, &user, account, "passkey");
            } else if app.throttle.is_copy_to_be_told(account, app.now()) {
                tell_behind(app, visit, user.sign_in_failed("passkey_copied"));
            }
            Ok(None)
        }
    }
}
