//! `/sign-in/oidc`: signing in, or proving again who one is, through an outside OpenID Connect provider. What it says of
//! somebody is asked in `provider.rs`; whom that lets in is decided in `admission.rs`.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use claviger_core::{Claims, SignInMethod};
use serde::Deserialize;

use super::{
    admission::{admit, tell_refusal},
    departure::{Departure, Purpose},
    form::{SessionForm, VisitForm},
    page::{Frame, go, page},
    query::Query,
    sign_in::first_factor_proven,
    trouble::{ProviderTrouble, Trouble},
    visit::{Anybody, Visit},
};
use crate::{
    app::App,
    cookies::Cookie,
    metrics::Guarded,
    provider::{Provider, ProviderError},
    session::Session,
};

#[derive(Template)]
#[template(path = "departure.html")]
pub(super) struct DeparturePage {
    pub(super) frame: Frame,
    /// The provider's name.
    pub(super) name: String,
    /// Where it is.
    pub(super) address: String,
}

/// What a provider sends people back with (RFC 6749, section 4.1.2, and RFC 9207).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Back {
    code: String,
    state: String,
    error: String,
    iss: Option<String>,
}

/// `POST /sign-in/oidc` with perhaps `next`.
pub(crate) async fn depart(State(app): State<App>, form: VisitForm) -> Result<Response, Trouble> {
    let VisitForm { fields, visit, .. } = form;
    let departure = Departure::new(visit.known_visitor(), None, fields.next(), &app).ok_or(Trouble::Form)?;
    let (frame, _) = Frame::of_anybody(&visit, &app);
    leave(&app, &visit, frame, &departure).await
}

/// `POST /sign-in/oidc/again` with perhaps `next`.
pub(crate) async fn depart_again(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    let departure = Departure::new(None, Some(&session), fields.next(), &app).ok_or(Trouble::Form)?;
    let frame = Frame::of(&session, &visit, &app);
    leave(&app, &visit, frame, &departure).await
}

/// A page that leads on by itself. Browsers hold a redirect that answers a form to the policy `form-action`, wherever the
/// provider then leads; a page is bound by none.
async fn leave(app: &App, visit: &Visit, frame: Frame, departure: &Departure) -> Result<Response, Trouble> {
    let provider = provider(app)?;
    let address = provider.address(departure.handshake(app), departure.purpose == Purpose::Again).await;
    let address = address.map_err(|error| told(provider, &error))?;
    let name = provider.at.name.clone();
    let mut response = page(&DeparturePage { frame, name, address: address.to_string() }, [departure.cookie(visit)]);
    let refresh = HeaderValue::from_str(&format!("0; url={address}"));
    let refresh = refresh.map_err(|_| Trouble::Provider(ProviderTrouble::Unavailable))?;
    response.headers_mut().insert(header::REFRESH, refresh);
    Ok(response)
}

/// `GET /sign-in/oidc/callback`.
pub(crate) async fn arrive(
    State(app): State<App>,
    visit: Visit,
    Anybody(session): Anybody,
    Query(back): Query<Back>,
) -> Response {
    let cleared = Cookie::Departure.clear(visit.secure);
    let mut response = match arrived(&app, &visit, session, &back).await {
        Ok(response) => response,
        Err(trouble) => trouble.into_response(),
    };
    response.headers_mut().append(header::SET_COOKIE, cleared);
    response
}

async fn arrived(app: &App, visit: &Visit, session: Option<Session>, back: &Back) -> Result<Response, Trouble> {
    let provider = provider(app)?;
    let not_ours = Trouble::Provider(ProviderTrouble::NotOurs);
    let Some(departure) = Departure::returned(visit, session.as_ref(), &back.state, app) else { return Err(not_ours) };
    let is_from_it = back.iss.as_ref().is_none_or(|issuer| *issuer == provider.at.issuer);
    if !is_from_it || !departure.is_first_return(app) {
        return Err(not_ours);
    }
    // Each costs us questions to the provider.
    app.throttle
        .attempt_elsewhere(visit.from.address, app.now())
        .map_err(|wait| app.throttled(Guarded::Provider, wait))?;
    if !back.error.is_empty() || back.code.is_empty() {
        tracing::info!(error = back.error.chars().take(100).collect::<String>(), "the provider let nobody in");
        return Err(Trouble::Provider(ProviderTrouble::Denied));
    }
    let claims = provider.redeem(&back.code, departure.handshake(app)).await;
    let claims = claims.map_err(|error| {
        if matches!(error, ProviderError::Refused(_)) {
            tell_refusal(app, visit, provider, "", None, "answer_refused");
        }
        told(provider, &error)
    })?;
    match (departure.purpose, session) {
        (Purpose::Again, Some(session)) => prove(app, visit, provider, &session, &claims, &departure).await,
        (_, before) => {
            let user = admit(app, visit, provider, &claims).await?;
            let user = app.store.authenticators(user).await?.ok_or(Trouble::Form)?;
            let method = SignInMethod::OpenIdConnect;
            first_factor_proven(app, visit, before, user, method, &departure.next).await
        }
    }
}

/// It must be the same person, and they must have been asked now.
async fn prove(
    app: &App,
    visit: &Visit,
    provider: &Provider,
    session: &Session,
    claims: &Claims,
    departure: &Departure,
) -> Result<Response, Trouble> {
    let now = app.now();
    let mut tx = app.store.begin(session.by()).await?;
    let identity = tx.identity(&provider.at.issuer, &claims.subject).await?;
    let is_them = identity.is_some_and(|identity| identity.user == session.user());
    // Who set up a second factor here is asked for it, which the page that asks again does.
    let user = tx.authenticators(session.user()).await?;
    let wants_more = user.is_none_or(|user| user.totp.is_some());
    if !is_them || wants_more || !claims.proves_again(departure.at) {
        let reason = match (is_them, wants_more) {
            (false, _) => "another_user",
            (true, true) => "second_factor_missing",
            (true, false) => "proof_too_old",
        };
        tell_refusal(app, visit, provider, &claims.subject, Some(session.user()), reason);
        return Err(Trouble::Provider(ProviderTrouble::NotProven));
    }
    let (new, secret, event) = session.found().session.clone().prove(SignInMethod::OpenIdConnect, now, &mut app.rng());
    if !tx.renew_session(&new, &app.peppers.digest(&secret.hash())).await? {
        return Err(Trouble::NotSignedIn { next: departure.next.clone() });
    }
    tx.commit(event, now, &mut app.rng()).await?;
    Ok(go(&departure.next, [Cookie::Session.set(secret.expose(), visit.secure)]))
}

fn provider(app: &App) -> Result<&Provider, Trouble> {
    app.provider.as_ref().ok_or(Trouble::Unreadable(StatusCode::NOT_FOUND))
}

fn told(provider: &Provider, error: &ProviderError) -> Trouble {
    let issuer = &provider.at.issuer;
    Trouble::Provider(match error {
        ProviderError::Unavailable(why) => {
            tracing::warn!(issuer, why, "the OpenID Connect provider is of no use");
            ProviderTrouble::Unavailable
        }
        ProviderError::Refused(why) => {
            tracing::warn!(issuer, why, "what the OpenID Connect provider said was refused");
            ProviderTrouble::NotOurs
        }
    })
}
