//! `coordinator receipts`: reads the receipts back from where they were put, and shows what was proven. It writes nothing.

pub mod carried;
pub mod gather;
mod json;
pub mod text;

use shared::verdict::Verdict;

use crate::cli::{Output, ReceiptsFlags};
use crate::error_chain::chain;
use crate::exit::ReceiptsExit;
use crate::output::print;
use carried::Carried;

/// Shows the receipts.
pub fn run(flags: &ReceiptsFlags) -> ReceiptsExit {
    let receipts = match gather::gather(&flags.source) {
        Ok(receipts) => receipts,
        Err(error) => {
            eprintln!("coordinator receipts: {}", chain(&error));
            return ReceiptsExit::Failed(error.exit());
        }
    };
    let text = match flags.output {
        Output::Table => text::render(&receipts),
        Output::Json => json::render(&receipts),
    };
    print(&text);
    exit(&receipts, flags.fail_below)
}

fn exit(receipts: &[Carried], fail_below: Option<Verdict>) -> ReceiptsExit {
    // Verdicts are in the order of what they prove, the strongest first.
    let proves_less = |least: &Verdict| {
        receipts.is_empty() || receipts.iter().any(|it| it.content.as_ref().is_ok_and(|it| it.verdict > *least))
    };
    if receipts.iter().any(|it| it.content.is_err()) {
        ReceiptsExit::Unreadable
    } else if fail_below.as_ref().is_some_and(proves_less) {
        ReceiptsExit::Below
    } else {
        ReceiptsExit::Ok
    }
}

#[cfg(test)]
#[path = "receipts_tests.rs"]
mod tests;
