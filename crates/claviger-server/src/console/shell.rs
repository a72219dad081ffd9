//! What stands beside the pages inside: where somebody is, where else they may go, and what they may see there. What it leaves out,
//! the pages refuse by themselves: it is a map and no gate.

use claviger_core::{Organization, Person, Reach, Standing, permission};
use claviger_store::{Belonging, StoreError};
use claviger_token::OrganizationId;

use super::{icon::Icon, page::Frame, settings, trouble::Trouble, visit::Visit};
use crate::{app::App, manage::approval::Approver, session::Session};

/// How many organizations the switcher offers; who belongs to more finds them on a page of their own.
const MOST: u32 = 20;

/// An organization, with somebody in it.
pub(crate) struct Here {
    pub(crate) organization: Organization,
    pub(crate) person: Person,
}

impl Here {
    /// The organization of this slug or id, if somebody who is signed in has anything to do there.
    pub(crate) async fn find(app: &App, session: &Session, called: &str) -> Result<Self, Trouble> {
        let mut view = app.store.within(Reach::Instance);
        let organization = match called.parse::<OrganizationId>() {
            Ok(id) => view.organization(id).await?,
            Err(_) => view.organization_by_slug(called).await?,
        };
        let organization = organization.ok_or(Trouble::Absent)?;
        let standings = app.store.standings_of(session.user()).await?;
        let belongs = standings.iter().any(|standing| standing.organization == organization.id);
        let person = Person::of(session.user(), &standings, organization.id);
        let sees_all = person.reach(permission::ORGANIZATIONS_READ) == Some(Reach::Instance);
        if belongs || sees_all { Ok(Self { organization, person }) } else { Err(Trouble::Absent) }
    }

    /// The path of a page here.
    pub(crate) fn path(&self, page: &str) -> String {
        path(self.organization.slug.as_str(), page)
    }

    /// Whether they hold all of these here.
    pub(crate) fn may_all(&self, needed: &[&str]) -> bool {
        needed.iter().all(|permission| self.person.may(permission))
    }

    /// That they hold a permission here, or the page is not there for them.
    pub(crate) fn must(&self, permission: &str) -> Result<(), Trouble> {
        if self.person.may(permission) { Ok(()) } else { Err(Trouble::Absent) }
    }
}

/// The path of a page of an organization; `page` is empty or begins with a slash.
pub(crate) fn path(slug: &str, page: &str) -> String {
    format!("/organizations/{slug}{page}")
}

/// The navigation.
pub(crate) struct Shell {
    /// Where they are.
    pub(crate) place: Option<Place>,
    /// Where else they may go.
    pub(crate) others: Vec<Place>,
    pub(crate) groups: Vec<Group>,
    /// How many approvals wait for them.
    pub(crate) waiting: usize,
}

/// An organization in the switcher.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) path: String,
}

/// Links that belong together, under the text of this key.
pub(crate) struct Group {
    pub(crate) words: &'static str,
    pub(crate) links: Vec<Link>,
}

/// A link of the navigation.
pub(crate) struct Link {
    pub(crate) path: String,
    label: Label,
    pub(super) icon: Icon,
    /// How many things wait there.
    pub(crate) count: usize,
    /// Whether this is where they are.
    pub(crate) current: bool,
}

enum Label {
    Words(&'static str),
    Name(String),
}

impl Place {
    fn of(belonging: Belonging) -> Self {
        Self { path: path(&belonging.slug, ""), name: belonging.name }
    }

    /// What stands in its tile.
    pub(crate) fn initial(&self) -> String {
        self.name.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default()
    }
}

impl Link {
    pub(crate) fn label(&self, frame: &Frame) -> String {
        match &self.label {
            Label::Words(key) => frame.text(key),
            Label::Name(name) => name.clone(),
        }
    }
}

impl Shell {
    pub(super) async fn of(
        session: &Session,
        visit: &Visit,
        app: &App,
        here: Option<&Here>,
    ) -> Result<Self, StoreError> {
        let mut belongings = app.store.belongings_of(session.user(), MOST + 1).await?;
        let standings = app.store.standings_of(session.user()).await?;
        let goes_anywhere = Standing::reaches(&standings, permission::ORGANIZATIONS_READ).contains(&Reach::Instance);
        let more = goes_anywhere || belongings.len() > MOST as usize;
        // Where somebody holds nothing there is nothing to see.
        belongings.retain(|one| goes_anywhere || standings.iter().any(|there| there.organization == one.organization));
        let approver = Approver::of(app, session).await?;
        let at = visit.path.split(['?', '#']).next().unwrap_or_default();
        let link = |path: String, label, icon, count| {
            // The paths of every page of an organization begin as those of its overview and of the list do.
            let leads_on = !matches!(icon, Icon::Overview | Icon::Organization);
            let current = at == path || (leads_on && at.starts_with(&format!("{path}/")));
            Link { path, label, icon, count, current }
        };
        let mut groups = Vec::new();
        if let Some(here) = here {
            let mut links = vec![link(here.path(""), Label::Words("nav-overview"), Icon::Overview, 0)];
            if here.person.may(permission::API_KEYS_READ) {
                links.push(link(here.path("/api-keys"), Label::Words("nav-api-keys"), Icon::Key, 0));
            }
            if here.person.may(permission::SERVICE_ACCOUNTS_READ) {
                links.push(link(here.path("/service-accounts"), Label::Words("nav-service-accounts"), Icon::Robot, 0));
            }
            if here.person.may(permission::FLEETS_READ) {
                links.push(link(here.path("/fleets"), Label::Words("nav-fleets"), Icon::Device, 0));
            }
            if here.person.may(permission::CREDENTIALS_READ) {
                links.push(link(here.path("/tokens"), Label::Words("nav-inventory"), Icon::Token, 0));
            }
            if here.person.may(permission::MEMBERS_READ) {
                links.push(link(here.path("/members"), Label::Words("nav-members"), Icon::Members, 0));
            }
            if here.person.may(permission::ROLES_READ) {
                links.push(link(here.path("/roles"), Label::Words("nav-roles"), Icon::Roles, 0));
            }
            // What happened, and why something was refused
            if here.person.may(permission::AUDIT_EVENTS_READ) {
                links.push(link(here.path("/audit"), Label::Words("nav-audit"), Icon::Audit, 0));
            }
            if here.person.may(permission::VERIFY) {
                links.push(link(here.path("/explain"), Label::Words("nav-explain"), Icon::Explain, 0));
            }
            if here.person.may(permission::ORGANIZATIONS_READ) {
                links.push(link(here.path("/policy"), Label::Words("nav-policy"), Icon::Policy, 0));
                links.push(link(here.path("/settings"), Label::Words("nav-settings"), Icon::Settings, 0));
            }
            groups.push(Group { words: "nav-organization", links });
        } else {
            let some = belongings.iter().take(5);
            let links = some.map(|one| link(path(&one.slug, ""), Label::Name(one.name.clone()), Icon::Organization, 0));
            groups.push(Group { words: "organizations", links: links.collect() });
        }
        // The instance itself, for who reaches it.
        let reaches = |permission| Standing::reaches(&standings, permission).contains(&Reach::Instance);
        let mut instance = Vec::new();
        if goes_anywhere {
            instance.push(link(
                "/organizations".to_owned(),
                Label::Words("organizations-title"),
                Icon::Organization,
                0,
            ));
        }
        if reaches(permission::APIS_READ) {
            instance.push(link("/apis".to_owned(), Label::Words("nav-apis"), Icon::Api, 0));
        }
        if reaches(permission::AUDIT_EVENTS_READ) {
            instance.push(link("/audit".to_owned(), Label::Words("nav-audit"), Icon::Audit, 0));
        }
        if settings::sees(&standings) {
            instance.push(link("/settings".to_owned(), Label::Words("settings-title"), Icon::Settings, 0));
        }
        groups.push(Group { words: "nav-instance", links: instance });
        let mut own = vec![link("/account/tokens".to_owned(), Label::Words("nav-tokens"), Icon::Token, 0)];
        let waiting = approver.count(app).await?;
        if approver.decides_anywhere() {
            own.push(link("/approvals".to_owned(), Label::Words("nav-approvals"), Icon::Approval, waiting));
        }
        own.push(link("/account/security".to_owned(), Label::Words("security-title"), Icon::Security, 0));
        own.push(link("/device".to_owned(), Label::Words("device-code-title"), Icon::Device, 0));
        groups.push(Group { words: "nav-account", links: own });
        groups.retain(|group| !group.links.is_empty());
        let elsewhere = |one: &Belonging| here.is_none_or(|here| here.organization.id != one.organization);
        let mut others: Vec<Place> = belongings.into_iter().filter(elsewhere).map(Place::of).collect();
        others.truncate(MOST as usize);
        if more {
            let name = visit.language.text("organizations-all");
            others.push(Place { name, path: "/organizations".to_owned() });
        }
        let place = here.map(|here| Place { name: here.organization.name.to_string(), path: here.path("") });
        Ok(Self { place, others, groups, waiting })
    }

    #[cfg(test)]
    pub(super) fn sample(text: &str) -> Self {
        let place = || Place { name: text.to_owned(), path: "/organizations/acme".to_owned() };
        let link = |label, count| Link {
            path: "/account/tokens".to_owned(),
            label,
            icon: Icon::Token,
            count,
            current: count > 0,
        };
        let links = vec![link(Label::Words("nav-tokens"), 0), link(Label::Name(text.to_owned()), 2)];
        let groups = vec![Group { words: "nav-account", links }];
        Self { place: Some(place()), others: vec![place()], groups, waiting: 2 }
    }
}
