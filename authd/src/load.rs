//! What do the resources in a folder of YAML say, and where is what is wrong with them?
//!
//! The flow: `folder` reads the files (`source`) and their documents (`yaml`), finds each object's kind (`kinds`), checks
//! it as the API server would (`validate`) and hands over `Resources`; `watch` does so again whenever the folder changes.
//! What an operator compiled is read by `shards`. Not here: what the resources mean together, which is `policy::compile`'s matter.

mod field;
pub mod folder;
mod kinds;
mod nearest;
mod scalar;
mod schema;
pub mod shards;
mod source;
pub mod validate;
pub mod watch;
mod yaml;

pub use folder::{Loaded, Located, Note, Positions, read};

/// Whatever a file of resources holds, it is read, or what is wrong is said with its place; and reading the same again says the same.
pub fn fuzz_resources(bytes: &[u8]) {
    thread_local! {
        static KINDS: Option<kinds::Kinds> = kinds::Kinds::new().ok();
    }
    let read = || {
        let file = source::Source {
            path: "resources.yaml".into(),
            text: Ok(String::from_utf8_lossy(bytes).into_owned()),
        };
        let sources = source::Sources {
            files: vec![file],
            digest: [0; 32],
        };
        KINDS.with(|kinds| {
            let loaded = folder::understand(sources, kinds.as_ref()?);
            let compiled = policy::compile(&loaded.resources, None);
            let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
            Some((said, compiled.snapshot.and_then(|snapshot| snapshot.bytes().ok())))
        })
    };
    let first = read();
    assert!(first.is_some() && first == read(), "read twice, and said two things");
}
