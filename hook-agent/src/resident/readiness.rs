//! Whether the pod could be held still now, as far as that can be told without doing it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::keeper::place::Place;
use crate::lines::chain;
use crate::quiesce::freeze::guarded;
use crate::quiesce::plan::Plan;

/// Where programs are looked for when the environment does not say (execvp(3)).
const PATH_DEFAULT: &str = "/bin:/usr/bin";

/// Why not; `None`: it could. Freezes nothing and thaws nothing.
pub fn why_not(plan: &Plan, place: &Place) -> Option<String> {
    if let Err(e) = guarded(plan.freezes(), place.dir()) {
        return Some(chain(&e));
    }
    let path = std::env::var("PATH").unwrap_or_else(|_| PATH_DEFAULT.to_owned());
    let missing = plan.programs().find(|program| !can_be_started(program, &path))?;
    Some(format!("`{missing}` cannot be started in this container: there is no such program in its image"))
}

fn can_be_started(program: &str, path: &str) -> bool {
    if program.contains('/') {
        return is_program(Path::new(program));
    }
    path.split(':').map(|dir| PathBuf::from(dir).join(program)).any(|file| is_program(&file))
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_must_be_there_and_can_be_started() {
        let place = Place::at(std::env::temp_dir());
        let why = |plan: &str| why_not(&Plan::parse(plan).unwrap(), &place);
        assert_eq!(why("none"), None);
        assert_eq!(why("- exec: {freeze: [sh], thaw: [/bin/sh]}"), None);
        for (plan, what) in [
            ("- exec: {freeze: [/bin/sh], thaw: [/no/such/program]}", "/no/such/program"),
            ("- session: {command: [no-such-program], before: [], ready: x}", "no-such-program"),
            ("- exec: {freeze: [/etc/passwd], thaw: []}", "/etc/passwd"),
            ("- fsfreeze: [/no/such/path]", "/no/such/path"),
        ] {
            assert!(why(plan).is_some_and(|why| why.contains(what)), "{plan}: {:?}", why(plan));
        }
    }
}
