//! `coordinator verify`: holds receipts against their own facts, by the core's second implementation, and shows what came out.

mod show;

use coordinator_core::verify::{Check, Outcome, verify};

use crate::cli::{Output, VerifyFlags};
use crate::error_chain::chain;
use crate::exit::VerifyExit;
use crate::output::print;
use crate::receipts::carried::Carried;
use crate::receipts::gather;

/// A receipt and what came out for it; nothing for one that cannot be read.
struct Checked {
    carried: Carried,
    check: Option<Check>,
}

impl Checked {
    fn outcome(&self) -> Outcome {
        self.check.as_ref().map_or(Outcome::Unchecked, Check::outcome)
    }
}

/// Checks the receipts.
pub fn run(flags: &VerifyFlags) -> VerifyExit {
    let receipts = match gather::gather(&flags.source) {
        Ok(receipts) => receipts,
        Err(error) => {
            eprintln!("coordinator verify: {}", chain(&error));
            return VerifyExit::Failed(error.exit());
        }
    };
    let check = |carried: Carried| {
        let check = carried.content.as_ref().ok().map(|receipt| verify(receipt));
        Checked { carried, check }
    };
    let checked: Vec<Checked> = receipts.into_iter().map(check).collect();
    let text = match flags.output {
        Output::Table => show::text(&checked),
        Output::Json => show::json(&checked),
    };
    print(&text);
    let nothing = if flags.source.backup.is_some() { Outcome::Unchecked } else { Outcome::Agrees };
    match checked.iter().map(Checked::outcome).max().unwrap_or(nothing) {
        Outcome::Agrees => VerifyExit::Agrees,
        Outcome::ClaimsLess => VerifyExit::ClaimsLess,
        Outcome::Unchecked => VerifyExit::Unchecked,
        Outcome::ClaimsMore => VerifyExit::ClaimsMore,
    }
}
