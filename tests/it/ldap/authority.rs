//! Whom the certificate of a directory is signed by may stand in a ConfigMap, which others keep up to date.

use tests::ldap::{Authority, OpenLdap};
use tests::resources::ROOMY;
use tests::wait;

use super::{attempt, open_ldap, reason, world};

/// A ConfigMap with these certificates.
fn config_map(authorities: &str) -> String {
    let indented = authorities.replace('\n', "\n    ");
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: authorities, namespace: demo}}\ndata:\n  ca.crt: |\n    {indented}\n"
    )
}

#[tokio::test]
async fn a_directory_is_trusted_by_what_a_config_map_says_now() {
    let server = OpenLdap::start().await;
    server.person("ann");
    server.group("staff", &["uid=ann,ou=people"]);
    let (ours, strangers) = (config_map(&server.authority), config_map(&Authority::new().pem()));
    let provider = open_ldap("ldap", &[&server.ldaps()], &server.authority, "")
        .replace("caSecretRef: {name: ldap,", "caConfigMapRef: {name: authorities,");
    let world = world(ROOMY, &format!("{provider}---\n{ours}")).await;
    attempt(&world, "ann", "ann's password").await.expect("control", 200);
    let ask_until = async |expected: u16| {
        wait::until(&format!("a sign-in is answered with {expected}"), || async {
            match attempt(&world, "ann", "ann's password").await.status {
                status if status == expected => Ok(()),
                other => Err(other.to_string()),
            }
        })
        .await;
    };
    world.folder.write("ldap.yaml", &format!("{provider}---\n{strangers}"));
    ask_until(400).await;
    reason(&world, "CertificateInvalid").await;
    world.folder.write("ldap.yaml", &format!("{provider}---\n{ours}"));
    ask_until(200).await;
    // Without it nothing changes, and the log says why.
    world.folder.write("ldap.yaml", &provider);
    wait::until("what is missing is said", || {
        let log = world.authd.log().join("\n");
        async move {
            if log.contains("there is no ConfigMap `authorities`") {
                Ok(())
            } else {
                Err(log)
            }
        }
    })
    .await;
    attempt(&world, "ann", "ann's password").await.expect("afterwards", 200);
}
