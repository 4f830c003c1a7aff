//! The example of directories, done as its README says, with directories of ours in place of those that it names.

use tests::ldap::open_ldap::{self, BASE};
use tests::ldap::{ActiveDirectory, OpenLdap, active_directory};

use crate::readme::told_with;

/// What stands in `examples/ldap/secrets.yaml`, twice.
const PASSWORD: &str = "only a sample of a password";
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
    MIIBVDCB+6ADAgECAgEBMAoGCCqGSM49BAMCMBExDzANBgNVBAMMBnNhbXBsZTAe
    -----END CERTIFICATE-----";

#[tokio::test]
async fn the_readme_of_the_directories_is_true() {
    let company = OpenLdap::start().await;
    company.person("ann");
    company.group("staff", &["uid=ann,ou=people"]);
    let windows = ActiveDirectory::shared().await;
    let part = windows.part("example");
    windows.person(&part, "ann");
    windows.group(&part, "Staff", &["ann example"]);
    let indented = |pem: &str| pem.trim_end().replace('\n', "\n    ");
    let change = |text: &str| {
        text.replacen(PASSWORD, open_ldap::APPLICATION_PASSWORD, 1)
            .replacen(PASSWORD, active_directory::APPLICATION_PASSWORD, 1)
            .replacen(CERTIFICATE, &indented(&company.authority), 1)
            .replacen(CERTIFICATE, &indented(&windows.authority), 1)
            .replace("ldaps://ldap1.example.com", &company.ldaps())
            .replace("ldaps://ldap2.example.com", &company.ldap())
            .replace("cn=authd,ou=apps,dc=example,dc=com", open_ldap::APPLICATION)
            .replace("dc=example,dc=com", BASE)
            .replace("ldaps://dc1.ad.example.com", &windows.ldaps())
            .replace("ldaps://dc2.ad.example.com", &windows.ldap())
            .replace("authd@ad.example.com", active_directory::APPLICATION)
            .replace("OU=Groups,DC=ad,DC=example,DC=com", &part)
            .replace("DC=ad,DC=example,DC=com", &part)
            // On a machine that is busy.
            .replace(
                "    attributes:",
                "    limits: {connect: 10s, operation: 10s}\n    attributes:",
            )
            .replace("ann@example.com", "ann@example.test")
            .replace("the password of ann", r"ann'\''s password")
    };
    let told = told_with("ldap", &change).await;
    assert_eq!(
        (told.started(), told.shown),
        (1, 12),
        "what the README starts, and the lines that it shows"
    );
}
