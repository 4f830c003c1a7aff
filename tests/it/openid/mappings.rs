//! What several RoleMappings of one provider grant, and what is left when one goes. Rows K15 and K16.

use serde_json::json;
use tests::openid::misbehaving::Misbehaving;
use tests::resources::{Folder, ROOMY};
use tests::world::World;

use super::trial::{attempt, client, let_in, provider, secret};

/// One more mapping of a provider, which grants `operator` to members of `others`.
fn operators(name: &str, provider: &str) -> String {
    format!(
        "---
apiVersion: authd.dev/v1alpha1
kind: RoleMapping
metadata: {{name: {name}, namespace: demo}}
spec: {{providerRef: {{name: {provider}}}, roles: [{{role: operator, whenAny: [{{claim: groups, equals: others}}]}}]}}
"
    )
}

/// The roles that an application is told, or the status of a refusal.
async fn roles(world: &World, token: &str) -> String {
    let answer = world.forward("GET", "/x").bearer(token).send().await;
    if answer.status == 200 {
        answer.header("x-auth-roles").to_owned()
    } else {
        answer.status.to_string()
    }
}

#[tokio::test]
async fn k15_k16_mappings_add_up_in_any_order_and_what_one_granted_goes_with_it() {
    let misbehaving = Misbehaving::start(client()).await;
    let folder = Folder::usual(ROOMY);
    let providers = ["first", "second"].map(|name| provider(name, &misbehaving.issuer(name), ""));
    folder.write("providers.yaml", &format!("{}{}", providers.concat(), secret()));
    // Before the mapping that every provider has, by name and by file, and after it.
    folder.write("a.yaml", &operators("a", "first"));
    folder.write("z.yaml", &operators("z", "second"));
    let mut world = World::of(folder).await;
    let mut tokens = Vec::new();
    for name in ["first", "second"] {
        for (groups, expected) in [
            (&["staff", "others"][..], "operator,user"),
            (&["others", "staff"], "operator,user"),
            (&["staff"], "user"),
        ] {
            misbehaving.is(name, json!({"sub": format!("{name} {groups:?}"), "groups": groups}));
            let token = let_in("K15", &attempt(&world, name).await);
            assert_eq!(roles(&world, &token).await, expected, "K15 {name} {groups:?}");
            tokens.push(token);
        }
    }

    world.authd.kill();
    world.folder.remove("a.yaml");
    world.start_again().await;
    let expected = ["user", "user", "user", "operator,user", "operator,user", "user"];
    for (token, expected) in tokens.iter().zip(expected) {
        assert_eq!(
            roles(&world, token).await,
            expected,
            "K16: a mapping that went while authd was down"
        );
    }
}
