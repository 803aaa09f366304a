//! Settings of the plan that cannot be: each names the field, its value and what would do.

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Outside its range.
    #[error("{field} is {value}; it must be {least} to {most}")]
    Range {
        /// The setting's name.
        field: &'static str,
        /// What was set.
        value: u64,
        /// The least that does.
        least: u64,
        /// The most that does.
        most: u64,
    },
    /// No place on earth is that far from UTC.
    #[error("UTC offset is {value} min; it must be -840 to 840")]
    UtcOffset {
        /// What was set, min.
        value: i32,
    },
    /// The excluded hours leave nothing of the window.
    #[error(
        "excluded hours leave no minute of the backup window of {window_hours} h from {start} UTC; exclude less or widen the window"
    )]
    NothingOpen {
        /// Hours of the window.
        window_hours: u32,
        /// Its start, `HH:MM` in UTC.
        start: String,
    },
}
