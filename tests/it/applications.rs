//! Applications of others behind authd, set up as their README says, and used by a person at a browser.

use tests::browser::Visit;

use crate::readme::told;

/// As `examples/quickstart/secrets.yaml` has it.
const ADMIN_PASSWORD: &str = "sample-password-of-the-admin";

#[tokio::test]
async fn who_signed_in_at_authd_is_signed_in_at_the_wiki() {
    let told = told("applications/otterwiki").await;
    assert_eq!(
        (told.started(), told.shown),
        (3, 4),
        "what the README starts, and the lines that it shows"
    );
    let wiki = |path: &str| format!("http://app.demo.localhost:{}{path}", told.port("8000"));
    Visit::new()
        .open(&wiki("/-/settings"))
        .heading("Sign in")
        .fill("E-mail", "admin@example.com")
        .fill("Password", ADMIN_PASSWORD)
        .press("Sign in")
        .at(&wiki("/-/settings"))
        // The wiki's own administrators alone see this.
        .sees("User Management")
        .open(&wiki("/-/create"))
        .sees("Create Page")
        .picture("wiki")
        .done()
        .await;
}
