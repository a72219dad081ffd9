//! Something new by which a service account proves itself: what it is called and when it ends, and what its kind asks for besides. A
//! client secret is shown once; of everything else the client has the secret part itself, and its page says how it is used.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Credential, Event, Issued, Kind, NewClientSecret, Preset, Rejection, ServiceAccount};
use claviger_token::PermissionSet;
use jiff::Timestamp;

use super::{Head, Of, certificate, clients::make_words, federation, find, gives, may_write, public_key};
use crate::{
    app::App,
    console::{
        credential::{
            Client, Place,
            form::{CredentialForm, Typed, Wrong},
            made,
            once::Once,
            picker::Picker,
            withheld,
        },
        form::{CUT, Fields},
        inside::{Inside, InsideForm},
        page::{Frame, go_and_tell, page_with},
        shell::Here,
        trouble::Trouble,
    },
    manage,
    problem::RequestError,
};

/// What a client is asked for besides, by the names of its fields.
const EXTRA: [&str; 17] = [
    "material",
    "jwks_uri",
    "name_kind",
    "name_value",
    "preset",
    "whose",
    "whose_id",
    "limit",
    "limit_value",
    "issuer",
    "audience",
    "namespace",
    "workload",
    "trust_domain",
    "path",
    "conditions",
    "single_use",
];

/// What was typed of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extra(Vec<(&'static str, String)>);

impl Extra {
    fn of(fields: &Fields) -> Self {
        Self(EXTRA.map(|name| (name, fields.value(name).to_owned())).into())
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value.as_str())
    }

    fn clear(&mut self, name: &str) {
        self.0.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, value)| value.clear());
    }

    /// The same without white space around it; `None`: nothing.
    pub(super) fn given(&self, name: &str) -> Option<&str> {
        Some(self.value(name).trim()).filter(|value| !value.is_empty())
    }

    /// Whose tokens they are, of a federated identity.
    pub(super) fn preset(&self) -> Option<Preset> {
        self.value("preset").parse().ok()
    }

    #[cfg(test)]
    pub(crate) fn sample(text: &str, preset: Option<Preset>) -> Self {
        let value = |name| match (name, preset) {
            ("preset", Some(preset)) => preset.to_string(),
            _ => text.to_owned(),
        };
        Self(EXTRA.map(|name| (name, value(name))).into())
    }

    #[cfg(test)]
    pub(super) fn with(fields: &[(&'static str, &str)]) -> Self {
        Self(fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }
}

#[derive(Template)]
#[template(path = "client_new.html")]
pub(crate) struct NewProofPage {
    pub(crate) frame: Frame,
    pub(crate) head: Head,
    /// The keys of its title and of what it says below.
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) list: String,
    pub(crate) once: String,
    pub(crate) resume: String,
    pub(crate) kind: Kind,
    /// Of a federated identity, whose tokens they are.
    pub(crate) preset: Option<Preset>,
    pub(crate) extra: Extra,
    pub(crate) form: CredentialForm,
}

impl NewProofPage {
    pub(crate) fn is(&self, word: &str) -> bool {
        match self.kind {
            Kind::PublicKey => word == "public-key",
            Kind::Certificate => word == "certificate",
            Kind::Federation => self.preset.is_some_and(|preset| preset.as_str() == word),
            Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => false,
        }
    }

    /// The choices of a field: value, label, and whether it is chosen.
    pub(crate) fn choices(&self, field: &str) -> Vec<(&'static str, String, bool)> {
        let chosen = self.extra.value(field);
        let all: &[(&'static str, &'static str)] = match field {
            "name_kind" => &certificate::NAMES,
            "whose" => federation::whose(self.preset),
            _ => &federation::LIMITS,
        };
        let first = all.first().map_or("", |(value, _)| *value);
        let chosen = if all.iter().any(|(value, _)| *value == chosen) { chosen } else { first };
        all.iter().map(|(value, key)| (*value, self.frame.text(key), *value == chosen)).collect()
    }
}

/// Who makes what stands for all of an account may give anything here.
fn may_make<'a>(place: &Place<'a>) -> Result<&'a Here, Trouble> {
    let here = may_write(place)?;
    if gives(here) { Ok(here) } else { Err(Trouble::Absent) }
}

/// `GET …/{kind}/new`.
pub(crate) async fn ask(State(app): State<App>, Of(of): Of, inside: Inside) -> Result<Response, Trouble> {
    let place = inside.at(&app, of);
    let here = may_make(&place)?;
    let account = find(&app, here, of.account).await?;
    let resumed = place.taken_up();
    let mut extra = Extra::of(resumed.as_ref().unwrap_or(&Fields::of_query("")));
    if of.kind == Kind::Federation && extra.preset().is_none() {
        // Which form is shown stands in the address; that fills in nothing.
        let asked = Fields::of_query(&inside.visit.path);
        extra = Extra(vec![("preset", asked.value("preset").to_owned())]);
        if extra.preset().is_none() {
            return federation::choose(&place, here, &account).await;
        }
    }
    place.must_be_fresh(inside.visit.path.clone())?;
    let mut wrong = Wrong::default();
    if resumed.as_ref().is_some_and(|fields| !fields.value(CUT).is_empty()) {
        wrong.page = Some(place.frame().await?.text("form-cut"));
    }
    let mut typed = resumed.as_ref().map(Typed::of).unwrap_or_default();
    if typed.life.is_empty() {
        let endless = here.organization.policy.latest_end(of.kind, app.now()).is_none();
        typed.life = if endless && of.kind != Kind::ClientSecret { "never" } else { "365" }.to_owned();
    }
    with(&place, here, &account, typed, extra, wrong).await
}

/// What comes of a form.
enum Made {
    Secret(Issued),
    Bare(Credential, Event),
}

/// `POST …/{kind}/new`.
pub(crate) async fn submit(State(app): State<App>, Of(of): Of, form: InsideForm) -> Result<Response, Trouble> {
    let (place, fields) = (form.at(&app, of), &form.fields);
    let here = may_make(&place)?;
    let account = find(&app, here, of.account).await?;
    let list = place.list();
    let once = Once::of(&app, &form.session, &list, fields)?;
    if let Some(response) = once.done(&app).await? {
        return Ok(response);
    }
    let (typed, extra, now) = (Typed::of(fields), Extra::of(fields), app.now());
    if of.kind == Kind::Federation && extra.preset().is_none() {
        return Err(Trouble::Form);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let frame = place.frame().await?;
    let authority = place.writer()?;
    let mut tx = app.store.begin(authority.by).await?;
    let made = match make(&app, &mut tx, &authority, of, (&typed, &extra), &frame, now).await {
        Ok(Ok(made)) => made,
        Ok(Err(wrong)) => {
            drop(tx);
            return with(&place, here, &account, typed, extra, wrong).await;
        }
        Err(error) => return Err(withheld(error)),
    };
    match made {
        Made::Secret(issued) => {
            let path = place.path(issued.credential.id);
            if let Some(response) = once.commit(&app, tx, issued.event.clone(), path, now).await? {
                return Ok(response);
            }
            made::show(&place, frame, &issued, None)
        }
        Made::Bare(credential, event) => {
            let path = place.path(credential.id);
            let done = once.commit(&app, tx, event, path.clone(), now).await?;
            Ok(done.unwrap_or_else(|| go_and_tell(&path, "registered", [])))
        }
    }
}

/// What the form asks for, in a transaction that is not committed yet; or what is wrong with the form.
async fn make<'a>(
    app: &'a App,
    tx: &mut claviger_store::Tx<'a>,
    authority: &manage::Authority<'a>,
    of: Client,
    (typed, extra): (&Typed, &Extra),
    frame: &Frame,
    now: Timestamp,
) -> Result<Result<Made, Wrong>, RequestError> {
    let mut wrong = Wrong::default();
    let (name, expires_at) = (typed.name.clone(), typed.end(now, frame, &mut wrong));
    let made = match of.kind {
        Kind::PublicKey => {
            let body = public_key::body(name, expires_at, extra, frame, &mut wrong);
            let Some(body) = body.filter(|_| wrong.is_empty()) else { return Ok(Err(wrong)) };
            let made = manage::public_key::register(app, tx, authority, of.account, body, now).await;
            made.map(|made| Made::Bare(made.credential, made.event))
        }
        Kind::Certificate => {
            let body = certificate::body(name, expires_at, extra, frame, &mut wrong);
            let Some(body) = body.filter(|_| wrong.is_empty()) else { return Ok(Err(wrong)) };
            let made = manage::certificate::add(app, tx, authority, of.account, body, now).await;
            made.map(|made| Made::Bare(made.credential, made.event))
        }
        Kind::Federation => {
            let body = federation::body(name, expires_at, extra, frame, &mut wrong);
            let Some(body) = body.filter(|_| wrong.is_empty()) else { return Ok(Err(wrong)) };
            let made = manage::federation::make(app, tx, authority, of.account, body, now).await;
            made.map(|made| Made::Bare(made.credential, made.event))
        }
        Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => {
            if !wrong.is_empty() {
                return Ok(Err(wrong));
            }
            let body = NewClientSecret { name, expires_at };
            manage::client_secret::issue(app, tx, authority, of.account, body, now).await.map(Made::Secret)
        }
    };
    match made {
        Ok(made) => Ok(Ok(made)),
        Err(RequestError::Rejected(rejection)) => Ok(Err(wrong_by(&rejection, typed, frame))),
        Err(error) => Err(error),
    }
}

/// What the rules say of it, at the fields of this form.
fn wrong_by(rejection: &Rejection, typed: &Typed, frame: &Frame) -> Wrong {
    let errors = match rejection {
        Rejection::Conflict { code: "key_exists" | "certificate_exists" | "federation_exists", .. } => {
            return Wrong { page: Some(frame.text("clients-exists")), ..Wrong::default() };
        }
        Rejection::Invalid(errors) => errors,
        Rejection::Conflict { .. } | Rejection::Forbidden { .. } | Rejection::Withheld { .. } => {
            return Wrong::by(rejection, typed, frame);
        }
    };
    let mut wrong = Wrong::default();
    for error in errors {
        let member = error.pointer.split('/').nth(1).unwrap_or_default();
        if let Some((field, key)) = told(member, error.code) {
            if wrong.of(field).is_none() {
                wrong.fields.push((field, frame.text(key)));
            }
            continue;
        }
        let other = Wrong::by(&Rejection::field(error.pointer.as_str(), error.code, ""), typed, frame);
        wrong.page = wrong.page.or(other.page);
        wrong.fields.extend(other.fields);
    }
    wrong
}

/// At which field a member of the body is typed, and what is said of it.
fn told(member: &str, code: &str) -> Option<(&'static str, &'static str)> {
    Some(match (member, code) {
        ("jwk", _) => ("material", "public-key-wrong"),
        ("jwks_uri", _) => ("jwks_uri", "jwks-uri-wrong"),
        ("certificate_pem", "expired") => ("material", "certificate-expired"),
        ("certificate_pem", _) => ("material", "certificate-wrong"),
        ("subject_dn" | "san_dns" | "san_uri" | "san_ip" | "san_email", _) => ("name_value", "certificate-name-wrong"),
        ("issuer", _) => ("issuer", "federation-issuer-wrong"),
        ("audience", "default_audience") => ("audience", "federation-audience-default"),
        ("audience", _) => ("audience", "federation-audience-wrong"),
        ("conditions", "names_nobody") => ("conditions", "federation-names-nobody"),
        ("conditions", _) => ("conditions", "federation-conditions-wrong"),
        ("jwks", "required") => ("material", "federation-jwks-required"),
        ("jwks", _) => ("material", "federation-jwks-wrong"),
        ("trust_domain", _) => ("trust_domain", "federation-domain-wrong"),
        _ => return None,
    })
}

/// The form as it was typed, with what is wrong.
async fn with(
    place: &Place<'_>,
    here: &Here,
    account: &ServiceAccount,
    typed: Typed,
    mut extra: Extra,
    wrong: Wrong,
) -> Result<Response, Trouble> {
    if wrong.of("material").is_some() {
        // It may be a private key that was pasted by mistake: it is not shown again.
        extra.clear("material");
    }
    let of = place.client().ok_or(Trouble::Absent)?;
    let (now, frame, list) = (place.app.now(), place.frame().await?, place.list());
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let latest = here.organization.policy.latest_end(of.kind, now);
    let shown = NewProofPage {
        head: Head::of(here, account, Some(of.kind)),
        title: make_words(of.kind),
        lead: lead(of.kind),
        once: Once::field(place.app),
        resume: format!("{list}/new"),
        list,
        kind: of.kind,
        preset: extra.preset().filter(|_| of.kind == Kind::Federation),
        extra,
        form: CredentialForm {
            lives: CredentialForm::lives(latest, None, now, &frame),
            typed,
            wrong,
            picker: Picker::of(&[], &PermissionSet::default(), &[], &frame),
            asks_environment: false,
            keeps_limits: false,
            of_client: true,
        },
        frame,
    };
    Ok(page_with(status, &shown, []))
}

/// The key of what the form of a kind says at first.
fn lead(kind: Kind) -> &'static str {
    match kind {
        Kind::PublicKey => "public-key-new-what",
        Kind::Certificate => "certificate-new-what",
        Kind::Federation => "federation-new-what",
        Kind::ClientSecret | Kind::ApiKey | Kind::PersonalAccessToken => "client-secret-new-what",
    }
}
