//! Would it fit otherwise? Planning anew with other settings, only to see.

use super::demand::Demand;
use super::draft::arrange;
use super::feasibility::outcome;
use super::live::LivePlan;
use super::night::Night;
use super::plan::Fix;
use super::settings::PlanSettings;

/// Whether everything fits when planned from nothing with these changes.
pub(super) fn fits_with(demands: &[Demand], settings: &PlanSettings, fixes: &[Fix]) -> bool {
    let changed = fixes.iter().fold(settings.clone(), |settings, fix| settings.with(*fix));
    let night = Night::new(demands, &changed);
    let nothing = LivePlan::default();
    outcome(&night, &arrange(&night, &nothing)).shortages.is_empty()
}
