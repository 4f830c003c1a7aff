//! OpenLDAP, over TLS.

use authd::login::directory::Directory;
use policy::directory::{self as settings, Bind, GroupSource, Groups, Search, dn};
use tests::ldap::open_ldap::BASE;
use tests::ldap::{Authority, OpenLdap};

use super::{attempt, claim, filter, member_of, now, open_ldap, reason};

#[tokio::test]
async fn somebody_is_known_by_an_id_that_never_changes_over_tls_and_starttls() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.group("devs", &["uid=ann,ou=people"]);
    let mut ids = Vec::new();
    for url in [server.ldaps(), server.ldap()] {
        let directory = Directory::new(&open_ldap(&url, &server.authority));
        let ann = attempt(&directory, "ann", "ann's password")
            .await
            .expect("she is known");
        assert_eq!(claim(&ann, "username"), ["ann"]);
        assert_eq!(claim(&ann, "email"), ["ann@example.test"]);
        assert_eq!(claim(&ann, "name"), ["ann example"]);
        assert_eq!(claim(&ann, "groups"), ["devs"]);
        assert_eq!(claim(&ann, "group_dns"), ["cn=devs,ou=groups,dc=example,dc=test"]);
        assert_eq!(reason(&directory, "ann", "wrong").await, "UserBindRefused");
        ids.push(ann.subject);
    }
    // By address, too, as the filter says.
    let directory = Directory::new(&open_ldap(&server.ldaps(), &server.authority));
    ids.push(
        attempt(&directory, "ann@example.test", "ann's password")
            .await
            .expect("she is known")
            .subject,
    );
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[tokio::test]
async fn g04_g05_what_is_typed_is_a_name_and_nothing_else() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.person("bob");
    server.person_with("odd", "uid: a*b\nuid: a)(b\nuid: a\\b\nuid: Lučić\n");
    let directory = Directory::new(&open_ldap(&server.ldaps(), &server.authority));
    for name in ["a*b", "a)(b", "a\\b", "Lučić", "ODD"] {
        assert_eq!(
            reason(&directory, name, "odd's password").await,
            "vouched for",
            "{name}"
        );
    }
    let long = "a".repeat(1 << 20);
    for (name, expected) in [
        ("*", "UnknownUser"),
        ("a*", "UnknownUser"),
        ("ann)(|(uid=*", "UnknownUser"),
        ("*)(objectClass=*", "UnknownUser"),
        ("a)(&)", "UnknownUser"),
        ("\\2a", "UnknownUser"),
        ("ann\0", "Unusable"),
        (&long, "Unusable"),
        ("", "Unusable"),
        ("  ", "Unusable"),
    ] {
        assert_eq!(reason(&directory, name, "ann's password").await, expected, "{name:.20}");
    }
    assert_eq!(reason(&directory, "ann", "ann's password").await, "vouched for");
}

#[tokio::test]
async fn g05_a_name_cannot_leave_its_place_in_a_dn() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.change(&format!(
        "dn: uid=odd\\, ann\\+x,ou=people,{BASE}\nobjectClass: inetOrgPerson\ncn: odd\nsn: odd\nuserPassword: odd's password\n"
    ));
    let mut settings = open_ldap(&server.ldaps(), &server.authority);
    settings.bind = Bind::Person(dn::Template::read(&format!("uid={{username}},ou=people,{BASE}")).expect("a DN"));
    settings.search.filter = filter("(objectClass=*)");
    settings.groups = None;
    let directory = Directory::new(&settings);
    let ann = attempt(&directory, "ann", "ann's password")
        .await
        .expect("she is known");
    assert_eq!(claim(&ann, "email"), ["ann@example.test"]);
    assert_eq!(reason(&directory, "odd, ann+x", "odd's password").await, "vouched for");
    for (name, expected) in [
        ("ann,ou=people,dc=example,dc=test", "UserBindRefused"),
        ("x,uid=ann", "UserBindRefused"),
        ("ann+cn=ann example", "UserBindRefused"),
        ("ann\\", "UserBindRefused"),
        ("#616e6e", "UserBindRefused"),
        ("\"ann\"", "UserBindRefused"),
        ("ann;", "UserBindRefused"),
        ("ann\0", "Unusable"),
    ] {
        assert_eq!(reason(&directory, name, "ann's password").await, expected, "{name}");
    }
    let gone = directory
        .look_up(&ann.subject, now())
        .await
        .expect_err("only she could");
    assert_eq!(gone.reason(), "NotLookedUp");
}

#[tokio::test]
async fn g06_g16_a_name_that_several_have_or_an_entry_without_one_id_is_refused() {
    let server = OpenLdap::start().await;
    server.person_with("ann", "uid: shared\n");
    server.person_with("bob", "uid: shared\nmail: aaa@example.test\n");
    let settings = open_ldap(&server.ldaps(), &server.authority);
    let directory = Directory::new(&settings);
    assert_eq!(reason(&directory, "shared", "ann's password").await, "AmbiguousUser");
    assert_eq!(reason(&directory, "nobody", "ann's password").await, "UnknownUser");
    // Of two addresses always the same.
    let bob = attempt(&directory, "bob", "bob's password").await.expect("he is known");
    assert_eq!(claim(&bob, "email"), ["aaa@example.test"]);
    let mut by_mail = settings.clone();
    by_mail.attributes.id = "mail".to_owned();
    let by_mail = Directory::new(&by_mail);
    assert_eq!(reason(&by_mail, "ann", "ann's password").await, "vouched for");
    assert_eq!(reason(&by_mail, "bob", "bob's password").await, "EntryUnusable");
}

#[tokio::test]
async fn g09_a_server_that_does_not_prove_who_it_is_is_told_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = ours.server(&["ldap.example.test"]);
    let old = "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.1:+VERS-TLS1.0";
    let new = "TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS1.2";
    for (name, certificate, more, expected) in [
        ("the right one", &good, "", "vouched for"),
        ("TLS 1.2", &good, new, "vouched for"),
        ("expired", &ours.expired(), "", "CertificateInvalid"),
        ("of another host", &ours.of_another_host(), "", "CertificateInvalid"),
        (
            "signed by another",
            &theirs.server(&["ldap.example.test"]),
            "",
            "CertificateInvalid",
        ),
        ("TLS 1.1", &good, old, "TlsRefused"),
    ] {
        let server = OpenLdap::showing(&ours, certificate, more).await;
        server.person("ann");
        for url in [server.ldaps(), server.ldap()] {
            let directory = Directory::new(&open_ldap(&url, &ours.pem()));
            assert_eq!(
                reason(&directory, "ann", "ann's password").await,
                expected,
                "{name} {url}"
            );
        }
        // Only the name is another, and the resource says so.
        if name == "of another host" {
            let mut settings = open_ldap(&server.ldaps(), &ours.pem());
            settings.tls.server_name = Some("elsewhere.example.test".to_owned());
            assert_eq!(
                reason(&Directory::new(&settings), "ann", "ann's password").await,
                "vouched for"
            );
        }
    }
}

#[tokio::test]
async fn a_server_may_ask_for_a_certificate_of_ours() {
    let authority = Authority::new();
    let shown = authority.server(&["ldap.example.test"]);
    let server = OpenLdap::showing(&authority, &shown, "TLSVerifyClient demand").await;
    server.person("ann");
    let mut settings = open_ldap(&server.ldaps(), &server.authority);
    let without = Directory::new(&settings);
    let reason_without = reason(&without, "ann", "ann's password").await;
    assert!(
        matches!(reason_without, "TlsRefused" | "ServerUnreachable"),
        "{reason_without}"
    );
    let client = authority.client("authd");
    settings.tls.client = Some(settings::ClientCertificate {
        chain: policy::secret::secret(client.chain.as_bytes()),
        key: policy::secret::secret(client.key.as_bytes()),
    });
    assert_eq!(
        reason(&Directory::new(&settings), "ann", "ann's password").await,
        "vouched for"
    );
}

#[tokio::test]
async fn g10_nobody_is_looked_up_with_the_rights_of_whoever_signed_in_before() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.person("bob");
    let mut settings = open_ldap(&server.ldaps(), &server.authority);
    settings.limits.connections = 1;
    let directory = Directory::new(&settings);
    // Ann may see nobody but herself: on a connection left bound as her Bob would be unknown.
    for (name, password, expected) in [
        ("ann", "ann's password", "vouched for"),
        ("bob", "bob's password", "vouched for"),
        ("ann", "wrong", "UserBindRefused"),
        ("bob", "bob's password", "vouched for"),
        ("nobody", "bob's password", "UnknownUser"),
        ("bob", "bob's password", "vouched for"),
    ] {
        assert_eq!(reason(&directory, name, password).await, expected, "{name} {password}");
    }
}

#[tokio::test]
async fn g12_who_is_locked_or_expired_is_refused_with_the_reason() {
    let server = OpenLdap::start().await;
    for name in ["ann", "locked", "shut", "reset"] {
        server.person(name);
    }
    server.person_with("late", "objectClass: shadowAccount\nshadowExpire: 20000\n");
    server.person_with("early", "objectClass: shadowAccount\nshadowExpire: 30000\n");
    let dn = |name: &str| format!("dn: uid={name},ou=people,{BASE}\nchangetype: modify\n");
    server.change(&format!(
        "{}add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
        dn("shut")
    ));
    server.change(&format!("{}add: pwdReset\npwdReset: TRUE\n", dn("reset")));
    let directory = Directory::new(&open_ldap(&server.ldaps(), &server.authority));
    for _ in 0..5 {
        assert_eq!(reason(&directory, "locked", "wrong").await, "UserBindRefused");
    }
    let mut ids = Vec::new();
    for (name, expected) in [
        ("ann", "vouched for"),
        ("early", "vouched for"),
        ("locked", "AccountLocked"),
        ("shut", "AccountLocked"),
        ("reset", "PasswordMustChange"),
        ("late", "AccountExpired"),
    ] {
        let found = attempt(&directory, name, &format!("{name}'s password")).await;
        let said = found
            .as_ref()
            .map_or_else(|failure| failure.reason(), |_| "vouched for");
        assert_eq!(said, expected, "{name}");
        ids.extend(found.map(|person| person.subject));
    }
    // Whoever guesses must not throw out somebody who is in; an administrator may.
    for _ in 0..5 {
        assert_eq!(reason(&directory, "ann", "wrong").await, "UserBindRefused");
    }
    assert_eq!(reason(&directory, "ann", "ann's password").await, "AccountLocked");
    let ann = ids.first().expect("she was known");
    assert!(directory.look_up(ann, now()).await.is_ok());
    server.change(&format!(
        "{}replace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n",
        dn("ann")
    ));
    assert_eq!(
        directory.look_up(ann, now()).await.map_err(|failure| failure.reason()),
        Err("AccountDisabled")
    );
}

#[tokio::test]
async fn g15_an_id_outlives_names_and_does_not_go_with_them() {
    let server = OpenLdap::start().await;
    server.person("ann");
    let directory = Directory::new(&open_ldap(&server.ldaps(), &server.authority));
    let before = attempt(&directory, "ann", "ann's password")
        .await
        .expect("she is known");
    server.change(&format!(
        "dn: uid=ann,ou=people,{BASE}\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n"
    ));
    server.change(&format!(
        "dn: uid=anna,ou=people,{BASE}\nchangetype: modify\nreplace: mail\nmail: anna@example.test\n"
    ));
    // Somebody else gets the name and the address.
    server.person("ann");
    let after = attempt(&directory, "anna", "ann's password")
        .await
        .expect("she is known");
    let other = attempt(&directory, "ann", "ann's password").await.expect("he is known");
    assert_eq!(before.subject, after.subject);
    assert_ne!(before.subject, other.subject);
    assert_eq!(claim(&other, "email"), ["ann@example.test"]);

    let again = directory.look_up(&before.subject, now()).await.expect("she is there");
    assert_eq!(claim(&again, "username"), ["anna"]);
    server.change(&format!("dn: uid=anna,ou=people,{BASE}\nchangetype: delete\n"));
    let gone = directory
        .look_up(&before.subject, now())
        .await
        .expect_err("she is gone");
    assert_eq!(gone.reason(), "UnknownUser");
    assert!(gone.is_of_the_person());
}

#[tokio::test]
async fn groups_of_groups_are_followed_once_each_and_only_where_they_count() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.person("bob");
    server.group("devs", &["uid=ann,ou=people"]);
    server.group("engineering", &["cn=devs,ou=groups"]);
    server.group("everybody", &["cn=engineering,ou=groups", "uid=bob,ou=people"]);
    // A circle.
    let circle = format!(
        "dn: cn=devs,ou=groups,{BASE}\nchangetype: modify\nadd: member\nmember: cn=everybody,ou=groups,{BASE}\n"
    );
    server.change(&circle);
    let by_search = |depth| Groups {
        source: GroupSource::Search(Search {
            base: format!("ou=groups,{BASE}"),
            scope: settings::Scope::Subtree,
            filter: filter("(member={dn})"),
        }),
        depth,
        within: None,
    };
    let elsewhere = Groups {
        within: Some(format!("cn=everybody,ou=groups,{BASE}")),
        ..member_of(10)
    };
    for (groups, expected) in [
        (member_of(0), &["devs"][..]),
        (member_of(1), &["devs", "engineering"]),
        (member_of(10), &["devs", "engineering", "everybody"]),
        (by_search(0), &["devs"]),
        (by_search(10), &["devs", "engineering", "everybody"]),
        (elsewhere, &["everybody"]),
    ] {
        let mut settings = open_ldap(&server.ldaps(), &server.authority);
        settings.groups = Some(groups.clone());
        let directory = Directory::new(&settings);
        let ann = attempt(&directory, "ann", "ann's password")
            .await
            .expect("she is known");
        assert_eq!(claim(&ann, "groups"), expected, "{groups:?}");
    }
}

#[tokio::test]
async fn when_one_server_is_away_the_next_is_asked() {
    let (mut first, second) = (OpenLdap::start().await, OpenLdap::start().await);
    first.person("ann");
    second.person("ann");
    let mut settings = open_ldap(&first.ldaps(), &first.authority);
    let other = open_ldap(&second.ldaps(), &second.authority);
    settings.servers.extend(other.servers);
    let both = format!("{}{}", first.authority, second.authority);
    settings.tls.authorities = Some(policy::secret::secret(both.as_bytes()));
    settings.limits.connect = 2000;
    let directory = Directory::new(&settings);
    let id = attempt(&directory, "ann", "ann's password")
        .await
        .expect("she is known")
        .subject;
    // Its connections in the pool are of no use any more, either.
    first.stop();
    let from_second = attempt(&directory, "ann", "ann's password")
        .await
        .expect("she is known");
    assert_ne!(
        from_second.subject, id,
        "the second server has its own ids in this story"
    );
    // One that hangs is left as well.
    first.start_again().await;
    first.freeze();
    let fresh = Directory::new(&settings);
    assert_eq!(reason(&fresh, "ann", "ann's password").await, "vouched for");
    first.thaw();
}

#[tokio::test]
async fn an_operator_is_told_what_is_wrong() {
    let mut server = OpenLdap::start().await;
    server.person("ann");
    let good = open_ldap(&server.ldaps(), &server.authority);
    let reason_with = async |change: &dyn Fn(&mut settings::Directory)| {
        let mut settings = good.clone();
        change(&mut settings);
        attempt(&Directory::new(&settings), "ann", "ann's password")
            .await
            .map_or_else(
                |failure| (failure.reason(), failure.to_string()),
                |_| ("vouched for", String::new()),
            )
    };
    assert_eq!(reason_with(&|_| {}).await.0, "vouched for");
    let (reason, said) = reason_with(&|settings| {
        settings.bind = Bind::Application {
            name: tests::ldap::open_ldap::APPLICATION.to_owned(),
            password: policy::secret::secret(b"canary-of-the-application"),
        };
    })
    .await;
    assert_eq!(reason, "ApplicationBindRefused");
    assert!(!said.contains("canary"), "{said}");
    let (reason, said) =
        reason_with(&|settings| settings.search.base = "ou=nowhere,dc=example,dc=test".to_owned()).await;
    assert_eq!(reason, "SearchBaseMissing");
    assert!(said.contains("ou=nowhere"), "{said}");
    let (reason, _) = reason_with(&|settings| settings.bind = Bind::Anonymous).await;
    assert_eq!(reason, "SearchBaseMissing", "nobody may see anything here");
    let (reason, _) = reason_with(&|settings| settings.tls.authorities = Some(policy::secret::secret(b"no PEM"))).await;
    assert_eq!(reason, "TlsUnusable");
    server.stop();
    let (reason, said) = reason_with(&|_| {}).await;
    assert_eq!(reason, "ServerUnreachable");
    assert!(said.contains(&server.ldaps()), "{said}");
}
