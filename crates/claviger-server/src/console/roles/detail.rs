//! One role: what it holds, and who has it here.

use askama::Template;
use axum::{extract::State, response::Response};
use claviger_core::{Assignment, Reach, Scope, permission};
use claviger_token::{PrincipalId, RoleId};

use super::{badges, find, list_of, may_change, path_of};
use crate::{
    app::App,
    console::{
        approval::{described, named},
        inside::{Inside, Which},
        moment::Moment,
        page::{Frame, page},
        pages::{self, Pages, Wanted},
        query::Query,
        trouble::Trouble,
    },
};

#[derive(Template)]
#[template(path = "role.html")]
pub(crate) struct RolePage {
    pub(crate) frame: Frame,
    pub(crate) list: String,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) badges: Vec<String>,
    pub(crate) builtin: bool,
    pub(crate) permissions: Vec<(String, String)>,
    /// Who has it here; `None`: that is not the reader's to know.
    pub(crate) holders: Option<Vec<Holder>>,
    pub(crate) pages: Pages,
    pub(crate) changes: bool,
}

/// Somebody who has it.
pub(crate) struct Holder {
    pub(crate) name: String,
    /// Their page, if there is one for the reader.
    pub(crate) path: Option<String>,
    pub(crate) id: String,
    pub(crate) is_account: bool,
    /// Whether it counts in the whole instance.
    pub(crate) everywhere: bool,
    pub(crate) since: Moment,
}

/// `GET …/roles/{id}`.
pub(crate) async fn show(
    State(app): State<App>,
    Which(id): Which<RoleId>,
    inside: Inside,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Trouble> {
    let (place, here) = (inside.place(&app), &inside.here);
    let (role, organization) = (find(&place, here, id).await?, here.organization.id);
    let (path, frame) = (path_of(here, id), place.frame().await?);
    let mut view = app.store.within(Reach::Organization(organization));
    let (mut pages, mut holders) = (Pages::default(), None);
    if here.person.may(permission::ASSIGNMENTS_READ) {
        let mut found = view.assignments_of_role(id, Some(organization), &pages::rows(&wanted.after)?).await?;
        pages = Pages::of(&mut found, |one| one.id, &path, &[], &wanted.after);
        let principals: Vec<PrincipalId> = found.iter().map(|one| one.principal).collect();
        let names = view.names_in(organization, &principals).await?;
        let sees_members = here.person.may(permission::MEMBERS_READ);
        let holder = |one: &Assignment| Holder {
            name: named(&names, one.principal),
            path: match one.principal {
                PrincipalId::User(user) if sees_members => Some(here.path(&format!("/members/{user}"))),
                PrincipalId::User(_) | PrincipalId::ServiceAccount(_) => None,
            },
            id: one.principal.to_string(),
            is_account: matches!(one.principal, PrincipalId::ServiceAccount(_)),
            everywhere: one.scope == Scope::Instance,
            since: Moment::new(frame.language(), one.created_at, app.now()),
        };
        holders = Some(found.iter().map(holder).collect());
    }
    let shown = RolePage {
        list: list_of(here),
        path,
        id: id.to_string(),
        badges: badges(&role, &frame),
        builtin: role.builtin,
        permissions: described(&view.catalog().await?, &role.permissions),
        changes: may_change(here, &role),
        name: role.name,
        what: role.description.unwrap_or_default(),
        holders,
        pages,
        frame,
    };
    Ok(page(&shown, []))
}
