//! Certificates of clients, and who vouches for them, in storage.

use claviger_core::{CertificateAuthority, ClientCertificate, Credential, Reach, Revocation, RevokeReason, Touched};
use claviger_store::StoreError;
use claviger_token::{Certificate, CertificateAuthorityId, CertificateId, CredentialId, OrganizationId, TypedId as _};
use rand::{SeedableRng as _, rngs::StdRng};

use crate::{
    db::{TestDb, all, walk},
    sample::{World, at, certificate, client_certificate, client_key, later, name, public_key, rng},
};

const DNS: &str = r#"{"san_dns":"billing.test"}"#;
const PEM: &str = include_str!("../../../claviger-token/src/certificate/self_signed.pem");

fn id(of: &Credential) -> CertificateId {
    let CredentialId::Certificate(id) = of.id else { panic!("{}", of.id) };
    id
}

fn names(found: &[(Credential, ClientCertificate)]) -> String {
    found.iter().map(|(one, _)| one.name.to_string()).collect::<Vec<_>>().join(", ")
}

fn authority(organization: OrganizationId, called: &str) -> CertificateAuthority {
    CertificateAuthority {
        id: CertificateAuthorityId::generate(later(), &mut rng()),
        organization,
        name: name(called),
        certificates: vec![Certificate::from_pem(PEM).unwrap(); 2],
        reaches_instance: called == "0",
        created_at: at(3),
        created_by: "operator".to_owned(),
    }
}

async fn add(db: &TestDb, new: &[CertificateAuthority]) {
    db.write(async |tx| {
        for one in new {
            tx.insert_certificate_authority(one).await?;
        }
        Ok(())
    })
    .await;
}

on_both_databases! {
    async fn a_certificate_reads_back_as_it_was_written_and_changed(db: &TestDb) {
        let world = World::stored(db).await;
        let (one, other) = (certificate(&world.ci, "one"), certificate(&world.ci, "other"));
        let this = ClientCertificate::This(Certificate::from_pem(PEM).unwrap());
        db.write(async |tx| {
            tx.insert_certificate(&one, &this).await?;
            tx.insert_certificate(&other, &client_certificate(DNS)).await
        }).await;
        for (written, stored) in [(&one, &this), (&other, &client_certificate(DNS))] {
            let (read, certificate) = db.view().certificate(id(written)).await.unwrap().unwrap();
            assert_eq!((&read, &certificate), (written, stored));
            assert_eq!(db.view().credential(written.id).await.unwrap().as_ref(), Some(written));
            assert!(db.store.find_credential(written.id).await.unwrap().is_some());
        }
        let changed = Credential { name: name("renamed"), expires_at: Some(at(9)), epoch: 2, ..one };
        db.write(async |tx| tx.save_credential(&changed).await).await;
        assert_eq!(db.view().certificate(id(&changed)).await.unwrap(), Some((changed, this)));
    }

    async fn a_client_has_those_that_were_neither_revoked_nor_deleted(db: &TestDb) {
        let world = World::stored(db).await;
        let revocation = Some(Revocation { at: at(1), reason: RevokeReason::Unspecified });
        let written = [
            certificate(&world.ci, "living"),
            Credential { disabled_at: Some(at(1)), ..certificate(&world.ci, "stopped") },
            Credential { revocation, ..certificate(&world.ci, "revoked") },
            Credential { deleted_at: Some(at(1)), ..certificate(&world.ci, "deleted") },
            certificate(&world.stranger, "strange"),
        ];
        db.write(async |tx| {
            for one in &written {
                tx.insert_certificate(one, &client_certificate(DNS)).await?;
                tx.save_credential(one).await?;
            }
            tx.insert_public_key(&public_key(&world.ci, "key"), &client_key(r#"{"jwks_uri":"https://a.test/"}"#)).await
        }).await;
        let mut own = db.store.within(Reach::Organization(world.acme.id));
        assert_eq!(names(&own.client_certificates(world.ci.id).await.unwrap()), "stopped, living");
        assert_eq!(names(&own.certificates(world.ci.id, &all()).await.unwrap()), "revoked, stopped, living");
        assert_eq!(names(&own.client_certificates(world.stranger.id).await.unwrap()), "");
        assert!(own.certificate(id(&written[3])).await.unwrap().is_none());
        assert!(own.certificate(id(&written[4])).await.unwrap().is_none());
        assert_eq!(names(&db.view().client_certificates(world.stranger.id).await.unwrap()), "strange");
        let seen = walk(|(one, _)| id(one), async |page| db.view().certificates(world.ci.id, &page).await).await;
        assert_eq!(seen.len(), 3);
    }

    async fn an_organization_has_authorities_of_its_own(db: &TestDb) {
        let world = World::stored(db).await;
        let written: Vec<_> = (0..7).map(|index| authority(world.acme.id, &index.to_string())).collect();
        add(db, &written).await;
        add(db, &[authority(world.globex.id, "strange")]).await;
        let mut own = db.store.within(Reach::Organization(world.acme.id));
        let mut newest_first = written.clone();
        newest_first.sort_unstable_by_key(|one| std::cmp::Reverse(one.id));
        assert_eq!(own.certificate_authorities(world.acme.id).await.unwrap(), newest_first);
        assert_eq!(own.certificate_authorities(world.globex.id).await.unwrap(), []);
        assert_eq!(own.certificate_authority(world.acme.id, written[2].id).await.unwrap().as_ref(), Some(&written[2]));
        assert_eq!(db.view().certificate_authority(world.globex.id, written[2].id).await.unwrap(), None);
        let strange = db.view().certificate_authorities(world.globex.id).await.unwrap().pop().unwrap();
        assert_eq!(own.certificate_authority(world.globex.id, strange.id).await.unwrap(), None);
        let seen = walk(|one: &CertificateAuthority| one.id, async |page| {
            db.view().page_of_certificate_authorities(world.acme.id, &page).await
        }).await;
        assert_eq!(seen, newest_first.iter().map(|one| one.id).collect::<Vec<_>>());
        db.write(async |tx| tx.end_all_in_organization(world.acme.id, at(9)).await.map(drop)).await;
        assert_eq!(db.view().certificate_authorities(world.acme.id).await.unwrap(), []);
        assert_eq!(db.view().certificate_authorities(world.globex.id).await.unwrap(), [strange]);
    }

    async fn the_word_of_an_authority_ends_with_the_tokens_that_came_of_it(db: &TestDb) {
        let world = World::stored(db).await;
        let (own, strange) = (certificate(&world.ci, "own"), certificate(&world.stranger, "strange"));
        let trusted = authority(world.acme.id, "one");
        db.write(async |tx| {
            tx.insert_certificate(&own, &client_certificate(DNS)).await?;
            tx.insert_certificate(&strange, &client_certificate(DNS)).await
        }).await;
        add(db, std::slice::from_ref(&trusted)).await;
        for id in [own.id, strange.id, world.key.id] {
            db.store.status_place(2900, id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
        }
        // A client with a certificate got tokens for somebody else's key.
        db.store.exchanged_by(2900, world.ci.id, world.strange_key.id).await.unwrap();
        db.store.status_place(2900, world.strange_key.id, 1, &mut StdRng::seed_from_u64(1)).await.unwrap();
        let mark = db.store.changes().mark();
        db.write(async |tx| tx.delete_certificate_authority(&trusted).await).await;
        assert_eq!(db.view().certificate_authorities(world.acme.id).await.unwrap(), []);
        let epoch = async |id| db.view().credential(id).await.unwrap().unwrap().epoch;
        assert_eq!((epoch(own.id).await, epoch(strange.id).await, epoch(world.key.id).await), (2, 1, 1));
        assert_eq!(epoch(world.strange_key.id).await, 2);
        let named = |id| !db.store.changes().hold_since(mark, [Touched::Credential(id)]);
        assert_eq!((named(own.id), named(strange.id)), (true, false));
    }

    async fn what_is_damaged_is_an_error_and_no_certificate_less(db: &TestDb) {
        let world = World::stored(db).await;
        db.write(async |tx| tx.insert_certificate(&certificate(&world.ci, "x"), &client_certificate(DNS)).await).await;
        add(db, &[authority(world.acme.id, "one")]).await;
        db.tamper("UPDATE credential SET client_key = '{}' WHERE kind = 'certificate'").await;
        db.tamper("UPDATE certificate_authority SET certificates = 'x'").await;
        let read = db.view().client_certificates(world.ci.id).await;
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
        let read = db.view().certificate_authorities(world.acme.id).await;
        assert!(matches!(read, Err(StoreError::Damaged(_))), "{read:?}");
    }
}
