//! The list of members: by name, address or external id, the newest first.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Assignment, Reach, Scope, names_in, permission};
use claviger_store::Member;

use super::{called, few, list_of};
use crate::{
    app::App,
    console::{
        inside::Inside,
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "members.html")]
pub(crate) struct MembersPage {
    pub(crate) frame: Frame,
    pub(crate) path: String,
    pub(crate) q: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: Pages,
    pub(crate) invites: bool,
}

/// A member.
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) disabled: bool,
    pub(crate) is_self: bool,
    /// What they hold here: names of roles and of permissions.
    pub(crate) holds: Vec<String>,
    /// Whether anything of it counts in the whole instance, if that is the reader's to know.
    pub(crate) everywhere: bool,
    pub(crate) since: Moment,
}

/// `GET …/members`.
pub(crate) async fn show(
    State(app): State<App>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.place(&app), &inside.here);
    here.must(permission::MEMBERS_READ)?;
    let (organization, q) = (here.organization.id, pages::searched(&wanted.q));
    let mut view = app.store.within(Reach::Organization(organization));
    let mut found = view.members(organization, q.as_deref(), &pages::rows(&wanted.after)?).await?;
    let (path, q) = (list_of(here), q.unwrap_or_default());
    let pages = Pages::of(&mut found, |member| member.user.id, &path, &[("q", &q)], &wanted.after);
    let held = view.assignments_in(organization, found.iter().map(|member| member.user.id.into())).await?;
    let frame = place.frame().await?;
    let rows = found.iter().map(|member| row(member, &held, &inside, &frame, &app)).collect();
    let invites = here.person.may(permission::MEMBERS_WRITE);
    Ok(page(&MembersPage { frame, path, q, rows, pages, invites }, []))
}

fn row(member: &Member, held: &[Assignment], inside: &Inside, frame: &Frame, app: &App) -> Row {
    let (here, id) = (&inside.here, member.user.id);
    let own: Vec<Assignment> = held.iter().filter(|one| one.principal == id.into()).cloned().collect();
    let (roles, permissions) = names_in(&own, Scope::Organization(here.organization.id));
    let (name, email) = called(member);
    Row {
        path: format!("{}/{id}", list_of(here)),
        name,
        email,
        disabled: member.user.disabled_at.is_some(),
        is_self: inside.session.user() == id,
        holds: few(roles.into_iter().chain(permissions).map(str::to_owned).collect()),
        everywhere: here.person.may(permission::ASSIGNMENTS_READ) && own.iter().any(|one| one.scope == Scope::Instance),
        since: Moment::new(frame.language(), member.membership.created_at, app.now()),
    }
}
