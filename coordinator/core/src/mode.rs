//! How a group's round is released: by what the cluster can do, unless a person fixed it.

use shared::admission::Mode;

use crate::settings::ModeSetting;

/// Reads the annotation's value: a mode's word, or `auto`.
pub fn parse(text: &str) -> Option<ModeSetting> {
    if text == "auto" { Some(ModeSetting::Auto) } else { Mode::parse(text).map(ModeSetting::Fixed) }
}

/// What is known about the coming hooks of a group.
#[derive(Clone, Copy, Debug)]
pub struct Outlook {
    /// Members whose hooks are expected.
    pub expected: usize,
    /// Velero's item block workers, where known.
    pub workers: Option<u32>,
    /// The Backup lists pods of this group in orderedResources: one block, whose hooks run one after another at any worker count.
    pub ordered: bool,
}

/// A barrier needs all its members' hooks to run at the same time; wherever that is not known to be so it would only stall.
pub fn choose(setting: ModeSetting, outlook: Outlook) -> Mode {
    match setting {
        ModeSetting::Fixed(mode) => mode,
        ModeSetting::Auto => {
            let room = outlook.workers.is_some_and(|workers| workers as usize >= outlook.expected);
            if outlook.expected > 1 && room && !outlook.ordered { Mode::Barrier } else { Mode::ArriveAndGo }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_barrier_only_where_all_hooks_can_run_at_once() {
        let auto = |expected, workers, ordered| choose(ModeSetting::Auto, Outlook { expected, workers, ordered });
        assert_eq!(auto(3, None, false), Mode::ArriveAndGo);
        assert_eq!(auto(3, Some(2), false), Mode::ArriveAndGo);
        assert_eq!(auto(3, Some(3), false), Mode::Barrier);
        assert_eq!(auto(3, Some(3), true), Mode::ArriveAndGo);
        assert_eq!(auto(1, Some(3), false), Mode::ArriveAndGo);
        assert_eq!(
            choose(ModeSetting::Fixed(Mode::Barrier), Outlook { expected: 3, workers: Some(1), ordered: true }),
            Mode::Barrier
        );
    }

    #[test]
    fn words() {
        assert_eq!(parse("auto"), Some(ModeSetting::Auto));
        assert_eq!(parse("barrier"), Some(ModeSetting::Fixed(Mode::Barrier)));
        assert_eq!(parse("Barrier"), None);
    }
}
