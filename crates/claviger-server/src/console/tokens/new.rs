//! A new token of one's own: where it acts, what it may do of what one may oneself, and then its secret, once.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use claviger_core::{Kind, NewPersonalAccessToken, Organization, Policy, Reach, Standing, permission};
use claviger_token::PermissionSet;

use super::{AtOwn, MOST_ORGANIZATIONS};
use crate::{
    app::App,
    console::{
        credential::{
            Place,
            form::{CredentialForm, Typed, Wrong},
            made,
            once::Once,
            picker::Picker,
            routes::{Sender as _, Visitor as _},
        },
        form::{CUT, Fields, SessionForm},
        page::{Frame, page, page_with},
        trouble::Trouble,
    },
    manage::{Authority, personal_access_token},
    problem::RequestError,
};

#[derive(Template)]
#[template(path = "token_where.html")]
pub(crate) struct WherePage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    /// Handle and name of each organization in which it can act.
    pub(crate) organizations: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "token_new.html")]
pub(crate) struct NewTokenPage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) once: String,
    pub(crate) resume: String,
    pub(crate) slug: String,
    pub(crate) organization: String,
    /// Whether one could choose another.
    pub(crate) has_others: bool,
    /// Whether some of what can be chosen reaches every organization.
    pub(crate) everywhere: bool,
    /// Whether somebody must approve it before it works.
    pub(crate) waits: bool,
    pub(crate) form: CredentialForm,
}

/// Where it will act, and what its user holds there.
struct There {
    organization: Organization,
    held: PermissionSet,
    /// Whether some of that has instance scope.
    everywhere: bool,
    has_others: bool,
}

/// `GET /account/tokens/new`: where, and then `?organization=` with what.
pub(crate) async fn show(State(app): State<App>, at: AtOwn) -> Result<Response, Trouble> {
    ask(&at.place(&app)).await
}

/// `POST /account/tokens/new`.
pub(crate) async fn submit(State(app): State<App>, form: SessionForm) -> Result<Response, Trouble> {
    make(&form.place(&app), &form.fields).await
}

/// Asks where, unless that is clear, and with what.
pub(crate) async fn ask(place: &Place<'_>) -> Result<Response, Trouble> {
    let (app, session, visit) = (place.app, place.session, place.visit);
    let fields = Fields::of_query(&visit.path);
    let slug = fields.value("organization");
    if slug.is_empty() && !place.is_at_portal() {
        let all = app.store.belongings_of(session.user(), MOST_ORGANIZATIONS).await?;
        if all.len() != 1 {
            let organizations = all.into_iter().map(|one| (one.slug, one.name)).collect();
            return Ok(page(&WherePage { frame: place.frame().await?, list: place.list(), organizations }, []));
        }
    }
    place.must_be_fresh(visit.path.clone())?;
    let there = there(place, slug).await?;
    let (resumed, mut wrong) = (place.taken_up(), Wrong::default());
    if resumed.as_ref().is_some_and(|fields| !fields.value(CUT).is_empty()) {
        wrong.page = Some(place.frame().await?.text("form-cut"));
    }
    let mut typed = resumed.as_ref().map(Typed::of).unwrap_or_default();
    if typed.life.is_empty() {
        typed.life = usual_life(&there.organization.policy);
    }
    with(place, there, typed, wrong).await
}

/// Makes it, and shows its secret this once.
pub(crate) async fn make(place: &Place<'_>, fields: &Fields) -> Result<Response, Trouble> {
    let (app, session, list) = (place.app, place.session, place.list());
    let once = Once::of(app, session, &list, fields)?;
    if let Some(response) = once.done(app).await? {
        return Ok(response);
    }
    place.must_be_fresh(place.resumed(fields).unwrap_or_else(|| format!("{list}/new")))?;
    let there = there(place, fields.value("organization")).await?;
    let (typed, frame, now, mut wrong) = (Typed::of(fields), place.frame().await?, app.now(), Wrong::default());
    let permissions = typed.permissions.iter().map(String::as_str);
    let body = NewPersonalAccessToken {
        objects: typed.objects(),
        expires_at: Some(typed.end(now, &frame, &mut wrong)),
        allowed_networks: typed.networks(),
        rate_limits: typed.rates(&frame, &mut wrong),
        quota: typed.quota(&frame, &mut wrong),
        ..NewPersonalAccessToken::named(session.user(), there.organization.id, &typed.name, permissions)
    };
    typed.must_permit(&frame, &mut wrong);
    if !wrong.is_empty() {
        return with(place, there, typed, wrong).await;
    }
    let authority = Authority::over_own(session, permission::PERSONAL_ACCESS_TOKENS_WRITE);
    let (tx, issued) = match personal_access_token::issued(app, &authority, body, now).await {
        Ok(made) => made,
        Err(RequestError::Rejected(rejection)) => {
            let wrong = Wrong::by(&rejection, &typed, &frame);
            return with(place, there, typed, wrong).await;
        }
        Err(error) => return Err(error.into()),
    };
    let path = place.path(issued.credential.id);
    if let Some(response) = once.commit(app, tx, issued.event.clone(), path, now).await? {
        return Ok(response);
    }
    made::show(place, frame, &issued, None)
}

/// The organization of this handle in which the session's user holds something, or the only one. At a portal that is its own, whatever
/// the form says.
async fn there(place: &Place<'_>, slug: &str) -> Result<There, Trouble> {
    let (app, user) = (place.app, place.session.user());
    let (id, has_others) = match &place.session.found().portal {
        Some(portal) => (portal.organization, false),
        None => {
            let all = app.store.belongings_of(user, MOST_ORGANIZATIONS).await?;
            let has_others = all.len() > 1;
            let found = all.into_iter().find(|one| one.slug == slug || (slug.is_empty() && !has_others));
            (found.ok_or(Trouble::Absent)?.organization, has_others)
        }
    };
    let organization = app.store.within(Reach::Organization(id)).organization(id).await?.ok_or(Trouble::Absent)?;
    let standings = app.store.standings_of(user).await?;
    let standing = standings.into_iter().find(|standing: &Standing| standing.organization == id);
    let under_ceiling = |set: fn(&Standing) -> &PermissionSet| {
        standing.as_ref().map(|standing| set(standing).masked_by(&standing.ceiling)).unwrap_or_default()
    };
    let everywhere = !under_ceiling(|standing| &standing.held_everywhere).is_empty();
    Ok(There { organization, held: under_ceiling(|standing| &standing.held), everywhere, has_others })
}

/// As policy proposes, if the form offers it.
fn usual_life(policy: &Policy) -> String {
    const USUAL: u32 = 90;
    let longest = policy.pat_max_lifetime_days.unwrap_or(u32::MAX);
    let usual = policy.pat_default_lifetime_days.unwrap_or(USUAL).min(longest);
    CredentialForm::nearest_life(usual).map_or_else(|| "date".to_owned(), |days| days.to_string())
}

async fn with(place: &Place<'_>, there: There, typed: Typed, wrong: Wrong) -> Result<Response, Trouble> {
    let (app, now, frame, list) = (place.app, place.app.now(), place.frame().await?, place.list());
    let There { organization, held, everywhere, has_others } = there;
    let apis = app.store.within(Reach::Organization(organization.id)).catalog().await?;
    let picker = Picker::of(&apis, &held, &typed.permissions, &frame);
    let picker = if organization.policy.wildcard_allowed { picker } else { picker.without_wildcards() };
    let latest = organization.policy.latest_end(Kind::PersonalAccessToken, now);
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = NewTokenPage {
        once: Once::field(app),
        resume: format!("{list}/new"),
        list,
        slug: organization.slug.as_str().to_owned(),
        organization: organization.name.to_string(),
        has_others,
        everywhere,
        waits: organization.policy.approval_required,
        form: CredentialForm {
            lives: CredentialForm::lives(latest, None, now, &frame),
            typed,
            wrong,
            picker,
            asks_environment: false,
            keeps_limits: false,
            of_client: false,
        },
        frame,
    };
    Ok(page_with(status, &shown, []))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_life_that_is_proposed_is_the_policys_if_it_is_offered() {
        let check = |default, max, expected: &str| {
            let policy = Policy { pat_default_lifetime_days: default, pat_max_lifetime_days: max, ..Policy::default() };
            assert_eq!(usual_life(&policy), expected, "{default:?} {max:?}");
        };
        check(Some(90), Some(366), "90");
        check(Some(100), None, "90");
        check(None, None, "90");
        check(None, Some(30), "30");
        check(Some(1), Some(3), "date");
    }
}
