//! What a form offers of rights: the roles and permissions that somebody can give here, and what is chosen already.

use claviger_core::{Grantor, Reach};
use claviger_store::Page;
use claviger_token::RoleId;

use crate::console::{
    api_keys::new::can_be_given,
    credential::{Place, picker::Picker},
    page::Frame,
    roles::choices,
    sheet::{Draft, Entered, Field, Part, Said, Section},
    shell::Here,
    trouble::Trouble,
};

/// How many roles are offered; others are named.
const MOST: u32 = 100;

/// Of a form that gives rights: roles, roles by name, and permissions.
pub(super) fn fields(entered: Entered) -> Entered {
    entered.with_all("role", []).with("more_roles", "").with_all("permission", [])
}

/// The roles that are chosen, by id or by name.
pub(super) fn roles(entered: &Entered) -> Vec<String> {
    let by_name = entered.words("more_roles");
    entered.all("role").iter().cloned().chain(by_name).collect()
}

/// The two parts of a form in which rights are chosen.
pub(super) async fn sections(
    place: &Place<'_>,
    here: &Here,
    draft: &Draft,
    frame: &Frame,
) -> Result<[Section; 2], Trouble> {
    let organization = here.organization.id;
    let mut view = place.app.store.within(Reach::Organization(organization));
    let mut known = view.roles(Some(organization), None, &Page { after: None, limit: MOST + 1 }).await?;
    let more = known.len() > MOST as usize;
    known.truncate(MOST as usize);
    let chosen: Vec<RoleId> = draft.entered.all("role").iter().filter_map(|id| id.parse().ok()).collect();
    let grantor = Grantor::Person(&here.person);
    // A role that they could not give stays where it is had.
    known.retain(|role| {
        chosen.contains(&role.id) || grantor.may_give_for_good(&role.permissions, Some(organization)).is_ok()
    });
    known.extend(view.roles_by_id(chosen.iter().copied()).await?);
    let offered = choices(known, &chosen, frame);
    let text = |key: &str| frame.text(key);
    let mut roles = Vec::new();
    if !offered.is_empty() {
        roles.push(Part::Boxes(Field::of(draft, "role", text("rights-roles"), String::new()), offered));
    }
    if more || roles.is_empty() || !draft.entered.one("more_roles").is_empty() {
        let field = Field::of(draft, "more_roles", text("rights-more-roles"), text("rights-more-roles-hint"));
        roles.push(Part::Line(field));
    }
    let declared = view.declared_permissions().await?;
    let given = can_be_given(here, &here.organization, &declared);
    let picker = Picker::of(&view.catalog().await?, &given, draft.entered.all("permission"), frame);
    let field = Field::of(draft, "permission", text("rights-permissions"), String::new());
    Ok([
        Section { title: text("rights-roles"), hint: text("rights-roles-hint"), parts: roles },
        Section {
            title: text("rights-permissions"),
            hint: text("rights-permissions-hint"),
            parts: vec![Part::Permissions(field, picker.without_wildcards())],
        },
    ])
}

/// Where what a rule says of rights stands, and in which words.
pub(super) fn told(said: &Said<'_>, entered: &Entered, frame: &Frame) -> Option<(&'static str, String)> {
    let all = roles(entered);
    match (said.member, said.code) {
        ("roles" | "permissions", "too_many") => Some(("role", frame.text("rights-too-many"))),
        ("roles", _) => {
            let (name, by_name) = (said.entry(&all), said.index >= Some(entered.all("role").len()));
            let field = if by_name { "more_roles" } else { "role" };
            Some((field, frame.text_with("rights-role-unknown", "name", name)))
        }
        ("permissions", _) => {
            let name = said.entry(entered.all("permission"));
            Some(("permission", frame.text_with("rights-permission-unknown", "name", name)))
        }
        _ => None,
    }
}
