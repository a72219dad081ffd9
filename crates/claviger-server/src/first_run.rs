//! The way to the first person who administers an instance: a link that works until there is one, and for a day at most.
//!
//! Nothing is stored for it: its code says when it ends, and a keyed hash says that it is ours. Whoever reads what the operator's
//! terminal shows can use it, and so it is shown only where it is of use. The room must not know how a page looks.

use claviger_core::{
    Action, Assignment, Authenticators, By, Chain, Event, Granted, Membership, NewOrganization, NewUser, Organization,
    PasswordChange, PasswordHash, Reach, Rejection, Scope, Touched, User,
};
use claviger_store::{Page, StoreError, Tx, UserFilter, View};
use claviger_token::{PermissionMask, PrincipalId, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    app::App,
    bootstrap::{ORGANIZATION, administrators_role},
    session::{hex, is_token},
};

/// How long a link works: whoever starts an instance in the evening sets it up in the morning.
const LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How many digits of a code say when it ends, in seconds.
const END: usize = 10;

/// And how many prove it. Together they have the form of every code in a link.
const PROOF: usize = 30;

/// Where a link was printed, which its code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRun {
    /// On an instance without customers and without people. It works as long as that is so: one that serves them already is nobody's
    /// to take over by what a log says.
    Untouched,
    /// With `--dev`, beside the example.
    Dev,
}

impl FirstRun {
    const ALL: [Self; 2] = [Self::Untouched, Self::Dev];

    /// What its code is a proof of.
    fn purpose(self) -> &'static str {
        match self {
            Self::Untouched => "first run",
            Self::Dev => "first run dev",
        }
    }

    /// Whether what made it worth printing is still so.
    async fn holds(self, view: &mut View<'_>) -> Result<bool, StoreError> {
        match self {
            Self::Untouched => is_untouched(view).await,
            Self::Dev => Ok(true),
        }
    }
}

/// Who will administer the instance.
pub(crate) struct FirstAdministrator {
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) password: PasswordHash,
    /// What the organization that runs the instance is called, unless there is one.
    pub(crate) organization: String,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NotMade {
    /// Somebody was faster.
    TooLate,
    /// The link does not count, or not any more.
    Void,
    /// A rule says no to the person.
    Rejected(Rejection),
    /// Or to the name of the organization.
    OrganizationRejected,
    /// The database does not answer.
    Store(StoreError),
}

impl From<Rejection> for NotMade {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<StoreError> for NotMade {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl App {
    /// The link to the first administrator, if one that is printed there would work.
    pub async fn first_run_link(&self, printed: FirstRun) -> Result<Option<Secret>, StoreError> {
        if self.is_administered().await? || !self.still_holds(printed).await? {
            return Ok(None);
        }
        let ends = format!("{:0END$x}", (self.now() + LIFE).as_second());
        let proof = self.peppers.keyed_hash(printed.purpose(), &[ends.as_bytes()]);
        let url = format!("{}/first-run?code={ends}{}", self.config.public_url, &hex(&proof)[..PROOF]);
        Ok(Some(Secret::new(url)))
    }

    /// Whether what made a link worth printing is still so.
    pub(crate) async fn still_holds(&self, printed: FirstRun) -> Result<bool, StoreError> {
        printed.holds(&mut self.store.within(Reach::Instance)).await
    }

    /// Whether some person administers it.
    pub(crate) async fn is_administered(&self) -> Result<bool, StoreError> {
        has_administrator(&mut self.store.within(Reach::Instance)).await
    }

    /// Where a code was printed, if it is one of ours and its time is not over.
    pub(crate) fn first_run_code(&self, code: &str) -> Option<FirstRun> {
        let (ends, proof) = code.split_at_checked(END)?;
        let parts = [ends.as_bytes()];
        let is_ours = |printed: &FirstRun| {
            let mut known = self.peppers.keyed_hashes(printed.purpose(), &parts);
            known.any(|known| hex(&known).get(..PROOF).is_some_and(|known| is_token(proof, known)))
        };
        let printed = FirstRun::ALL.into_iter().find(is_ours)?;
        let ends = i64::from_str_radix(ends, 16).ok().and_then(|ends| Timestamp::from_second(ends).ok())?;
        (self.now() < ends).then_some(printed)
    }

    /// The organization that runs the instance, if there is one yet.
    pub(crate) async fn home(&self) -> Result<Option<Organization>, StoreError> {
        self.store.within(Reach::Instance).organization_by_slug(ORGANIZATION).await
    }

    /// Makes the first administrator, and the organization where they belong if there is none. Of two who ask at once, one is it.
    pub(crate) async fn make_first_administrator(
        &self,
        by: &By,
        printed: FirstRun,
        new: FirstAdministrator,
    ) -> Result<Authenticators, NotMade> {
        let now = self.now();
        let mut tx = self.store.begin(by).await?;
        // Locked until the end, so that whoever comes second finds the first.
        let home = match tx.to_change(Reach::Instance).organization_by_slug(ORGANIZATION).await? {
            Some(home) => open_up(&mut tx, home).await?,
            None => {
                let body = NewOrganization {
                    name: new.organization,
                    slug: Some(ORGANIZATION.to_owned()),
                    ..NewOrganization::default()
                };
                let made = Organization::create(body, now, &mut self.rng());
                let (home, event) = made.map_err(|_| NotMade::OrganizationRejected)?;
                // The one organization whose members may hold what concerns the whole instance.
                let home = Organization { ceiling: Some(PermissionMask::everything()), ..home };
                match tx.insert_organization(&home).await {
                    Err(StoreError::Taken(_)) => return Err(NotMade::TooLate),
                    done => done?,
                }
                tx.also(event);
                home
            }
        };
        let mut view = tx.within(Reach::Instance);
        if has_administrator(&mut view).await? {
            return Err(NotMade::TooLate);
        }
        if !printed.holds(&mut view).await? {
            return Err(NotMade::Void);
        }
        let body = NewUser { name: new.name, ..NewUser::with_email(&new.email) };
        let (user, created) = User::create(&body, now, &mut self.rng())?;
        tx.insert_user(&user).await?;
        tx.also(created);
        let own = tx.authenticators(user.id).await?.ok_or(NotMade::TooLate)?;
        let (own, chosen) = own.set_password(new.password, PasswordChange::Chosen, now);
        tx.save_authenticators(&own).await?;
        tx.also(chosen);
        let role = administrators_role(&mut tx.within(Reach::Instance)).await?;
        let granted = Granted::Role { id: role.id, name: role.name };
        let (given, _) = Assignment::create(user.id.into(), home.id, Scope::Instance, granted, now, &mut self.rng());
        let (membership, joined) = Membership::join(home.id, user.id, std::slice::from_ref(&given), now);
        tx.insert_membership(&membership).await?;
        tx.insert_assignment(&given).await?;
        tx.also(joined);
        let event = Event {
            chain: Chain::Instance,
            action: Action::InstanceBootstrapped,
            target: user.id.to_string(),
            details: json!({ "organization": home.id, "administrator": user.id }),
            personal: None,
            touched: vec![Touched::Organization(home.id), Touched::Principal(user.id.into())],
        };
        tx.commit(event, now, &mut self.rng()).await?;
        Ok(own)
    }
}

/// Whether a person administers the instance: programs that do set up nothing in a browser.
async fn has_administrator(view: &mut View<'_>) -> Result<bool, StoreError> {
    let role = administrators_role(view).await?;
    let holders = view.who_has_everywhere(role.id).await?;
    Ok(holders.iter().any(|holder| matches!(holder, PrincipalId::User(_))))
}

/// Whether the instance is as it was made: without customers and without people.
async fn is_untouched(view: &mut View<'_>) -> Result<bool, StoreError> {
    let organizations = view.organizations(None, &Page { after: None, limit: 2 }).await?;
    let users = view.users(&UserFilter::default(), &Page { after: None, limit: 1 }).await?;
    Ok(users.is_empty() && organizations.iter().all(|one| one.slug.as_str() == ORGANIZATION))
}

/// What would keep its members from administering the instance is taken away: whoever runs it could do that as well.
async fn open_up(tx: &mut Tx<'_>, home: Organization) -> Result<Organization, StoreError> {
    let open = Organization { disabled_at: None, ceiling: Some(PermissionMask::everything()), ..home.clone() };
    if open != home {
        tx.save_organization(&open).await?;
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use claviger_core::Password;

    use super::*;
    use crate::app::tests::app;

    fn first(app: &App, email: &str) -> FirstAdministrator {
        let password = Password::presented("plum harbor seven lanterns").unwrap().hash(&mut app.rng());
        FirstAdministrator { email: email.to_owned(), name: None, password, organization: "Orders".to_owned() }
    }

    #[tokio::test]
    async fn a_new_instance_gets_one_administrator_however_many_ask_at_once() {
        let (app, _directory) = app().await;
        assert!(app.home().await.unwrap().is_none());
        assert!(app.first_run_link(FirstRun::Untouched).await.unwrap().is_some());
        let by = By::operator();
        let (one, other) = tokio::join!(
            app.make_first_administrator(&by, FirstRun::Untouched, first(&app, "one@orders.test")),
            app.make_first_administrator(&by, FirstRun::Untouched, first(&app, "other@orders.test"))
        );
        assert_eq!([&one, &other].into_iter().filter(|made| made.is_ok()).count(), 1, "{one:?} {other:?}");
        assert!([&one, &other].into_iter().any(|made| matches!(made, Err(NotMade::TooLate))));
        let home = app.home().await.unwrap().unwrap();
        assert_eq!((home.name.as_str(), home.ceiling), ("Orders", Some(PermissionMask::everything())));
        let user = one.or(other).unwrap().user;
        let held = app.store.within(Reach::Instance).held_everywhere(user.into()).await.unwrap();
        assert!(held.contains("claviger:apis:write"));
        assert!(app.is_administered().await.unwrap());
        for printed in FirstRun::ALL {
            assert!(app.first_run_link(printed).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn a_rule_that_says_no_leaves_nothing_behind() {
        let (app, _directory) = app().await;
        let by = By::operator();
        let nameless = FirstAdministrator { organization: " ".to_owned(), ..first(&app, "one@orders.test") };
        assert!(matches!(
            app.make_first_administrator(&by, FirstRun::Untouched, nameless).await,
            Err(NotMade::OrganizationRejected)
        ));
        let homeless = app.make_first_administrator(&by, FirstRun::Untouched, first(&app, "no address")).await;
        assert!(matches!(homeless, Err(NotMade::Rejected(_))), "{homeless:?}");
        assert!(app.home().await.unwrap().is_none());
        assert!(app.still_holds(FirstRun::Untouched).await.unwrap());
    }

    #[tokio::test]
    async fn a_code_is_whole_or_none() {
        let (app, _directory) = app().await;
        for printed in FirstRun::ALL {
            let link = app.first_run_link(printed).await.unwrap().unwrap();
            let (_, code) = link.expose().split_once("?code=").unwrap();
            assert!(claviger_core::is_link_code(code));
            assert_eq!(app.first_run_code(code), Some(printed));
            let later = format!("f{}", &code[1..]);
            let (part, other) = (&code[..39], code.replace(&code[39..], "x"));
            for wrong in ["", "f", part, &later, &other, &"é".repeat(20), &"0".repeat(40)] {
                assert_eq!(app.first_run_code(wrong), None, "{wrong}");
            }
        }
    }
}
