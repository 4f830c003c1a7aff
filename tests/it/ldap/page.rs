//! The sign-in page, where directories and passwords share one form.

use tests::browser::Visit;
use tests::ldap::OpenLdap;
use tests::proxy::{Kind, Site};
use tests::world::PASSWORD;

use super::open_ldap;

async fn directory(name: &str, person: &str) -> (OpenLdap, String) {
    let server = OpenLdap::start().await;
    server.person(person);
    server.group("staff", &[&format!("uid={person},ou=people")]);
    let provider = open_ldap(name, &[&server.ldaps()], &server.authority, "");
    (server, provider)
}

#[tokio::test]
async fn somebody_chooses_where_their_password_is() {
    let (_north, north) = directory("north", "nora").await;
    let (_south, south) = directory("south", "sam").await;
    let site = Site::behind(Kind::Nginx, "").await;
    site.world.folder.write("ldap.yaml", &format!("{north}---\n{south}"));
    let wanted = site.app("/reports");
    let choice = || Visit::new().open(&wanted).heading("Sign in");
    tests::wait::until("the directories are on the page", || async {
        let page = tests::http::get(site.world.public("/login")).send().await.body;
        if page.contains("Company north") {
            Ok(())
        } else {
            Err(page)
        }
    })
    .await;
    choice()
        .select("Sign in with", "Company south")
        .fill("E-mail or user name", "sam")
        .fill("Password", "wrong")
        .picture("sign-in-directories")
        .press("Sign in")
        .alert("Signing in did not work. Check the user name and the password, or try again later.")
        // What was chosen stays chosen.
        .fill("Password", "sam's password")
        .press("Sign in")
        .at(&wanted)
        .done()
        .await;
    choice()
        .select("Sign in with", "Company north")
        .fill("E-mail or user name", "nora")
        .fill("Password", "nora's password")
        .press("Sign in")
        .at(&wanted)
        .done()
        .await;
    // Nora's name and password are nobody's in the south.
    choice()
        .select("Sign in with", "Company south")
        .fill("E-mail or user name", "nora")
        .fill("Password", "nora's password")
        .press("Sign in")
        .alert("Signing in did not work.")
        .done()
        .await;
    choice()
        .select("Sign in with", "Accounts")
        .fill("E-mail or user name", &site.ann.email)
        .fill("Password", PASSWORD)
        .press("Sign in")
        .at(&wanted)
        .done()
        .await;
}

#[tokio::test]
async fn a_single_directory_needs_no_choice_and_no_script() {
    let (_server, provider) = directory("north", "nora").await;
    let site = Site::behind(Kind::Nginx, "").await;
    let passwords = std::fs::read_to_string(site.world.folder.path().join("rest.yaml")).expect("the usual resources");
    // Without the provider of passwords, and what speaks of it.
    let left: Vec<&str> = passwords
        .split("---\n")
        .filter(|resource| !resource.contains("name: accounts"))
        .collect();
    site.world.folder.write("rest.yaml", &left.join("---\n"));
    site.world.folder.write("ldap.yaml", &provider);
    tests::wait::until("the form is the directory's", || async {
        let page = tests::http::get(site.world.public("/login")).send().await.body;
        if page.contains("User name") { Ok(()) } else { Err(page) }
    })
    .await;
    let wanted = site.app("/reports");
    Visit::new()
        .without_scripts()
        .on_a_phone()
        .open(&wanted)
        .heading("Sign in")
        .focus("textbox", "User name")
        .fill("User name", "nora")
        .fill("Password", "nora's password")
        .picture("sign-in-directory")
        .press("Sign in")
        .at(&wanted)
        .done()
        .await;
}
