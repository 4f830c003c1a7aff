use futures::future::join_all;

use super::*;
use crate::store::tests::{AWKWARD, Fixture, at, fixture};

async fn emails(fixture: &Fixture, query: UserQuery) -> (Vec<String>, u64) {
    let page = fixture.store.users_page(&query).await.unwrap();
    (page.users.into_iter().map(|user| user.email).collect(), page.total)
}

#[tokio::test]
async fn an_account_is_found_by_its_id_and_address_in_any_case() {
    let fixture = fixture().await;
    let made = fixture.user("Alice@Example.COM").await;
    assert_eq!(made.email, "alice@example.com");
    assert_eq!(
        (made.role, made.disabled, made.email_verified),
        (Role::User, false, true)
    );
    assert_eq!(
        (made.created_at, made.updated_at, made.last_sign_in_at),
        (at(0), at(0), None)
    );
    for email in ["alice@example.com", "ALICE@EXAMPLE.COM"] {
        assert_eq!(fixture.store.user_by_email(email).await.unwrap().unwrap().id, made.id);
    }
    let found = fixture.store.user_by_id(made.id).await.unwrap().unwrap();
    assert_eq!(found.password_hash.unwrap().expose_secret(), "$2b$04$first");
}

#[tokio::test]
async fn an_unknown_account_is_not_found() {
    let fixture = fixture().await;
    fixture.user("alice@example.com").await;
    assert!(fixture.store.user_by_id(fixture.id()).await.unwrap().is_none());
    for email in ["", "alice@example.com ", "alice@example_com", "%"] {
        assert!(fixture.store.user_by_email(email).await.unwrap().is_none(), "{email:?}");
    }
}

#[tokio::test]
async fn an_address_has_one_account_in_any_case() {
    let fixture = fixture().await;
    fixture.user("élan@example.com").await;
    for email in ["élan@example.com", "ÉLAN@EXAMPLE.COM", "Élan@example.com"] {
        let error = fixture
            .store
            .create_user(&fixture.new_user(email, Role::User))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Conflict), "{email}: {error:?}");
    }
    assert_eq!(fixture.store.count_users().await.unwrap(), 1);
    fixture.user("elan@example.com").await;
    assert_eq!(fixture.store.count_users().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_bootstraps_at_once_make_one_admin() {
    let fixture = fixture().await;
    let made = (0..50).map(|number| {
        let (store, user) = (
            fixture.store.clone(),
            fixture.new_user(&format!("{number}@example.com"), Role::Admin),
        );
        async move { store.bootstrap_admin(&user).await.unwrap() }
    });
    let made: Vec<_> = join_all(made).await.into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(fixture.store.count_users().await.unwrap(), 1);
    assert_eq!(fixture.store.oldest_admin().await.unwrap().unwrap().id, made[0].id);
}

#[tokio::test]
async fn bootstrap_makes_an_admin_whatever_role_was_given() {
    let fixture = fixture().await;
    let admin = fixture
        .store
        .bootstrap_admin(&fixture.new_user("a@example.com", Role::Pending))
        .await
        .unwrap();
    assert_eq!(admin.unwrap().role, Role::Admin);
}

#[tokio::test]
async fn bootstrap_never_takes_over_an_account() {
    let fixture = fixture().await;
    let user = fixture.user("admin@example.com").await;
    let refused = fixture
        .store
        .bootstrap_admin(&fixture.new_user("Admin@example.com", Role::Admin))
        .await;
    assert!(matches!(refused, Err(Error::Conflict)));
    assert_eq!(
        fixture.store.user_by_id(user.id).await.unwrap().unwrap().role,
        Role::User
    );
    let made = fixture
        .store
        .bootstrap_admin(&fixture.new_user("other@example.com", Role::Admin))
        .await
        .unwrap();
    assert!(made.is_some());
}

#[tokio::test]
async fn the_primary_admin_is_the_oldest_that_is_enabled() {
    let fixture = fixture().await;
    assert!(fixture.store.oldest_admin().await.unwrap().is_none());
    let mut old = fixture.new_user("old@example.com", Role::Admin);
    old.created_at = at(-10);
    let young = fixture.admin("young@example.com").await;
    let old = fixture.store.create_user(&old).await.unwrap();
    fixture.user("user@example.com").await;
    assert_eq!(fixture.store.oldest_admin().await.unwrap().unwrap().id, old.id);
    fixture.store.disable_user(old.id, at(1)).await.unwrap();
    assert_eq!(fixture.store.oldest_admin().await.unwrap().unwrap().id, young.id);
}

#[tokio::test]
async fn a_page_has_thirty_users_and_says_how_many_there_are() {
    let fixture = fixture().await;
    for number in 0..65 {
        fixture.user(&format!("{number:02}@example.com")).await;
    }
    let query = |page| UserQuery {
        order: Order::Email,
        page,
        ..UserQuery::default()
    };
    for (page, length, first) in [
        (0, 30, Some("00@example.com")),
        (1, 30, Some("00@example.com")),
        (2, 30, Some("30@example.com")),
        (3, 5, Some("60@example.com")),
        (4, 0, None),
        (u32::MAX, 0, None),
    ] {
        let (emails, total) = emails(&fixture, query(page)).await;
        assert_eq!(
            (emails.len(), emails.first().map(String::as_str), total),
            (length, first, 65),
            "page {page}"
        );
    }
}

#[tokio::test]
async fn a_page_is_sorted_as_asked() {
    let fixture = fixture().await;
    for (email, name, role, minutes) in [
        ("a@x", "bob", Role::User, 3),
        ("b@x", "Alice", Role::Admin, 1),
        ("c@x", "carol", Role::Pending, 2),
    ] {
        let user = NewUser {
            name: name.to_owned(),
            created_at: at(minutes),
            ..fixture.new_user(email, role)
        };
        let user = fixture.store.create_user(&user).await.unwrap();
        if role != Role::Pending {
            fixture.store.record_sign_in(user.id, at(10 - minutes)).await.unwrap();
        }
    }
    for (order, ascending) in [
        (Order::CreatedAt, ["b@x", "c@x", "a@x"]),
        (Order::LastSignInAt, ["c@x", "a@x", "b@x"]),
        (Order::Name, ["b@x", "a@x", "c@x"]),
        (Order::Email, ["a@x", "b@x", "c@x"]),
        (Order::Role, ["b@x", "c@x", "a@x"]),
    ] {
        let mut expected = ascending.map(str::to_owned).to_vec();
        for direction in [Direction::Ascending, Direction::Descending] {
            let (emails, _) = emails(
                &fixture,
                UserQuery {
                    order,
                    direction,
                    ..UserQuery::default()
                },
            )
            .await;
            assert_eq!(emails, expected, "{order:?} {direction:?}");
            expected.reverse();
        }
    }
}

#[tokio::test]
async fn a_search_finds_text_in_names_and_addresses_and_nothing_else() {
    let fixture = fixture().await;
    for (email, name) in [("a_b@x", "Émile 100%"), ("acb@x", "O'Brien"), ("d@x", "back\\slash")] {
        let user = NewUser {
            name: name.to_owned(),
            ..fixture.new_user(email, Role::User)
        };
        fixture.store.create_user(&user).await.unwrap();
    }
    for (text, expected) in [
        ("", &["a_b@x", "acb@x", "d@x"][..]),
        ("a_b", &["a_b@x"]),
        ("A_B@X", &["a_b@x"]),
        ("%", &["a_b@x"]),
        ("o'brien", &["acb@x"]),
        ("\\", &["d@x"]),
        ("Émile", &["a_b@x"]),
        ("' OR 1=1 --", &[]),
        ("$1", &[]),
    ] {
        let query = UserQuery {
            text: text.to_owned(),
            order: Order::Email,
            ..UserQuery::default()
        };
        let (emails, total) = emails(&fixture, query).await;
        assert_eq!(emails, expected, "{text:?}");
        assert_eq!(total, u64::try_from(expected.len()).unwrap(), "{text:?}");
    }
}

#[tokio::test]
async fn a_profile_is_replaced_whole() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let full = Profile {
        name: "Alice".to_owned(),
        profile_image_url: "/alice.png".to_owned(),
        bio: Some("hello".to_owned()),
        gender: Some("f".to_owned()),
        date_of_birth: Some("2000-02-29".parse().unwrap()),
    };
    let changed = fixture.store.update_profile(user.id, &full, at(5)).await.unwrap();
    assert_eq!(
        (changed.name.as_str(), changed.bio.as_deref()),
        ("Alice", Some("hello"))
    );
    assert_eq!(changed.date_of_birth.unwrap().to_string(), "2000-02-29");
    assert_eq!((changed.created_at, changed.updated_at), (at(0), at(5)));
    assert_eq!(
        (changed.email.as_str(), changed.role),
        ("alice@example.com", Role::User)
    );

    let bare = Profile {
        bio: None,
        gender: None,
        date_of_birth: None,
        ..full.clone()
    };
    let changed = fixture.store.update_profile(user.id, &bare, at(6)).await.unwrap();
    assert_eq!((changed.bio, changed.gender, changed.date_of_birth), (None, None, None));

    let refused = fixture.store.update_profile(fixture.id(), &full, at(7)).await;
    assert!(matches!(refused, Err(Error::NotFound)));
}

#[tokio::test]
async fn every_text_survives_as_it_was_given() {
    let fixture = fixture().await;
    for text in AWKWARD {
        let text = (*text).to_owned();
        let user = NewUser {
            email: format!("{text}@example.com"),
            name: text.clone(),
            profile_image_url: text.clone(),
            password_hash: Some(SecretString::from(text.clone())),
            ..fixture.new_user("", Role::User)
        };
        let made = fixture.store.create_user(&user).await.unwrap();
        let profile = Profile {
            name: text.clone(),
            profile_image_url: text.clone(),
            bio: Some(text.clone()),
            gender: Some(text.clone()),
            date_of_birth: None,
        };
        fixture.store.update_profile(made.id, &profile, at(1)).await.unwrap();
        let found = fixture.store.user_by_email(&user.email).await.unwrap().unwrap();
        assert_eq!(found.email, user.email.to_lowercase());
        assert_eq!(found.password_hash.unwrap().expose_secret(), text);
        assert_eq!((&found.name, &found.profile_image_url), (&text, &text));
        assert_eq!((found.bio.as_ref(), found.gender.as_ref()), (Some(&text), Some(&text)));
    }
}

#[tokio::test]
async fn the_last_sign_in_never_moves_back() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    for (seen, expected) in [(5, 5), (3, 5), (9, 9)] {
        fixture.store.record_sign_in(user.id, at(seen)).await.unwrap();
        let found = fixture.store.user_by_id(user.id).await.unwrap().unwrap();
        assert_eq!(found.last_sign_in_at, Some(at(expected)));
        assert_eq!(found.updated_at, at(0));
    }
}

#[tokio::test]
async fn debug_shows_no_password_hash() {
    let fixture = fixture().await;
    let user = fixture.user("alice@example.com").await;
    let new = fixture.new_user("bob@example.com", Role::User);
    assert!(!format!("{user:?}{new:?}").contains("$2b$"));
}

#[test]
fn a_role_is_one_of_three_words() {
    for role in [Role::Pending, Role::User, Role::Admin] {
        assert_eq!(role.as_str().parse(), Ok(role));
    }
    for word in ["", "Admin", "root", "admin ", "admin\0"] {
        assert_eq!(word.parse::<Role>(), Err(UnknownRole(word.to_owned())));
    }
}
