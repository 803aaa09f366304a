//! What does `docs/recipes.md` say? Tests run what stands there.

use std::collections::BTreeMap;
use std::path::Path;

/// A fenced block of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it is written in.
    pub language: String,
    /// What its fence says after `recipe=`.
    pub name: Option<String>,
    /// What stands in it.
    pub text: String,
}

/// All blocks of the page.
///
/// # Panics
/// When the page cannot be read.
pub fn blocks() -> Vec<Block> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/recipes.md");
    let page = std::fs::read_to_string(place).unwrap_or_else(|e| panic!("docs/recipes.md: {e}"));
    let mut lines = page.lines();
    let mut blocks = Vec::new();
    while let Some(fence) = lines.find_map(|line| line.strip_prefix("```")) {
        let (language, rest) = fence.split_once(' ').unwrap_or((fence, ""));
        let text = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        blocks.push(Block {
            language: language.to_owned(),
            name: rest.strip_prefix("recipe=").map(str::to_owned),
            text,
        });
    }
    blocks
}

/// The block whose opening fence ends with `recipe=` and this name.
///
/// # Panics
/// When there is none.
pub fn block(name: &str) -> String {
    let found = blocks().into_iter().find(|block| block.name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("docs/recipes.md has no block recipe={name}")).text
}

/// A pod's annotations, by their keys, as a block has them.
///
/// # Panics
/// When it is no list of annotations.
pub fn annotations(text: &str) -> BTreeMap<String, String> {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("no list of annotations: {e}: {text}"))
}
