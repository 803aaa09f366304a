//! How a group's round is released: by what the cluster can do, unless a person fixed it.

use shared::admission::Mode;

use crate::settings::ModeSetting;

/// What a mode's word must be.
pub const MODE_RULE: &str = "auto, arrive-and-go, barrier or lead";

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
    /// Every one of them has a resident that could hold it still now.
    pub residents: bool,
}

/// Residents are still at once on every Velero, so they go before all else, where each member has one and there is more than one member. A barrier needs all its members' hooks to run at the same time; wherever that is not known to be so it would only stall.
pub fn choose(setting: ModeSetting, outlook: Outlook) -> Mode {
    match setting {
        ModeSetting::Fixed(mode) => mode,
        ModeSetting::Auto => {
            if outlook.expected > 1 && outlook.residents {
                return Mode::Lead;
            }
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
        let auto = |expected, workers, ordered| {
            choose(ModeSetting::Auto, Outlook { expected, workers, ordered, residents: false })
        };
        assert_eq!(auto(3, None, false), Mode::ArriveAndGo);
        assert_eq!(auto(3, Some(2), false), Mode::ArriveAndGo);
        assert_eq!(auto(3, Some(3), false), Mode::Barrier);
        assert_eq!(auto(3, Some(3), true), Mode::ArriveAndGo);
        assert_eq!(auto(1, Some(3), false), Mode::ArriveAndGo);
        assert_eq!(
            choose(
                ModeSetting::Fixed(Mode::Barrier),
                Outlook { expected: 3, workers: Some(1), ordered: true, residents: true }
            ),
            Mode::Barrier
        );
    }

    #[test]
    fn lead_where_every_one_of_several_members_has_a_resident() {
        let auto = |expected, residents| {
            choose(ModeSetting::Auto, Outlook { expected, workers: Some(9), ordered: true, residents })
        };
        assert_eq!((auto(3, true), auto(3, false), auto(1, true)), (Mode::Lead, Mode::ArriveAndGo, Mode::ArriveAndGo));
    }

    #[test]
    fn words() {
        assert_eq!(parse("auto"), Some(ModeSetting::Auto));
        assert_eq!(parse("barrier"), Some(ModeSetting::Fixed(Mode::Barrier)));
        assert_eq!((parse("lead"), parse("Barrier")), (Some(ModeSetting::Fixed(Mode::Lead)), None));
    }
}
