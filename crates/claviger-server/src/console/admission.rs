//! Whom an outside provider lets in, as one change: the identity that becomes known, the user who is made, and the roles
//! that their groups give and take there. The rules are in core (`identity.rs`, `group_role.rs`).

use std::collections::BTreeMap;

use claviger_core::{
    Actor, Admission, Assignment, By, Claims, Event, Granted, GroupRole, Identity, Known, MappedRole, Membership,
    NotAdmitted, Organization, Reach, Scope, User, follow_groups,
};
use claviger_store::{StoreError, Tx};
use claviger_token::UserId;

use super::{
    device,
    sign_in::tell_behind,
    trouble::{ProviderTrouble, Trouble},
    visit::Visit,
};
use crate::{
    app::App,
    provider::{Provider, ProviderAt},
};

/// Who that is here.
pub(super) async fn admit(app: &App, visit: &Visit, provider: &Provider, claims: &Claims) -> Result<UserId, Trouble> {
    let by = By { actor: Actor::System, address: visit.from.address, request_id: visit.from.request_id.clone() };
    let email = claims.verified_email();
    let was_here = email.is_some_and(|email| device::is_known(visit, &app.account(&email.key()), app));
    let admitted = match try_admit(app, &provider.at, claims, was_here, &by).await {
        // Somebody was first, perhaps they themselves in another window: now it shows.
        Err(StoreError::Taken(_)) => try_admit(app, &provider.at, claims, was_here, &by).await?,
        admitted => admitted?,
    };
    admitted.map_err(|(why, user)| {
        tell_refusal(app, visit, provider, &claims.subject, user, why.as_str());
        Trouble::Provider(match why {
            NotAdmitted::Unverified => ProviderTrouble::Unverified,
            NotAdmitted::Unknown | NotAdmitted::AnotherIdentity | NotAdmitted::Disabled => ProviderTrouble::Unknown,
        })
    })
}

/// Tells that somebody did not get in, once a minute for each of the provider's people, and written behind.
pub(super) fn tell_refusal(
    app: &App,
    visit: &Visit,
    provider: &Provider,
    subject: &str,
    user: Option<UserId>,
    reason: &'static str,
) {
    let issuer = &provider.at.issuer;
    let account = app.peppers.keyed_hash("account-elsewhere", &[issuer.as_bytes(), subject.as_bytes()]);
    if app.throttle.is_failure_to_be_told(account, app.now()) {
        tell_behind(app, visit, Identity::not_admitted(issuer, user, reason));
    }
}

type Admitted = Result<UserId, (NotAdmitted, Option<UserId>)>;

/// `was_here`: whether whoever has the address was signed in before in this browser.
async fn try_admit(
    app: &App,
    at: &ProviderAt,
    claims: &Claims,
    was_here: bool,
    by: &By,
) -> Result<Admitted, StoreError> {
    let now = app.now();
    let mut tx = app.store.begin(by).await?;
    let linked = match tx.identity(&at.issuer, &claims.subject).await? {
        Some(identity) => tx.to_change(Reach::Instance).user(identity.user).await?,
        None => None,
    };
    let by_email = match claims.verified_email().filter(|_| linked.is_none()) {
        Some(email) => tx.to_change(Reach::Instance).user_by_email(&email).await?,
        None => None,
    };
    // First the user and then organizations, as everywhere.
    let organizations = organizations(&mut tx, &at.group_roles).await?;
    let identity = match &by_email {
        Some(user) => tx.identity_of(user.id, &at.issuer).await?,
        None => None,
    };
    if identity.as_ref().is_some_and(|identity| identity.subject == claims.subject) {
        // They came in by another window since it was looked for.
        return Err(StoreError::Taken("identity"));
    }
    let known = Known {
        linked: linked.as_ref(),
        by_email: by_email.as_ref(),
        by_email_is_another: identity.is_some(),
        by_email_was_here: was_here,
    };
    let (mut events, mut ended) = (Vec::new(), None);
    let (user, is_new) = match claims.admit(known, at.create_users) {
        Err(why) => return Ok(Err((why, linked.or(by_email).map(|user| user.id)))),
        Ok(Admission::Linked(user)) => (user, false),
        Ok(Admission::Link(user)) => {
            if let Some(claimed) = by_email.filter(|user| user.email_claimed) {
                tx.save_user(&User { email_claimed: false, ..claimed }).await?;
            }
            (user, true)
        }
        Ok(Admission::Take(user)) => {
            ended = Some(tx.take_claimed_user(user, now).await?);
            (user, true)
        }
        Ok(Admission::Create(new)) => {
            // The address and the name were read already, so that nothing is left to refuse.
            let Ok((user, event)) = User::create(&new, now, &mut app.rng()) else {
                return Ok(Err((NotAdmitted::Unverified, None)));
            };
            tx.insert_user(&user).await?;
            events.push(event);
            (user.id, true)
        }
    };
    if is_new {
        let (identity, event) = match &ended {
            Some(ended) => Identity::take(&at.issuer, &claims.subject, user, ended, now),
            None => Identity::link(&at.issuer, &claims.subject, user, now),
        };
        tx.insert_identity(&identity).await?;
        events.push(event);
    }
    for (organization, rules) in &organizations {
        events.extend(follow(app, &mut tx, user, organization, rules, &claims.groups).await?);
    }
    if let Some(last) = events.pop() {
        events.into_iter().for_each(|event| tx.also(event));
        tx.commit(last, now, &mut app.rng()).await?;
    }
    Ok(Ok(user))
}

/// The organizations that the rules name, locked in the order of their ids.
async fn organizations<'r>(
    tx: &mut Tx<'_>,
    rules: &'r [GroupRole],
) -> Result<Vec<(Organization, Vec<&'r GroupRole>)>, StoreError> {
    let mut by_slug: BTreeMap<&str, Vec<&GroupRole>> = BTreeMap::new();
    for rule in rules {
        by_slug.entry(rule.organization.as_str()).or_default().push(rule);
    }
    let mut by_id = BTreeMap::new();
    for (slug, rules) in by_slug {
        match tx.within(Reach::Instance).organization_by_slug(slug).await? {
            Some(organization) => drop(by_id.insert(organization.id, rules)),
            None => tracing::warn!(slug, "oidc_group_roles names an organization that is not there"),
        }
    }
    let mut organizations = Vec::new();
    for (id, rules) in by_id {
        // One that is deleted meanwhile gives nothing.
        organizations.extend(tx.to_change(Reach::Instance).organization(id).await?.map(|found| (found, rules)));
    }
    Ok(organizations)
}

/// Gives and takes in one organization what groups give. A membership is made for what is given, and stays when it is taken:
/// ending one ends tokens for good, which a group that is missing for a day must not.
async fn follow(
    app: &App,
    tx: &mut Tx<'_>,
    user: UserId,
    organization: &Organization,
    rules: &[&GroupRole],
    groups: &[String],
) -> Result<Option<Event>, StoreError> {
    let (home, here) = (organization.id, Reach::Organization(organization.id));
    let scope = Scope::Organization(home);
    let mut mapped: Vec<MappedRole> = Vec::new();
    for rule in rules {
        let Some(role) = tx.within(here).role_called(&rule.role, Some(home)).await? else {
            let (slug, role) = (organization.slug.as_str(), rule.role.as_str());
            tracing::warn!(slug, role, "oidc_group_roles names a role that is not there");
            continue;
        };
        let given = groups.contains(&rule.group);
        match mapped.iter_mut().find(|known| known.id == role.id) {
            Some(known) => known.given |= given,
            None => mapped.push(MappedRole { id: role.id, name: role.name, given }),
        }
    }
    let held = tx.within(here).assignments_of(user.into()).await?;
    let (given, taken) = follow_groups(&mapped, &held, scope);
    if given.is_empty() && taken.is_empty() {
        return Ok(None);
    }
    let mut after: Vec<Assignment> = held.iter().filter(|kept| !taken.contains(kept)).cloned().collect();
    for role in given {
        let granted = Granted::Role { id: role.id, name: role.name.clone() };
        after.push(Assignment::create(user.into(), home, scope, granted, app.now(), &mut app.rng()).0);
    }
    let event = match tx.within(here).membership(home, user).await? {
        Some(membership) => membership.change(&held, &after),
        None => {
            let (membership, event) = Membership::join(home, user, &after, app.now());
            tx.insert_membership(&membership).await?;
            event
        }
    };
    for assignment in taken {
        tx.delete_assignment(assignment.id).await?;
    }
    for assignment in after.iter().filter(|assignment| !held.contains(assignment)) {
        tx.insert_assignment(assignment).await?;
    }
    Ok(Some(event))
}

#[cfg(test)]
mod tests {
    use claviger_core::{NewSession, Password, PasswordChange, Session, SignInMethod};
    use claviger_token::Secret;

    use super::*;
    use crate::app::tests::app;

    fn provider() -> ProviderAt {
        ProviderAt {
            issuer: "https://idp.test".to_owned(),
            client_id: "claviger".to_owned(),
            client_secret: Secret::new("of the provider".to_owned()),
            name: "Acme".to_owned(),
            scopes: Vec::new(),
            groups_claim: None,
            group_roles: Vec::new(),
            create_users: false,
        }
    }

    fn bob(subject: &str) -> Claims {
        Claims {
            subject: subject.to_owned(),
            email: Some("bob@acme.test".to_owned()),
            email_verified: true,
            ..Claims::default()
        }
    }

    /// Somebody who accepted an invitation to Bob's address, with a password and a session.
    async fn claim(app: &App) -> (UserId, Secret) {
        let (by, now) = (By::system(), app.now());
        let new = claviger_core::NewUser::with_email("bob@acme.test");
        let (user, event) = User::create(&new, now, &mut app.rng()).unwrap();
        let mut tx = app.store.begin(&by).await.unwrap();
        tx.insert_user(&user.clone().claimed()).await.unwrap();
        let hash = Password::presented("plum harbor seven lanterns").unwrap().hash(&mut app.rng());
        let own = tx.authenticators(user.id).await.unwrap().unwrap();
        tx.save_authenticators(&own.set_password(hash, PasswordChange::Chosen, now).0).await.unwrap();
        let new = NewSession { user: user.id, method: SignInMethod::Password, address: None, user_agent: None };
        let (session, secret, _) = Session::start(&new, app.config.sessions, now, &mut app.rng());
        tx.insert_session(&session, &app.peppers.digest(&secret.hash())).await.unwrap();
        tx.commit(event, now, &mut app.rng()).await.unwrap();
        (user.id, secret)
    }

    /// Whether password and session still open the account, and whether the address is still only claimed.
    async fn state(app: &App, user: UserId, session: &Secret) -> (bool, bool, bool) {
        let own = app.store.authenticators(user).await.unwrap().unwrap();
        let session = app.store.find_session(&app.peppers.digest(&session.hash())).await.unwrap();
        let user = app.store.within(Reach::Instance).user(user).await.unwrap().unwrap();
        (own.password.is_some(), session.is_some(), user.email_claimed)
    }

    #[tokio::test]
    async fn whoever_claimed_an_address_is_out_once_its_owner_comes() {
        let (app, _directory) = app().await;
        let (user, session) = claim(&app).await;
        let come = async |subject: &str, was_here| {
            try_admit(&app, &provider(), &bob(subject), was_here, &By::system()).await.unwrap()
        };
        assert_eq!(state(&app, user, &session).await, (true, true, true));
        assert_eq!(come("42", false).await, Ok(user));
        assert_eq!(state(&app, user, &session).await, (false, false, false));
        assert_eq!(come("42", false).await, Ok(user));
        assert_eq!(come("43", false).await, Err((NotAdmitted::AnotherIdentity, Some(user))));
    }

    #[tokio::test]
    async fn whoever_was_signed_in_in_this_browser_before_keeps_what_they_have() {
        let (app, _directory) = app().await;
        let (user, session) = claim(&app).await;
        let admitted = try_admit(&app, &provider(), &bob("42"), true, &By::system()).await.unwrap();
        assert_eq!(admitted, Ok(user));
        assert_eq!(state(&app, user, &session).await, (true, true, false));
    }
}
