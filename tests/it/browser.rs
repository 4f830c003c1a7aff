//! What people meet, with a real browser and nginx: from the page that they wanted, past the sign-in page, and back.

use tests::browser::Visit;
use tests::proxy::{Kind, Site};
use tests::resources::ADMIN_PASSWORD;
use tests::world::PASSWORD;

async fn behind_nginx() -> Site {
    Site::behind(Kind::Nginx, "  displayName: Example Platform\n").await
}

/// Opens a page and signs in on the way.
fn through(site: &Site, visit: Visit, path: &str, email: &str, password: &str) -> Visit {
    visit
        .open(&site.app(path))
        .heading("Sign in")
        .fill("E-mail", email)
        .fill("Password", password)
        .press("Sign in")
}

#[tokio::test]
async fn somebody_arrives_at_the_very_page_that_they_wanted() {
    let site = behind_nginx().await;
    let wanted = site.app("/reports/7?from=a%20b&to=%2Fc");
    let visit = Visit::new()
        .open(&wanted)
        .heading("Sign in")
        .sees("app.test.localhost")
        .focus("textbox", "E-mail")
        .picture("sign-in")
        .fill("E-mail", &site.ann.email)
        .fill("Password", "not the password")
        .press("Sign in")
        .heading("Sign in")
        .alert("The e-mail or the password is not right.")
        .focus("textbox", "Password")
        .picture("sign-in-refused")
        .fill("Password", PASSWORD)
        .press("Sign in")
        .at(&wanted)
        .sees(&site.ann.id);
    visit
        .open(&site.auth("/account"))
        .heading("Your account")
        .sees(&site.ann.email)
        .picture("account")
        .press("Sign out")
        .at(&site.auth("/signed-out"))
        .heading("You are signed out")
        .picture("signed-out")
        .open(&wanted)
        .heading("Sign in")
        .done()
        .await;
}

#[tokio::test]
async fn somebody_who_waits_for_approval_is_told_so() {
    let site = behind_nginx().await;
    let waiting = site.world.person("waiting", "pending").await;
    through(&site, Visit::new(), "/", &waiting.email, PASSWORD)
        .heading("Your account waits for approval")
        .sees(&waiting.email)
        .picture("pending")
        .press("Sign out")
        .heading("You are signed out")
        .done()
        .await;
}

#[tokio::test]
async fn somebody_without_the_role_is_told_so_and_may_come_as_somebody_else() {
    let site = behind_nginx().await;
    through(&site, Visit::new(), "/admin?tab=1", &site.ann.email, PASSWORD)
        .heading("You do not have access")
        .sees("Your account may not open this page of app.test.localhost.")
        .sees(&site.ann.email)
        .picture("denied")
        .press("Sign in as somebody else")
        .heading("Sign in")
        .fill("E-mail", "admin@example.com")
        .fill("Password", ADMIN_PASSWORD)
        .press("Sign in")
        .at(&site.app("/admin?tab=1"))
        .sees("admin@example.com")
        .done()
        .await;
}

#[tokio::test]
async fn somebody_signs_out_everywhere() {
    let site = behind_nginx().await;
    let elsewhere = site.world.sign_in(&site.ann.email, PASSWORD).await;
    through(&site, Visit::new(), "/", &site.ann.email, PASSWORD)
        .at(&site.app("/"))
        .open(&site.auth("/account"))
        .press("Sign out everywhere")
        .heading("You are signed out")
        .open(&site.auth("/account"))
        .heading("Sign in")
        .done()
        .await;
    assert_eq!(site.world.me(&elsewhere.token).await, 401);
}

#[tokio::test]
async fn everything_works_without_scripts() {
    let site = behind_nginx().await;
    through(
        &site,
        Visit::new().without_scripts(),
        "/admin",
        "admin@example.com",
        ADMIN_PASSWORD,
    )
    .at(&site.app("/admin"))
    .open(&site.auth("/account"))
    .fill("Name", "laptop")
    .press("Make a key")
    .sees("Copy it now")
    .picture("account-new-key")
    .press("Delete")
    .sees("The key was deleted.")
    .fill("Current password", "not the password")
    .fill("New password", "three unrelated words")
    .press("Change password")
    .alert("password")
    .picture("account-password-refused")
    .press("Sign out")
    .heading("You are signed out")
    .choose("Sign in again")
    .heading("Sign in")
    .done()
    .await;
}

#[tokio::test]
async fn a_phone_and_the_dark_have_room_for_every_page() {
    let site = behind_nginx().await;
    let waiting = site.world.person("waiting", "pending").await;
    for (name, visit) in [
        ("phone", (|| Visit::new().on_a_phone()) as fn() -> Visit),
        ("dark", || Visit::new().in_the_dark()),
    ] {
        let picture = |page: &str| format!("{page}-{name}");
        let begun = visit()
            .open(&site.app("/"))
            .fill("E-mail", &site.ann.email)
            .fill("Password", "not the password")
            .press("Sign in")
            .alert("not right")
            .picture(&picture("sign-in-refused"));
        begun
            .fill("Password", PASSWORD)
            .press("Sign in")
            .at(&site.app("/"))
            .open(&site.app("/admin"))
            .heading("You do not have access")
            .picture(&picture("denied"))
            .open(&site.auth("/account"))
            .fill("Name", "laptop")
            .press("Make a key")
            .sees("Copy it now")
            .picture(&picture("account-new-key"))
            .press("Sign out")
            .heading("You are signed out")
            .picture(&picture("signed-out"))
            .done()
            .await;
        through(&site, visit(), "/", &waiting.email, PASSWORD)
            .heading("Your account waits for approval")
            .picture(&picture("pending"))
            .done()
            .await;
    }
}

#[tokio::test]
async fn a_keyboard_is_enough() {
    let site = behind_nginx().await;
    let wanted = site.app("/reports?page=2");
    Visit::new()
        .open(&wanted)
        .focus("textbox", "E-mail")
        .types(&site.ann.email)
        .key("Tab")
        .focus("textbox", "Password")
        .types("not the password")
        .key("Enter")
        .alert("not right")
        .focus("textbox", "Password")
        .types(PASSWORD)
        .key("Tab")
        .focus("button", "Sign in")
        .picture("keyboard-sign-in")
        .key("Enter")
        .at(&wanted)
        .open(&site.auth("/account"))
        .key("Tab")
        .focus("button", "Sign out")
        .picture("keyboard-account")
        .key("Enter")
        .heading("You are signed out")
        .key("Tab")
        .focus("link", "Sign in again")
        .key("Enter")
        .heading("Sign in")
        .done()
        .await;
}
