//! Things to store: bare ones, and ones with every nullable field set. Each is a millisecond younger than the last.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use claviger_core::{
    AccessTokens, Action, AlsoAccepts, Api, Assignment, Chain, ClaimCode, ClientCertificate, ClientKey, Color,
    Credential, DeclaredPermission, Device, Digest, Email, Event, Federation, Fleet, Granted, Metadata, Name,
    Organization, Policy, PortalLook, PortalOrigins, Role, Routes, Scope, SecretRecord, ServiceAccount, Slug, Touched,
    User,
};
use claviger_token::{
    ApiId, ApiKeyId, CertificateId, ClaimCodeId, ClientSecretId, Confirmation, Environment, FederationId, FleetId,
    Limits, NetworkSet, ObjectSet, OrganizationId, PermissionMask, PermissionSet, PublicKeyId, Quota, QuotaPeriod,
    RateLimit, RoleId, ServiceAccountId, TypedId as _, UserId,
};
use jiff::Timestamp;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;

/// So many milliseconds after some day in 2027.
pub(crate) fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
}

/// Another sequence with every call.
pub(crate) fn rng() -> StdRng {
    static SEED: AtomicU64 = AtomicU64::new(1);
    StdRng::seed_from_u64(SEED.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn later() -> Timestamp {
    static CLOCK: AtomicI64 = AtomicI64::new(1);
    at(CLOCK.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn set(text: &str) -> PermissionSet {
    PermissionSet::from_text(text).unwrap()
}

pub(crate) fn metadata() -> Metadata {
    Metadata::parse(&json!({ "plan": "größer", "seats": [1, null] })).unwrap()
}

pub(crate) fn networks() -> NetworkSet {
    NetworkSet::parse(["10.0.0.0/8", "2001:db8::/32"]).unwrap()
}

pub(crate) fn limits() -> Limits {
    let rate = |name: &str, limit, window_seconds| RateLimit { name: name.to_owned(), limit, window_seconds };
    let quota = Some(Quota { limit: 1_000_000_000_000, period: QuotaPeriod::Month });
    Limits { rates: vec![rate("default", 100, 60), rate("burst", 1_000_000_000, 31_622_400)], quota }
}

/// An event in the instance's chain, or in an organization's.
pub(crate) fn event(organization: Option<OrganizationId>, touched: Vec<Touched>) -> Event {
    Event {
        chain: Chain::from(organization),
        action: Action::ApiKeyUpdated,
        target: "key_x".to_owned(),
        details: json!({ "name": "production" }),
        personal: None,
        touched,
    }
}

pub(crate) fn organization(slug: &str) -> Organization {
    let now = later();
    Organization {
        id: OrganizationId::generate(now, &mut rng()),
        slug: Slug::parse(slug).unwrap(),
        name: name(slug),
        external_id: None,
        ceiling: None,
        policy: Policy::default(),
        limits: Limits::default(),
        portal_origins: PortalOrigins::default(),
        portal_look: PortalLook::default(),
        metadata: Metadata::default(),
        disabled_at: None,
        created_at: now,
        deleted_at: None,
    }
}

/// One with every nullable field set but the end.
pub(crate) fn full_organization(slug: &str) -> Organization {
    Organization {
        external_id: Some(format!("ext-{slug}")),
        ceiling: PermissionMask::from_text("* claviger:* invoices:read").ok(),
        limits: limits(),
        policy: Policy { allowed_networks: Some(networks()), expiry_required: true, ..Policy::default() },
        portal_origins: PortalOrigins::from_text("https://app.acme.test http://localhost:3000"),
        portal_look: PortalLook { name: Some(name("Größer")), color: Color::parse("#0a7d4b").ok() },
        metadata: metadata(),
        disabled_at: Some(at(3)),
        ..organization(slug)
    }
}

pub(crate) fn service_account(organization: &Organization, called: &str) -> ServiceAccount {
    let now = later();
    ServiceAccount {
        id: ServiceAccountId::generate(now, &mut rng()),
        organization: organization.id,
        name: name(called),
        external_id: None,
        token_endpoint_auth_method: None,
        legacy_assertion_audience: false,
        dpop_bound_access_tokens: false,
        grant_types: None,
        tls_client_certificate_bound_access_tokens: false,
        limits: Limits::default(),
        metadata: Metadata::default(),
        disabled_at: None,
        created_at: now,
        deleted_at: None,
    }
}

pub(crate) fn user(email: &str) -> User {
    let now = later();
    User {
        id: UserId::generate(now, &mut rng()),
        email: Email::parse(email).unwrap(),
        email_claimed: false,
        name: None,
        external_id: None,
        metadata: Metadata::default(),
        disabled_at: None,
        created_at: now,
    }
}

/// One with every nullable field set.
pub(crate) fn full_user(email: &str, external_id: &str) -> User {
    User {
        email_claimed: true,
        name: Some(name("Zoë \u{1F680}")),
        external_id: Some(external_id.to_owned()),
        metadata: metadata(),
        disabled_at: Some(at(3)),
        ..user(email)
    }
}

pub(crate) fn role(organization: Option<&Organization>, called: &str, permissions: &str) -> Role {
    let now = later();
    Role {
        id: RoleId::generate(now, &mut rng()),
        organization: organization.map(|organization| organization.id),
        name: called.to_owned(),
        description: None,
        permissions: set(permissions),
        builtin: false,
        created_at: now,
    }
}

pub(crate) fn permission(name: &str, description: Option<&str>) -> DeclaredPermission {
    DeclaredPermission { name: name.parse().unwrap(), description: description.map(str::to_owned) }
}

pub(crate) fn api(identifier: &str, permissions: &[&str]) -> Api {
    let now = later();
    Api {
        id: ApiId::generate(now, &mut rng()),
        identifier: identifier.to_owned(),
        name: name("Invoices"),
        permissions: permissions.iter().map(|name| permission(name, None)).collect(),
        resource_servers: Vec::new(),
        origins: Vec::new(),
        also_accepts: AlsoAccepts::default(),
        routes: Routes::default(),
        access_tokens: AccessTokens::default(),
        builtin: false,
        created_at: now,
    }
}

pub(crate) fn of_role(account: &ServiceAccount, scope: Scope, role: &Role) -> Assignment {
    let granted = Granted::Role { id: role.id, name: role.name.clone() };
    Assignment::create(account.id.into(), account.organization, scope, granted, later(), &mut rng()).0
}

pub(crate) fn direct(account: &ServiceAccount, scope: Scope, permission: &str) -> Assignment {
    let granted = Granted::Permission(permission.parse().unwrap());
    Assignment::create(account.id.into(), account.organization, scope, granted, later(), &mut rng()).0
}

pub(crate) fn digest() -> Digest {
    let mut bytes = [0; 32];
    rng().fill_bytes(&mut bytes);
    Digest { bytes, pepper: 1 }
}

pub(crate) fn secret(number: u32) -> SecretRecord {
    SecretRecord {
        number,
        hint: format!("h{number}xy"),
        created_at: at(i64::from(number)),
        ends_at: None,
        last_used_at: None,
        last_used_from: None,
        created_by: "operator".to_owned(),
    }
}

pub(crate) fn key(account: &ServiceAccount, called: &str) -> Credential {
    let now = later();
    Credential {
        id: ApiKeyId::generate(now, &mut rng()).into(),
        organization: account.organization,
        principal: account.id.into(),
        approval: None,
        name: name(called),
        environment: Environment::Live,
        permissions: PermissionMask::from_text("* claviger:verify").unwrap(),
        objects: None,
        networks: None,
        not_before: None,
        expires_at: None,
        disabled_at: None,
        disabled_by: None,
        revocation: None,
        confirmation: None,
        epoch: 1,
        epoch_raised_at: None,
        limits: Limits::default(),
        metadata: Metadata::default(),
        created_at: now,
        created_by: "operator".to_owned(),
        deleted_at: None,
        secrets: vec![secret(1)],
        used_without_secret: None,
    }
}

/// By which an account proves itself at the token endpoint.
pub(crate) fn client_secret(account: &ServiceAccount, called: &str) -> Credential {
    let permissions = PermissionMask::everything();
    Credential { id: ClientSecretId::generate(later(), &mut rng()).into(), permissions, ..key(account, called) }
}

/// The same without a secret.
pub(crate) fn public_key(account: &ServiceAccount, called: &str) -> Credential {
    let id = PublicKeyId::generate(later(), &mut rng()).into();
    Credential { id, secrets: Vec::new(), ..client_secret(account, called) }
}

/// The same with a certificate.
pub(crate) fn certificate(account: &ServiceAccount, called: &str) -> Credential {
    Credential { id: CertificateId::generate(later(), &mut rng()).into(), ..public_key(account, called) }
}

pub(crate) fn client_certificate(stored: &str) -> ClientCertificate {
    ClientCertificate::from_text(stored).unwrap()
}

/// The same with conditions on assertions.
pub(crate) fn federation(account: &ServiceAccount, called: &str) -> Credential {
    Credential { id: FederationId::generate(later(), &mut rng()).into(), ..public_key(account, called) }
}

pub(crate) fn terms(stored: &str) -> Federation {
    Federation::from_text(stored).unwrap()
}

pub(crate) fn client_key(stored: &str) -> ClientKey {
    ClientKey::from_text(stored).unwrap()
}

/// One with every field set that a new key may have.
pub(crate) fn full_key(account: &ServiceAccount) -> Credential {
    Credential {
        environment: Environment::Test,
        objects: ObjectSet::parse(["base:*", "repo:acme/a-b"]).ok(),
        networks: Some(networks()),
        not_before: Some(at(5)),
        expires_at: Some(at(50_000)),
        confirmation: Some(Confirmation { jkt: Some([7; 32].into()), x5t_s256: Some([8; 32].into()) }),
        limits: limits(),
        metadata: metadata(),
        ..key(account, "größe \u{1F680}")
    }
}

pub(crate) fn fleet(organization: &Organization) -> Fleet {
    let now = later();
    Fleet {
        id: FleetId::generate(now, &mut rng()),
        organization: organization.id,
        name: name("größe"),
        device_lifetime_days: 90,
        closed_at: None,
        created_at: now,
        deleted_at: None,
    }
}

pub(crate) fn claim_code(fleet: &Fleet, uses: u32) -> ClaimCode {
    let now = later();
    ClaimCode {
        id: ClaimCodeId::generate(now, &mut rng()),
        fleet: fleet.id,
        organization: fleet.organization,
        hint: "h1xy".to_owned(),
        uses,
        used: 0,
        gives: set("a:read"),
        created_at: now,
        created_by: "operator".to_owned(),
        created_with: None,
        ends_at: at(1000),
        revoked_at: None,
    }
}

pub(crate) fn device(fleet: &Fleet, account: &ServiceAccount, thumbprint: &str) -> Device {
    Device {
        account: account.id,
        fleet: fleet.id,
        organization: fleet.organization,
        name: account.name.clone(),
        thumbprint: thumbprint.to_owned(),
        key: PublicKeyId::generate(at(0), &mut rng()).into(),
        former_key: None,
        claim_code: ClaimCodeId::generate(at(0), &mut rng()),
        enrolled_at: at(5),
        ended_at: None,
    }
}

/// Two organizations, one service account in each, and a key of each.
pub(crate) struct World {
    pub(crate) acme: Organization,
    pub(crate) ci: ServiceAccount,
    pub(crate) key: Credential,
    pub(crate) digest: Digest,
    pub(crate) globex: Organization,
    pub(crate) stranger: ServiceAccount,
    pub(crate) strange_key: Credential,
}

impl World {
    pub(crate) async fn stored(db: &crate::db::TestDb) -> Self {
        let (acme, globex) = (organization("acme"), organization("globex"));
        let (ci, stranger) = (service_account(&acme, "ci"), service_account(&globex, "stranger"));
        let (key, strange_key) = (key(&ci, "production"), key(&stranger, "strange"));
        let world = Self { acme, ci, key, digest: digest(), globex, stranger, strange_key };
        db.write(async |tx| {
            tx.insert_organization(&world.acme).await?;
            tx.insert_organization(&world.globex).await?;
            tx.insert_service_account(&world.ci).await?;
            tx.insert_service_account(&world.stranger).await?;
            tx.insert_credential(&world.key, &world.digest).await?;
            tx.insert_credential(&world.strange_key, &digest()).await
        })
        .await;
        world
    }
}
