//! The recipes of `docs/recipes.md`, as that page has them: what it says is what is tried.

use std::collections::BTreeMap;
use std::path::Path;

use testbed::recipes::{annotations, blocks};

pub use testbed::recipes::block;

use crate::bed::{Bed, path};
use crate::hook::{Ended, Hook};

/// A recipe: a pod's annotations, by their keys.
pub struct Recipe(BTreeMap<String, String>);

impl Recipe {
    /// The one of that name.
    pub fn of(name: &str) -> Self {
        Self::read(&block(name))
    }

    fn read(text: &str) -> Self {
        Self(annotations(text))
    }

    /// The same with the test's own folder where the page says `/data`.
    pub fn with_data(self, data: &Path) -> Self {
        let moved = self.0.into_iter().map(|(key, value)| (key, value.replace("/data", path(data))));
        Self(moved.collect())
    }
}

/// The text of a file of the product.
fn of_the_product(file: &str) -> String {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    std::fs::read_to_string(place).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// What a recipe finds in the environment of its container: where the programs are, and the server, and as whom to ask it.
pub type Environment = Vec<(&'static str, String)>;

impl Bed {
    /// A hook in that container, not started yet.
    pub fn hook_in(&self, environment: &Environment, command: &str) -> Hook {
        let hook = environment.iter().fold(self.hook(command), |hook, (name, value)| hook.env(name, value));
        if command == "pre" { hook.env("HOOK_TIMEOUT", "5m") } else { hook }
    }

    fn annotate(&self, recipe: &Recipe) {
        let lines = recipe.0.iter().map(|(key, value)| format!("{key}={value:?}\n"));
        self.write("podinfo/annotations", &lines.collect::<String>());
    }

    /// Annotates the pod with a recipe, and runs a pre hook that is released at once.
    pub async fn tried_by(&self, recipe: &Recipe, environment: &Environment) -> Ended {
        self.annotate(recipe);
        self.released(self.hook_in(environment, "pre")).await.1
    }

    /// The same, and it must hold.
    pub async fn holding_by(&self, recipe: &Recipe, environment: &Environment) {
        self.tried_by(recipe, environment).await.check(0, &["quiesced (", "reported"]);
    }
}

#[tokio::test]
async fn every_recipe_of_the_page_is_understood() {
    let bed = Bed::start().await;
    let recipes: Vec<_> = blocks().into_iter().filter(|block| block.language == "yaml").collect();
    assert!(recipes.len() > 6, "only {} recipes were found", recipes.len());
    for block in recipes {
        bed.annotate(&Recipe::read(&block.text));
        // Only what was understood can contradict the flag.
        bed.hook("pre").env("QUIESCE", "none").run().await.check(2, &["`none`", "remove one"]);
    }
}

#[test]
fn what_the_page_calls_tried_is_tried() {
    let tests =
        ["postgres", "mariadb", "redis"].map(|name| of_the_product(&format!("tests/tests/agent_hooks/{name}.rs")));
    for name in blocks().into_iter().filter_map(|block| block.name) {
        assert!(tests.iter().any(|test| test.contains(&format!("\"{name}\""))), "no test runs recipe={name}");
    }
}

#[test]
fn the_readme_shows_a_recipe_that_is_tried() {
    let readme = of_the_product("README.md");
    for line in block("mariadb-lock").lines() {
        assert!(readme.contains(line), "the README's example differs from recipe=mariadb-lock: {line}");
    }
}
