//! Forms. Each is sent by a page of ours and carries the token that was made for its browser, or is refused: no handler
//! sees one that does not.

use axum::extract::{FromRequest, Request};
use zeroize::Zeroizing;

use super::{
    portal::{Framing, over},
    trouble::Trouble,
    visit::Visit,
};
use crate::{
    app::App,
    body, origin,
    session::{Session, is_token},
};

/// What a form says. What is absent is empty, and of what is there twice the first counts.
pub(crate) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    fn read(bytes: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(bytes);
        Self(pairs.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect())
    }

    /// The value of a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// Where to go afterwards.
    pub(crate) fn next(&self) -> String {
        origin::local(self.value("next")).unwrap_or_else(|| "/".to_owned())
    }
}

/// A form of a browser in which perhaps nobody is signed in.
pub(crate) struct VisitForm {
    pub(crate) fields: Fields,
    pub(crate) visit: Visit,
    /// Who was signed in there until now.
    pub(crate) session: Option<Session>,
}

impl FromRequest<App> for VisitForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (visit, session, fields) = sent(request, app).await?;
        let visitor = visit.known_visitor().ok_or(Trouble::Form)?;
        if !is_token(fields.value("csrf"), &visit_token(visitor, app)) {
            return Err(Trouble::Form);
        }
        Ok(Self { fields, visit, session })
    }
}

/// A form of somebody who is signed in.
pub(crate) struct SessionForm {
    pub(crate) fields: Fields,
    pub(crate) visit: Visit,
    pub(crate) session: Session,
}

impl FromRequest<App> for SessionForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (visit, session, fields) = sent(request, app).await?;
        let session = session.ok_or_else(|| Trouble::NotSignedIn { next: "/".to_owned() })?;
        if !is_token(fields.value("csrf"), session.csrf()) {
            return Err(Trouble::Form);
        }
        Ok(Self { fields, visit, session })
    }
}

/// A form of somebody at a portal.
pub(crate) struct PortalForm {
    pub(crate) visit: Visit,
    pub(crate) session: Session,
}

impl FromRequest<App> for PortalForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (parts, body) = request.into_parts();
        let visit = Visit::read(&parts, app);
        let session = Session::at_portal(&parts.headers, &visit.from, app).await?.map_err(over)?;
        let inside = |trouble| Trouble::InPortal(Framing::of(session.found()), Box::new(trouble));
        let fields = fields(Request::from_parts(parts, body), app).await.map_err(inside)?;
        if !is_token(fields.value("csrf"), session.csrf()) {
            return Err(inside(Trouble::Form));
        }
        Ok(Self { visit, session })
    }
}

/// The token of the forms of a browser in which nobody is signed in.
pub(crate) fn visit_token(visitor: &str, app: &App) -> String {
    app.csrf(&format!("visit {visitor}"))
}

async fn sent(request: Request, app: &App) -> Result<(Visit, Option<Session>, Fields), Trouble> {
    let (parts, body) = request.into_parts();
    let (visit, headers) = (Visit::read(&parts, app), parts.headers.clone());
    let fields = fields(Request::from_parts(parts, body), app).await?;
    let session = Session::of(&headers, &visit.from, app).await?;
    Ok((visit, session, fields))
}

/// What a page of ours sends.
async fn fields(request: Request, app: &App) -> Result<Fields, Trouble> {
    if !origin::is_from_here(request.headers(), &app.config) {
        return Err(Trouble::Form);
    }
    Ok(Fields::read(&body::read(request, body::FORM).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let fields = Fields::read("a=1&b=Zo%C3%AB+x%26y&a=2&c=&d&next=//evil.test".as_bytes());
        assert_eq!((fields.value("a"), fields.value("b"), fields.value("c")), ("1", "Zoë x&y", ""));
        assert_eq!((fields.value("d"), fields.value("e"), fields.next().as_str()), ("", "", "/"));
        assert_eq!(Fields::read(b"next=/account?x=1").next(), "/account?x=1");
        Fields::read(b"%ff%&&&=&%zz=\xff");
    }
}
