//! `claviger serve --dev`: a small example, and what to try with it.

use std::net::SocketAddr;

use claviger_core::{
    Api, Assignment, By, DeclaredPermission, Granted, Grantor, IssuingContext, Membership, NewApi, NewApiKey,
    NewOrganization, NewPersonalAccessToken, NewServiceAccount, NewUser, OneTimeCode, Organization, Reach, Rejection,
    Scope, ServiceAccount, User,
};
use claviger_server::{App, BootstrapError, FirstRun};
use claviger_store::{Page, StoreError};
use claviger_token::{CredentialId, Permission, Secret};

use crate::{failure::Failure, settings::address_to_call};

const ORGANIZATION: &str = "acme";
const API: &str = "https://api.acme.test";
const ACCOUNT: &str = "billing sync";
const KEY: &str = "dev example";
const PERSON: &str = "dev@acme.test";
const ROLE: &str = "organization-admin";
const PERMISSIONS: [(&str, &str); 2] = [("invoices:read", "Read invoices"), ("invoices:write", "Change invoices")];

/// Why there is no example.
#[derive(Debug, thiserror::Error)]
enum ExampleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a rule refuses the example: {0:?}")]
    Rejected(#[from] Rejection),
    #[error(transparent)]
    Permission(#[from] claviger_token::PermissionError),
}

/// What is shown once.
struct Example {
    key: CredentialId,
    token: Secret,
    /// The person's token.
    pat: Secret,
    /// Of the link that signs the person in.
    code: Secret,
}

/// What `--dev` says at the start.
pub(crate) async fn welcome(
    app: &App,
    scheme: &str,
    public: SocketAddr,
    internal: SocketAddr,
) -> Result<String, Failure> {
    let (public, internal) = (address_to_call(scheme, public), address_to_call("http", internal));
    if exists(app).await? {
        return Ok(again(&public, app.first_run_link(FirstRun::Dev).await?.as_ref()));
    }
    let administrator = match app.bootstrap(false).await {
        Ok(made) => Some(made.api_key),
        Err(BootstrapError::AlreadyDone) => None,
        Err(error) => return Err(error.into()),
    };
    let example = make(app).await.map_err(|error| Failure::because("cannot make the example", &error))?;
    let internal_token = app.config.internal_token.is_some();
    let set_up = app.first_run_link(FirstRun::Dev).await?;
    Ok(first(&public, &internal, internal_token, administrator.as_ref(), &example, set_up.as_ref()))
}

/// Whether anybody has been here before: an organization other than ours, or the example's API.
async fn exists(app: &App) -> Result<bool, StoreError> {
    let mut view = app.store.within(Reach::Instance);
    let organizations = view.organizations(None, &Page { after: None, limit: 2 }).await?;
    let customers = organizations.iter().any(|organization| organization.slug.as_str() != "default");
    Ok(customers || view.catalog().await?.iter().any(|api| api.identifier == API))
}

/// Step by step, so that each leaves its own event in the audit trail.
async fn make(app: &App) -> Result<Example, ExampleError> {
    let (by, now) = (By::operator(), app.now());

    let mut tx = app.store.begin(&by).await?;
    let new = NewOrganization { name: "Acme".to_owned(), slug: Some(ORGANIZATION.to_owned()), ..Default::default() };
    let (organization, event) = Organization::create(new, now, &mut app.rng())?;
    tx.insert_organization(&organization).await?;
    tx.commit(event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let taken = tx.within(Reach::Instance).permissions_of_others(None).await?;
    let permission = |(name, description): (&str, &str)| {
        let name = name.parse::<Permission>()?;
        Ok(DeclaredPermission { name, description: Some(description.to_owned()) })
    };
    let permissions = PERMISSIONS.into_iter().map(permission).collect::<Result<Vec<_>, ExampleError>>()?;
    let new = NewApi {
        identifier: API.to_owned(),
        name: "Acme API".to_owned(),
        permissions: permissions.clone(),
        resource_servers: Vec::new(),
        origins: Vec::new(),
        accept_basic: false,
        query_parameter: None,
        route_rules: Vec::new(),
        access_token_ttl_seconds: None,
        signing_algorithm: None,
        access_token_format: None,
    };
    let (api, event) = Api::create(new, &taken, now, &mut app.rng())?;
    tx.insert_api(&api).await?;
    tx.commit(event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let home = organization.id;
    let (account, event) = ServiceAccount::create(&NewServiceAccount::named(home, ACCOUNT), now, &mut app.rng())?;
    tx.insert_service_account(&account).await?;
    for permission in permissions {
        let granted = Granted::Permission(permission.name);
        let scope = Scope::Organization(home);
        let (assignment, _) = Assignment::create(account.id.into(), home, scope, granted, now, &mut app.rng());
        tx.insert_assignment(&assignment).await?;
    }
    tx.commit(event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let context = IssuingContext {
        organization: &organization,
        principal: account.id.into(),
        held: &tx.within(Reach::Instance).held(account.id.into(), home).await?,
        held_everywhere: &tx.within(Reach::Instance).held_everywhere(account.id.into()).await?,
        declared: &tx.within(Reach::Instance).declared_permissions().await?,
        grantor: Grantor::Operator,
        governs: true,
        brand: &app.config.brand,
    };
    let new = NewApiKey::named(account.id, KEY, [PERMISSIONS[0].0]);
    let issued = new.issue(&context, by.actor.id(), now, &mut app.rng())?;
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    tx.commit(issued.event, now, &mut app.rng()).await?;
    let (pat, code) = person(app, &organization).await?;
    Ok(Example { key: issued.credential.id, token: issued.secret, pat, code })
}

/// Somebody with a token, and the code of a link that signs them in.
async fn person(app: &App, organization: &Organization) -> Result<(Secret, Secret), ExampleError> {
    let (by, now, home) = (By::operator(), app.now(), organization.id);
    let mut tx = app.store.begin(&by).await?;
    let new = NewUser { name: Some("Dev".to_owned()), ..NewUser::with_email(PERSON) };
    let (user, event) = User::create(&new, now, &mut app.rng())?;
    tx.insert_user(&user).await?;
    tx.commit(event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let role = tx.within(Reach::Instance).role_called(ROLE, None).await?;
    let granted = role.map(|role| Granted::Role { id: role.id, name: role.name });
    let scope = Scope::Organization(home);
    let read = Granted::Permission(PERMISSIONS[0].0.parse()?);
    let given: Vec<Assignment> = granted
        .into_iter()
        .chain([read])
        .map(|granted| Assignment::create(user.id.into(), home, scope, granted, now, &mut app.rng()).0)
        .collect();
    let (membership, event) = Membership::join(home, user.id, &given, now);
    tx.insert_membership(&membership).await?;
    for assignment in &given {
        tx.insert_assignment(assignment).await?;
    }
    tx.commit(event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let context = IssuingContext {
        organization,
        principal: user.id.into(),
        held: &tx.within(Reach::Instance).held(user.id.into(), home).await?,
        held_everywhere: &tx.within(Reach::Instance).held_everywhere(user.id.into()).await?,
        declared: &tx.within(Reach::Instance).declared_permissions().await?,
        grantor: Grantor::Operator,
        governs: true,
        brand: &app.config.brand,
    };
    let new = NewPersonalAccessToken::named(user.id, home, KEY, [PERMISSIONS[0].0]);
    let issued = new.issue(&context, by.actor.id(), now, &mut app.rng())?;
    tx.insert_credential(&issued.credential, &app.peppers.digest(&issued.secret.hash())).await?;
    tx.commit(issued.event, now, &mut app.rng()).await?;

    let mut tx = app.store.begin(&by).await?;
    let (code, secret, event) = OneTimeCode::sign_in(&user, &by.actor, now, &mut app.rng());
    tx.insert_one_time_code(&code, &app.peppers.digest(&secret.hash())).await?;
    tx.commit(event, now, &mut app.rng()).await?;
    Ok((issued.secret, secret))
}

/// Where the first administrator of the whole instance comes from, if there is none yet.
fn set_up(link: Option<&Secret>) -> String {
    link.map(|link| {
        format!(
            "  first run      {}\n                 makes you the administrator of the whole instance, within a day\n",
            link.expose()
        )
    })
    .unwrap_or_default()
}

fn again(public: &str, link: Option<&Secret>) -> String {
    let set_up = set_up(link);
    format!(
        "
Claviger runs. Nothing was made: this instance has organizations, perhaps the example of an earlier start.

  API reference  {public}/docs
  console        {public}/sign-in
{set_up}
The secrets were shown once. Next: another administrator's key, from the same settings; and with it in CLAVIGER_TOKEN, a link on which
the person of the example chooses a password:

  claviger bootstrap --another-key
  claviger user reset-password {PERSON}
"
    )
}

fn first(
    public: &str,
    internal: &str,
    internal_token: bool,
    administrator: Option<&Secret>,
    example: &Example,
    link: Option<&Secret>,
) -> String {
    let set_up = set_up(link);
    let (administrator_shown, token) = match administrator {
        Some(key) => (key.expose(), key.expose()),
        None => ("the one that `claviger bootstrap` printed; put it into CLAVIGER_TOKEN", "$CLAVIGER_TOKEN"),
    };
    let Example { key: id, token: example, pat, code } = example;
    let (example, pat, code) = (example.expose(), pat.expose(), code.expose());
    let json = "-H 'Content-Type: application/json'";
    let caller = if internal_token { " -H \"X-Claviger-Internal: $CLAVIGER_INTERNAL_TOKEN\"" } else { "" };
    let bearer = format!("-H \"Authorization: Bearer {token}\"");
    let (read, write) = (PERMISSIONS[0].0, PERMISSIONS[1].0);
    let verify = format!(
        "curl -s {internal}/v1/verify \\\n    {json}{caller} \\\n    -d '{{\"credential\":\"{example}\",\"permissions\":[\"{read}\"]}}'"
    );
    format!(
        "
Claviger runs, with a small example to try. The keys are shown this once.

  admin key      {administrator_shown}
  example key    {example}
  example token  {pat}
                 of {PERSON}; ends in 90 days, as {ORGANIZATION}'s policy says
  organization   {ORGANIZATION}, service account \"{ACCOUNT}\": may {read} and {write}; key and token only {read}
  API            {API}
  console        {public}/sign-in/link?code={code}
                 signs {PERSON} in, once and within an hour; {ROLE} of {ORGANIZATION}
{set_up}
1. Your API asks: is this key good, and may it read invoices?

  {verify}

2. The administrator lists the keys:

  curl -s {public}/v1/api-keys \\
    {bearer}

3. Roll it: the answer has a new token, and the old one works on for an hour.

  curl -s {public}/v1/api-keys/{id}/roll \\
    {bearer} \\
    {json} -d '{{\"overlap_seconds\":3600}}'

4. Revoke it, then ask 1 again: refused, from this answer on.

  curl -s {public}/v1/api-keys/{id}/revoke \\
    {bearer} \\
    {json} -d '{{\"reason\":\"compromised\"}}'

  API reference  {public}/docs

Next: the same from the command line. Put the admin key into CLAVIGER_TOKEN, then `claviger api-key list`.
"
    )
}
