//! A provider is away.

use tests::openid::misbehaving::Misbehaving;
use tests::port;
use tests::world::PASSWORD;

use super::trial::{attempt, client, kept_out, let_in, provider, world};

#[tokio::test]
async fn a_provider_that_is_away_stops_its_own_sign_ins_alone() {
    let there = Misbehaving::start(client()).await;
    let nowhere = format!("http://127.0.0.1:{}", port::free());
    let providers = [
        provider("away", &nowhere, ""),
        provider("there", &there.issuer("there"), ""),
    ];
    let world = world(&providers.concat()).await;
    let ann = world.person("ann", "user").await;
    let refused = attempt(&world, "away").await;
    kept_out("whoever begins with it", &refused);
    assert_eq!(refused.answer.status, 503, "trying again may help");
    let_in("whoever begins with another", &attempt(&world, "there").await);
    world.sign_in(&ann.email, PASSWORD).await;
    assert_eq!(world.me(&ann.token).await, 200);
}
