//! The quickstart, done as its README says.

use crate::readme::told;

#[tokio::test]
async fn the_readme_of_the_quickstart_is_true() {
    let told = told("quickstart").await;
    assert_eq!(
        (told.started(), told.shown),
        (3, 17),
        "what the README starts, and the lines that it shows"
    );
}
