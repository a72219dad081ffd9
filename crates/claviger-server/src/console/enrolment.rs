//! `/account/security/authenticator`: setting up an authenticator app and taking it away, and new recovery codes.
//!
//! Until a code proves that the app knows the seed, the seed is kept nowhere but in the form, sealed for its session. The form works
//! as long as the session's proof is fresh, and once: switching the app on renews that proof.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_core::{Sealed, SessionEnd, TotpSeed, new_recovery_codes};
use claviger_store::Tx;
use claviger_token::{Secret, UserId};
use qrcode::{EcLevel, QrCode, render::svg};

use super::{
    form::SessionForm,
    page::{Frame, go, go_and_tell, page, page_with},
    security::{must_be_fresh, renewed},
    trouble::Trouble,
    visit::{SignedIn, Visit},
};
use crate::{app::App, session::Session};

#[derive(Template)]
#[template(path = "enrolment.html")]
pub(super) struct EnrolmentPage {
    pub(super) frame: Frame,
    /// An `svg` element of our own making.
    pub(super) picture: String,
    pub(super) seed: String,
    pub(super) sealed: String,
    pub(super) failed: bool,
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct RecoveryCodesPage<'a> {
    pub(super) frame: Frame,
    pub(super) codes: &'a [Secret],
}

/// `GET /account/security/authenticator`.
pub(crate) async fn show(
    State(app): State<App>,
    visit: Visit,
    SignedIn(session): SignedIn,
) -> Result<Response, Trouble> {
    must_be_fresh(&app, &session)?;
    let seed = TotpSeed::generate(&mut app.rng());
    form(&app, &visit, &session, &seed, false).await
}

/// `POST /account/security/authenticator` with `sealed` and `code`.
pub(crate) async fn enable(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { fields, visit, session } = form;
    must_be_fresh(&app, &session)?;
    let sealed = URL_SAFE_NO_PAD.decode(fields.value("sealed")).map_err(|_| Trouble::Form)?;
    let seed =
        TotpSeed::unseal_for(&Sealed(sealed), &session.found().session, &app.totp_seeds).map_err(|_| Trouble::Form)?;
    let now = app.now();
    let Some(step) = seed.accepts(fields.value("code"), None, now) else {
        return self::form(&app, &visit, &session, &seed, true).await;
    };
    let mut tx = app.store.begin(session.by()).await?;
    let user = tx.authenticators(session.user()).await?.ok_or(Trouble::Form)?;
    // The same form, sent twice at once.
    if user.totp.as_ref().is_some_and(|totp| totp.enabled_at > session.found().session.authenticated_at) {
        return Err(Trouble::Form);
    }
    let (user, event) = user.enable_totp(seed.seal(session.user(), &app.totp_seeds, &mut app.rng()), step, now);
    tx.save_authenticators(&user).await?;
    let codes = replace_recovery_codes(&app, &mut tx, session.user()).await?;
    tx.also(user.recovery_codes_made(codes.len()));
    let cookie = renewed(&app, &mut tx, &visit, &session, SessionEnd::SecondFactorChanged).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    Ok(page(&RecoveryCodesPage { frame, codes: &codes }, [cookie]))
}

/// `POST /account/security/authenticator/remove`.
pub(crate) async fn disable(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { visit, session, .. } = form;
    must_be_fresh(&app, &session)?;
    let mut tx = app.store.begin(session.by()).await?;
    let user = tx.authenticators(session.user()).await?.ok_or(Trouble::Form)?;
    if user.totp.is_none() {
        return Ok(go("/account/security", []));
    }
    let (user, event) = user.disable_totp();
    tx.save_authenticators(&user).await?;
    tx.replace_recovery_codes(user.user, &[]).await?;
    let cookie = renewed(&app, &mut tx, &visit, &session, SessionEnd::SecondFactorChanged).await?;
    tx.commit(event, app.now(), &mut app.rng()).await?;
    Ok(go_and_tell("/account/security", "changed", [cookie]))
}

/// `POST /account/security/recovery-codes`.
pub(crate) async fn make_recovery_codes(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    let SessionForm { visit, session, .. } = form;
    must_be_fresh(&app, &session)?;
    let mut tx = app.store.begin(session.by()).await?;
    let user = tx.authenticators(session.user()).await?.filter(|user| user.totp.is_some()).ok_or(Trouble::Form)?;
    let codes = replace_recovery_codes(&app, &mut tx, user.user).await?;
    tx.commit(user.recovery_codes_made(codes.len()), app.now(), &mut app.rng()).await?;
    let frame = Frame::inside(&session, &visit, &app, None).await?;
    Ok(page(&RecoveryCodesPage { frame, codes: &codes }, []))
}

async fn replace_recovery_codes(app: &App, tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Secret>, Trouble> {
    let codes = new_recovery_codes(&mut app.rng());
    let digests: Vec<_> =
        codes.iter().filter_map(|code| app.recovery_code_digests(user, code).first().copied()).collect();
    tx.replace_recovery_codes(user, &digests).await?;
    Ok(codes)
}

async fn form(app: &App, visit: &Visit, session: &Session, seed: &TotpSeed, failed: bool) -> Result<Response, Trouble> {
    let issuer = url::Url::parse(&app.config.public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let issuer = format!("Claviger {}", issuer.unwrap_or_default());
    let url = seed.url(&session.found().email, issuer.trim()).unwrap_or_default();
    let sealed = seed.seal_for(&session.found().session, &app.totp_seeds, &mut app.rng());
    let page = EnrolmentPage {
        frame: Frame::inside(session, visit, app, None).await?,
        picture: picture(&url),
        seed: grouped(&seed.base32()),
        sealed: URL_SAFE_NO_PAD.encode(&sealed.0),
        failed,
    };
    let status = if failed { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page_with(status, &page, []))
}

/// A QR code as an `svg` element, which needs neither a style of its own nor a script. Nothing if it does not fit into one.
fn picture(text: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else { return String::new() };
    let picture = code.render::<svg::Color<'_>>().min_dimensions(220, 220).build();
    picture.find("<svg").map(|start| picture[start..].to_owned()).unwrap_or_default()
}

/// In fours, to be typed.
fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}
