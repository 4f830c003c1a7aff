//! Active Directory, as Samba is one.

use authd::login::directory::Directory;
use policy::directory::{self as settings, Attributes, Bind, GroupSource, Groups, Search};
use policy::secret::secret;
use tests::ldap::ActiveDirectory;
use tests::ldap::active_directory::{APPLICATION, APPLICATION_PASSWORD};

use super::{attempt, claim, filter, member_of, now, open_ldap, reason};

/// As an instance would ask for the people of a part of the domain.
fn active_directory(url: &str, domain: &ActiveDirectory, part: &str) -> settings::Directory {
    settings::Directory {
        bind: Bind::Application {
            name: APPLICATION.to_owned(),
            password: secret(APPLICATION_PASSWORD.as_bytes()),
        },
        search: Search {
            base: part.to_owned(),
            scope: settings::Scope::Subtree,
            filter: filter("(&(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))"),
        },
        attributes: Attributes {
            id: "objectGUID".to_owned(),
            username: "sAMAccountName".to_owned(),
            email: "mail".to_owned(),
            name: "displayName".to_owned(),
        },
        ..open_ldap(url, &domain.authority)
    }
}

#[tokio::test]
async fn somebody_is_known_by_their_guid_whichever_of_their_names_they_type() {
    let domain = ActiveDirectory::shared().await;
    let part = domain.part("known");
    domain.person(&part, "known-ann");
    domain.group(&part, "known-devs", &["known-ann example"]);
    let mut ids = Vec::new();
    for url in [domain.ldaps(), domain.ldap()] {
        let directory = Directory::new(&active_directory(&url, domain, &part));
        for name in ["known-ann", "KNOWN-ANN", "known-ann@ad.example.test"] {
            let ann = attempt(&directory, name, "known-ann's password")
                .await
                .expect("she is known");
            assert_eq!(claim(&ann, "username"), ["known-ann"]);
            assert_eq!(claim(&ann, "email"), ["known-ann@example.test"]);
            assert_eq!(claim(&ann, "name"), ["known-ann example"]);
            assert_eq!(claim(&ann, "groups"), ["known-devs"]);
            ids.push(ann.subject);
        }
        assert_eq!(reason(&directory, "known-ann", "wrong").await, "UserBindRefused");
        assert_eq!(
            reason(&directory, "known-*", "known-ann's password").await,
            "UnknownUser"
        );
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let directory = Directory::new(&active_directory(&domain.ldaps(), domain, &part));
    let again = directory
        .look_up(ids.first().expect("an id"), now())
        .await
        .expect("she is there");
    assert_eq!(claim(&again, "username"), ["known-ann"]);
}

/// A search from the root ends with referrals to other servers.
#[tokio::test]
async fn g07_a_search_from_the_root_of_the_domain_follows_no_referral() {
    let domain = ActiveDirectory::shared().await;
    let part = domain.part("root");
    domain.person(&part, "root-ann");
    let settings = active_directory(&domain.ldaps(), domain, tests::ldap::active_directory::BASE);
    assert_eq!(
        reason(&Directory::new(&settings), "root-ann", "root-ann's password").await,
        "vouched for"
    );
}

#[tokio::test]
async fn the_domain_itself_follows_groups_of_groups() {
    let domain = ActiveDirectory::shared().await;
    let part = domain.part("nested");
    // A comma in a name, which a DN escapes and a filter does not.
    domain.person(&part, "nested-ann");
    domain.group(&part, "nested-devs", &["nested-ann example"]);
    domain.group(&part, "nested-engineering", &["nested-devs"]);
    domain.group(&part, "nested\\, everybody", &["nested-engineering"]);
    let chain = Groups {
        source: GroupSource::Search(Search {
            base: part.clone(),
            scope: settings::Scope::Subtree,
            filter: filter("(member:1.2.840.113556.1.4.1941:={dn})"),
        }),
        depth: 0,
        within: None,
    };
    let all = ["nested, everybody", "nested-devs", "nested-engineering"];
    for (groups, expected) in [
        (member_of(0), &["nested-devs"][..]),
        (member_of(10), &all),
        (chain, &all),
    ] {
        let mut settings = active_directory(&domain.ldaps(), domain, &part);
        settings.groups = Some(groups.clone());
        let directory = Directory::new(&settings);
        let ann = attempt(&directory, "nested-ann", "nested-ann's password")
            .await
            .expect("she is known");
        assert_eq!(claim(&ann, "groups"), expected, "{groups:?}");
    }
}

#[tokio::test]
async fn g12_an_account_that_is_disabled_locked_or_expired_is_refused_with_the_reason() {
    let domain = ActiveDirectory::shared().await;
    let part = domain.part("states");
    for name in ["good", "disabled", "locked", "expired", "must"] {
        domain.person(&part, &format!("states-{name}"));
    }
    let change = |name: &str, what: &str| {
        domain.change(&format!(
            "dn: CN=states-{name} example,{part}\nchangetype: modify\n{what}\n"
        ));
    };
    let directory = Directory::new(&active_directory(&domain.ldaps(), domain, &part));
    let good = attempt(&directory, "states-good", "states-good's password")
        .await
        .expect("he is known");
    change("disabled", "replace: userAccountControl\nuserAccountControl: 514");
    change("expired", "replace: accountExpires\naccountExpires: 116444736000000001");
    change("must", "replace: pwdLastSet\npwdLastSet: 0");
    for _ in 0..5 {
        assert_eq!(reason(&directory, "states-locked", "wrong").await, "UserBindRefused");
    }
    for (name, expected) in [
        ("good", "vouched for"),
        ("disabled", "AccountDisabled"),
        ("locked", "AccountLocked"),
        ("expired", "AccountExpired"),
        ("must", "PasswordMustChange"),
    ] {
        let name = format!("states-{name}");
        assert_eq!(
            reason(&directory, &name, &format!("{name}'s password")).await,
            expected,
            "{name}"
        );
    }
    assert!(directory.look_up(&good.subject, now()).await.is_ok());
    change("good", "replace: userAccountControl\nuserAccountControl: 514");
    let gone = directory
        .look_up(&good.subject, now())
        .await
        .expect_err("he is disabled");
    assert_eq!(gone.reason(), "AccountDisabled");
}
