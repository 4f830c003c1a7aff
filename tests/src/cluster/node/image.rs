//! Which program is an image here? Its name says: the last part of its repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The programs that images stand for, with their first arguments.
#[derive(Debug)]
pub(super) struct Images(BTreeMap<String, Vec<String>>);

impl Default for Images {
    /// The programs of this workspace.
    fn default() -> Self {
        let ours = ["authd", "authd-operator"].map(|name| (name.to_owned(), vec![beside(name).display().to_string()]));
        Self(ours.into_iter().collect())
    }
}

/// Where a program of the workspace lies that was built with the test that is running.
fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(2).unwrap_or(Path::new("/")).join(name)
}

impl Images {
    /// Makes an image stand for a program.
    pub(super) fn insert(&mut self, name: &str, command: &[&str]) {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        self.0.insert(name.to_owned(), command);
    }

    /// What a container runs: the image's program with `arguments`, or `command` in its place.
    ///
    /// A command that has the name of the image's program means that program, wherever it says that it lies.
    ///
    /// # Errors
    /// The image stands for nothing, or for a program that was not built.
    pub(super) fn command(&self, image: &str, command: &[String], arguments: &[String]) -> Result<Vec<String>, String> {
        let Some(ours) = self.0.get(name(image)) else {
            return Err(format!("image `{image}` stands for no program of this node"));
        };
        let program = ours.first().map_or("", String::as_str);
        if program.starts_with('/') && !Path::new(program).exists() {
            return Err(format!("image `{image}` stands for {program}, which is not built"));
        }
        let mut words = match command.split_first() {
            None => ours.clone(),
            Some((first, rest)) if Path::new(first).file_name() == Path::new(program).file_name() => {
                [&[program.to_owned()], rest].concat()
            }
            Some(_) => command.to_vec(),
        };
        words.extend_from_slice(arguments);
        Ok(words)
    }
}

/// `authd` of `registry:5000/team/authd:1.2@sha256:...`.
fn name(image: &str) -> &str {
    let untagged = image.split('@').next().unwrap_or_default();
    let last = untagged.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(all: &[&str]) -> Vec<String> {
        all.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn an_image_is_named_by_the_last_part_of_its_repository() {
        for (image, expected) in [
            ("authd", "authd"),
            ("authd:1.2", "authd"),
            ("registry:5000/team/authd-operator:1.2@sha256:aa", "authd-operator"),
            ("registry:5000/authd@sha256:aa", "authd"),
        ] {
            assert_eq!(name(image), expected, "{image}");
        }
    }

    #[test]
    fn a_command_replaces_the_images() {
        let mut images = Images::default();
        images.insert("web", &["python3", "-m", "http.server"]);
        for (image, command, arguments, expected) in [
            (
                "web:1",
                &[][..],
                &["80"][..],
                Ok(words(&["python3", "-m", "http.server", "80"])),
            ),
            ("web", &["sleep", "9"], &[], Ok(words(&["sleep", "9"]))),
            (
                "web",
                &["/bin/python3", "-V"],
                &["x"],
                Ok(words(&["python3", "-V", "x"])),
            ),
            (
                "mail",
                &["sleep"],
                &[],
                Err("image `mail` stands for no program of this node".to_owned()),
            ),
        ] {
            let said = images.command(image, &words(command), &words(arguments));
            assert_eq!(said, expected, "{image} {command:?}");
        }
    }
}
