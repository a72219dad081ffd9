//! `/organizations/{organization}/api-keys`: the API keys of an organization, for who holds `claviger:api_keys:read` there, and what is
//! done about them for `claviger:api_keys:write`.

pub(super) mod list;
pub(super) mod new;

use super::{
    credential::{
        Place, What,
        routes::{Sender, Visitor},
    },
    form::Fields,
    inside::{Inside, InsideForm},
};
use crate::app::App;

impl Inside {
    pub(super) fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here), what: What::ApiKeys }
    }
}

impl InsideForm {
    pub(super) fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        Place { app, session: &self.session, visit: &self.visit, here: Some(&self.here), what: What::ApiKeys }
    }
}

impl Visitor for Inside {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        self.place(app)
    }
}

impl Sender for InsideForm {
    fn place<'a>(&'a self, app: &'a App) -> Place<'a> {
        self.place(app)
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }
}
