//! Forms. Each is sent by a page of ours and carries the token that was made for its browser, or is refused: no handler
//! sees one that does not.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use claviger_core::Peppers;
use zeroize::Zeroizing;

use super::{portal::AtPortal, trouble::Trouble, visit::Visit};
use crate::{
    app::App,
    body,
    log::has_token,
    origin,
    session::{Session, hex, is_token},
};

/// The field of an address that says that what was typed came from a form of ours.
const MARK: &str = "mark";

/// The field that says that not all of it had room.
pub(crate) const CUT: &str = "cut";

/// What never goes along, since something secret could have been pasted there by mistake. Neither does what looks like a token.
const MATERIAL: &str = "material";

/// What stays where not all of it has room.
const SHORT: [&str; 7] = ["account", "account_name", "organization", "name", "for", "preset", CUT];

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

    /// All values of a field that may be there more than once.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    /// What the address of a page says in its query.
    pub(crate) fn of_query(path: &str) -> Self {
        Self::read(path.split_once('?').map_or("", |(_, query)| query).as_bytes())
    }

    /// The page that takes up a form where somebody must sign in before it counts, if the form names one: what they typed goes
    /// along in the address, so that no form with a secret in it names one. It is marked as `who` sent it: a link that somebody
    /// else made fills in nothing.
    pub(crate) fn resumed(&self, peppers: &Peppers, who: Option<&str>) -> Option<String> {
        let page = origin::local(self.value("resume"))?;
        let Some(who) = who else { return Some(page) };
        let kept = |name: &str| ![MARK, CUT, "csrf", "resume", "once"].contains(&name);
        let given = || self.pairs().filter(|(name, value)| kept(name) && !value.is_empty());
        let is_secret = |(name, value): &(&str, &str)| *name == MATERIAL || has_token(name) || has_token(value);
        let mut typed: Vec<(&str, &str)> = given().filter(|pair| !is_secret(pair)).collect();
        if given().any(|pair| is_secret(&pair)) {
            typed.push((CUT, "1"));
        }
        let short = typed
            .iter()
            .copied()
            .filter(|(name, _)| *name != CUT)
            .chain([(CUT, "1")])
            .filter(|(name, _)| SHORT.contains(name))
            .collect();
        let address = |typed: Vec<(&str, &str)>| {
            let mark = hex(&peppers.keyed_hash("resumed", &marked(who, &page, &typed)));
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(typed).append_pair(MARK, &mark);
            origin::local(&format!("{page}?{}", query.finish()))
        };
        Some(address(typed).or_else(|| address(short)).unwrap_or_else(|| page.clone()))
    }

    /// What somebody typed before they had to sign in, from the address that [`Self::resumed`] made for one of these.
    pub(crate) fn taken_up(path: &str, peppers: &Peppers, who: &[String]) -> Option<Self> {
        let (page, _) = path.split_once('?')?;
        let fields = Self::of_query(path);
        let typed: Vec<(&str, &str)> = fields.pairs().filter(|(name, _)| *name != MARK).collect();
        let is_ours = who.iter().any(|who| {
            let parts = marked(who, page, &typed);
            peppers.keyed_hashes("resumed", &parts).any(|mark| is_token(fields.value(MARK), &hex(&mark)))
        });
        is_ours.then_some(fields)
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Where to go afterwards.
    pub(crate) fn next(&self) -> String {
        origin::local(self.value("next")).unwrap_or_else(|| "/".to_owned())
    }
}

/// What a mark is about.
fn marked<'a>(who: &'a str, page: &'a str, typed: &[(&'a str, &'a str)]) -> Vec<&'a [u8]> {
    let typed = typed.iter().flat_map(|(name, value)| [*name, *value]);
    [who, page].into_iter().chain(typed).map(str::as_bytes).collect()
}

/// Who may take up what was typed: a user, and whoever is at this browser, who may have been signed out meanwhile.
pub(crate) fn who_resumes(session: Option<&Session>, visit: &Visit) -> Vec<String> {
    let user = session.map(|session| format!("user {}", session.user()));
    let visitor = visit.known_visitor().map(|visitor| format!("visit {visitor}"));
    user.into_iter().chain(visitor).collect()
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
        let session = session.ok_or_else(|| {
            let who = who_resumes(None, &visit);
            let next = fields.resumed(&app.peppers, who.first().map(String::as_str));
            Trouble::NotSignedIn { next: next.unwrap_or_else(|| "/".to_owned()) }
        })?;
        if !is_token(fields.value("csrf"), session.csrf()) {
            return Err(Trouble::Form);
        }
        Ok(Self { fields, visit, session })
    }
}

/// A form of somebody at a portal.
pub(crate) struct PortalForm {
    pub(crate) fields: Fields,
    pub(crate) visit: Visit,
    pub(crate) session: Arc<Session>,
}

impl FromRequest<App> for PortalForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let AtPortal { session, visit } = AtPortal::from_request_parts(&mut parts, app).await?;
        let fields = fields(Request::from_parts(parts, body), app).await?;
        if !is_token(fields.value("csrf"), session.csrf()) {
            return Err(Trouble::Form);
        }
        Ok(Self { fields, visit, session })
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
    use claviger_core::Pepper;

    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_write_it() {
        let fields = Fields::read("a=1&b=Zo%C3%AB+x%26y&a=2&c=&d&next=//evil.test".as_bytes());
        assert_eq!((fields.value("a"), fields.value("b"), fields.value("c")), ("1", "Zoë x&y", ""));
        assert_eq!((fields.value("d"), fields.value("e"), fields.next().as_str()), ("", "", "/"));
        assert_eq!(Fields::read(b"next=/account?x=1").next(), "/account?x=1");
        Fields::read(b"%ff%&&&=&%zz=\xff");
        assert_eq!(Fields::read(b"a=1&b=2&a=3&a=").values("a"), ["1", "3", ""]);
        assert_eq!(Fields::of_query("/x?a=%20y&b").value("a"), " y");
        assert_eq!(Fields::of_query("/x").value("a"), "");
    }

    #[test]
    fn a_form_is_taken_up_where_it_says_and_nowhere_else() {
        let peppers = Peppers::new(Pepper::new(1, &Zeroizing::new([7; 32])), vec![]);
        let resumed = |form: &str| Fields::read(form.as_bytes()).resumed(&peppers, Some("zoe"));
        let form = "csrf=c0ffee&once=1&resume=/new&name=a+b&permission=x:y&permission=z&empty=&cut=1&mark=x";
        let address = resumed(form).unwrap();
        assert!(address.starts_with("/new?name=a+b&permission=x%3Ay&permission=z&mark="), "{address}");
        assert_eq!(resumed("name=a"), None);
        let without = resumed("resume=/new&name=a&material=-----BEGIN+PRIVATE+KEY-----").unwrap();
        assert!(without.starts_with("/new?name=a&cut=1&mark=") && !without.contains("PRIVATE"), "{without}");
        let token = "clv_key_abcdefghijklmnopqrstuvwxyzABCDEF012345";
        let without = resumed(&format!("resume=/new&name={token}&account=a")).unwrap();
        assert!(without.starts_with("/new?account=a&cut=1&mark="), "{without}");
        assert!(Fields::taken_up(&without, &peppers, &["zoe".to_owned()]).is_some());
        assert_eq!(resumed("resume=//evil.test&name=a"), None);
        let long = resumed(&format!("resume=/new&name=n&account=a&objects={}", "o".repeat(5000))).unwrap();
        assert!(long.starts_with("/new?name=n&account=a&cut=1&mark="), "{long}");
        assert_eq!(resumed(&format!("resume=/new&name={}", "a".repeat(5000))).unwrap(), "/new");
        assert_eq!(Fields::read(form.as_bytes()).resumed(&peppers, None).unwrap(), "/new");
        // Only as it was typed, at its page, and for who typed it.
        let taken_up = |path: &str, who: &str| Fields::taken_up(path, &peppers, &[who.to_owned()]);
        assert_eq!(taken_up(&address, "zoe").unwrap().values("permission"), ["x:y", "z"]);
        for (path, who) in [
            (address.clone(), "eve"),
            (address.replace("/new?", "/edit?"), "zoe"),
            (address.replace("a+b", "a+c"), "zoe"),
            (address.replace("&permission=z", ""), "zoe"),
            (format!("{address}&life=never"), "zoe"),
            (address.split("&mark").next().unwrap().to_owned(), "zoe"),
            ("/new".to_owned(), "zoe"),
        ] {
            assert!(taken_up(&path, who).is_none(), "{path} {who}");
        }
    }
}
