//! Sign-in sessions in storage.

use claviger_core::{
    Color, Digest, Membership, Organization, PortalLook, PortalOrigins, Reach, Session, SessionEnd, SessionKind,
    SignInMethod,
};
use claviger_store::{AuditFilter, FoundPortal};
use claviger_token::{SessionId, TypedId as _, UserId};

use crate::{
    authenticators::person,
    db::{TestDb, all},
    sample::{World, at, digest, event, rng},
};

fn session(user: UserId, created: i64) -> Session {
    Session {
        id: SessionId::generate(at(created), &mut rng()),
        user,
        kind: SessionKind::Console,
        method: SignInMethod::Password,
        organization: None,
        return_url: None,
        vouched_by: None,
        address: None,
        user_agent: None,
        created_at: at(created),
        authenticated_at: at(created),
        seen_at: at(created),
        ends_at: at(created + 1000),
    }
}

async fn insert(db: &TestDb, session: &Session) -> Digest {
    let digest = digest();
    db.write(async |tx| tx.insert_session(session, &digest).await).await;
    digest
}

on_both_databases! {
    async fn a_session_reads_back_by_its_digest_as_it_was_written(db: &TestDb) {
        let world = World::stored(db).await;
        let zoe = person(db, "zoe@acme.test").await;
        let bare = session(zoe, 0);
        let full = Session {
            kind: SessionKind::Portal,
            method: SignInMethod::RecoveryCode,
            organization: Some(world.acme.id),
            return_url: Some("https://acme.test/back".to_owned()),
            vouched_by: Some("operator".to_owned()),
            address: Some("2001:db8::7".parse().unwrap()),
            user_agent: Some("Größe/1".to_owned()),
            authenticated_at: at(5),
            ..session(zoe, 1)
        };
        for session in [&bare, &full] {
            let digest = insert(db, session).await;
            let found = db.store.find_session(&digest).await.unwrap().unwrap();
            assert_eq!((&found.session, found.email.as_str(), found.disabled), (session, "zoe@acme.test", false));
        }
        assert_eq!(db.store.find_session(&digest()).await.unwrap(), None);
        assert_eq!(db.store.sessions_of(zoe).await.unwrap(), [full, bare]);
    }

    async fn a_session_at_a_portal_says_where_that_is_and_whether_it_is_closed(db: &TestDb) {
        let world = World::stored(db).await;
        let zoe = person(db, "zoe@acme.test").await;
        let at_portal = Session {
            kind: SessionKind::Portal,
            organization: Some(world.acme.id),
            return_url: Some("https://app.acme.test/".to_owned()),
            ..session(zoe, 0)
        };
        let (digest, console) = (insert(db, &at_portal).await, insert(db, &session(zoe, 1)).await);
        let portal = async |digest: &Digest| db.store.find_session(digest).await.unwrap().unwrap().portal;
        assert_eq!(portal(&console).await, None);
        assert!(portal(&digest).await.unwrap().closed, "she is no member");
        let origins = PortalOrigins::from_text("https://app.acme.test https://acme.test");
        let look = PortalLook { name: None, color: Color::parse("#aa0011").ok() };
        let acme = Organization { portal_origins: origins.clone(), portal_look: look.clone(), ..world.acme.clone() };
        db.write(async |tx| {
            tx.insert_membership(&Membership { organization: acme.id, user: zoe, created_at: at(0) }).await?;
            tx.save_organization(&acme).await
        }).await;
        let open = FoundPortal { organization: acme.id, name: acme.name.to_string(), origins, look, closed: false };
        assert_eq!(portal(&digest).await, Some(open));
        for column in ["disabled_at", "deleted_at"] {
            let set = |value| format!("UPDATE organization SET {column} = {value} WHERE id = '{}'", acme.id);
            db.tamper(&set("1")).await;
            assert!(portal(&digest).await.unwrap().closed, "{column}");
            db.tamper(&set("NULL")).await;
        }
        db.write(async |tx| tx.close_portal(acme.id).await).await;
        assert_eq!(db.store.find_session(&digest).await.unwrap(), None);
        assert!(db.store.find_session(&console).await.unwrap().is_some());
    }

    async fn what_a_user_has_at_portals_ends_alone(db: &TestDb) {
        let world = World::stored(db).await;
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let at_portal = |user| Session { kind: SessionKind::Portal, organization: Some(world.acme.id), ..session(user, 0) };
        let (ended, kept) = (insert(db, &at_portal(zoe)).await, [insert(db, &session(zoe, 0)).await, insert(db, &at_portal(yann)).await]);
        db.write(async |tx| {
            assert_eq!(tx.end_portal_sessions_of(zoe, SessionEnd::ReachesFurther).await?, 1);
            Ok(())
        }).await;
        assert_eq!(db.store.find_session(&ended).await.unwrap(), None);
        for digest in kept {
            assert!(db.store.find_session(&digest).await.unwrap().is_some());
        }
    }

    async fn a_session_of_a_user_who_is_disabled_or_deleted_says_so(db: &TestDb) {
        for column in ["disabled_at", "deleted_at"] {
            let zoe = person(db, &format!("{column}@acme.test")).await;
            let digest = insert(db, &session(zoe, 0)).await;
            db.tamper(&format!("UPDATE person SET {column} = 1 WHERE id = '{zoe}'")).await;
            assert!(db.store.find_session(&digest).await.unwrap().unwrap().disabled, "{column}");
        }
    }

    async fn a_renewed_session_answers_to_its_new_digest_alone(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let session = session(zoe, 0);
        let (old, new) = (insert(db, &session).await, digest());
        let renewed = Session {
            method: SignInMethod::Totp, authenticated_at: at(9), seen_at: at(9), ..session.clone()
        };
        db.write(async |tx| { assert!(tx.renew_session(&renewed, &new).await?); Ok(()) }).await;
        assert_eq!(db.store.find_session(&old).await.unwrap(), None);
        assert_eq!(db.store.find_session(&new).await.unwrap().unwrap().session, renewed);
        db.write(async |tx| {
            assert!(tx.end_session(zoe, session.id).await?);
            assert!(!tx.renew_session(&renewed, &new).await?);
            Ok(())
        }).await;
    }

    async fn the_last_use_never_goes_back(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let session = session(zoe, 0);
        let digest = insert(db, &session).await;
        for seen in [70, 60] {
            db.store.note_session(session.id, at(seen)).await.unwrap();
            assert_eq!(db.store.find_session(&digest).await.unwrap().unwrap().session.seen_at, at(70));
        }
    }

    async fn nobody_ends_the_session_of_another(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let session = session(zoe, 0);
        let digest = insert(db, &session).await;
        db.write(async |tx| {
            assert!(!tx.end_session(yann, session.id).await?);
            assert!(tx.end_session(zoe, session.id).await?);
            assert!(!tx.end_session(zoe, session.id).await?);
            Ok(())
        }).await;
        assert_eq!(db.store.find_session(&digest).await.unwrap(), None);
    }

    async fn all_but_one_end_with_an_event_each(db: &TestDb) {
        let (zoe, yann) = (person(db, "zoe@acme.test").await, person(db, "yann@acme.test").await);
        let (kept, first, second, strange) = (session(zoe, 0), session(zoe, 1), session(zoe, 2), session(yann, 3));
        for session in [&kept, &first, &second, &strange] {
            insert(db, session).await;
        }
        db.write(async |tx| {
            assert_eq!(tx.end_sessions_of(zoe, Some(kept.id), SessionEnd::PasswordChanged).await?, 2);
            Ok(())
        }).await;
        assert_eq!(db.store.sessions_of(zoe).await.unwrap(), [kept]);
        assert_eq!(db.store.sessions_of(yann).await.unwrap(), [strange]);
        for ended in [first.id, second.id] {
            let filter = AuditFilter { target: Some(ended.to_string()), ..AuditFilter::default() };
            let events = db.store.within(Reach::Instance).audit_events(&filter, &all()).await.unwrap();
            assert!(events[0].record.contains("password_changed"), "{events:?}");
        }
        db.write(async |tx| {
            assert_eq!(tx.end_sessions_of(zoe, None, SessionEnd::Revoked).await?, 1);
            assert_eq!(tx.end_sessions_of(zoe, None, SessionEnd::Revoked).await?, 0);
            Ok(())
        }).await;
        assert_eq!(db.store.verify_audit().await.unwrap().findings, []);
    }

    async fn ended_sessions_are_trimmed(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let (old, young) = (session(zoe, 0), session(zoe, 1));
        insert(db, &old).await;
        insert(db, &young).await;
        db.store.trim(old.ends_at).await.unwrap();
        assert_eq!(db.store.sessions_of(zoe).await.unwrap(), [young]);
    }

    async fn a_session_that_was_not_committed_does_not_exist(db: &TestDb) {
        let zoe = person(db, "zoe@acme.test").await;
        let digest = digest();
        let by = claviger_core::By::operator();
        let mut tx = db.store.begin(&by).await.unwrap();
        tx.insert_session(&session(zoe, 0), &digest).await.unwrap();
        tx.also(event(None, Vec::new()));
        drop(tx);
        assert_eq!(db.store.find_session(&digest).await.unwrap(), None);
    }
}
