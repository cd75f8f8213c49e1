//! Every fault that is tried at every operation of a verb.

use lbak_core::backend::BackendErrorKind;
use lbak_testkit::{Effect, Fault, Operation};

/// How long a store stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// One operation is hit.
    Once,
    /// So is every later one of its kind: a disk that is full, a share that is gone.
    FromThenOn,
}

impl Lasting {
    /// This effect, after so many operations that went well.
    pub(crate) fn fault(self, operation: Operation, effect: Effect, skip: u64) -> Fault {
        let fault = Fault::new(operation, effect).after(skip);
        if self == Self::Once { fault.once() } else { fault }
    }
}

/// What is tried, in every combination that makes sense.
pub(crate) fn all_faults(operations: &[Operation]) -> Vec<(Operation, Effect, Lasting)> {
    let with = |&operation: &Operation| effects(operation).into_iter().map(move |effect| (operation, effect));
    let faults = operations.iter().flat_map(with);
    faults
        .flat_map(|(operation, effect)| {
            [Lasting::Once, Lasting::FromThenOn].map(|lasting| (operation, effect, lasting))
        })
        .collect()
}

/// Every kind of error, before and after the operation was done; of what changes the store, that it only says that it was done; of what
/// reads, that something else comes.
fn effects(operation: Operation) -> Vec<Effect> {
    use BackendErrorKind::{Corrupt, Denied, Full, NotFound, Other, Unreachable};
    let kinds = match operation {
        Operation::Put => vec![Full, Denied, Unreachable, Other],
        _ => vec![Denied, Unreachable, Other],
    };
    let both = |kind| [Effect::FailBefore(kind), Effect::FailAfter(kind)];
    let mut effects: Vec<Effect> = match operation {
        // Whether a read fails before or after is the same to whoever asked.
        Operation::Put | Operation::Remove => kinds.into_iter().flat_map(both).collect(),
        _ => kinds.into_iter().map(Effect::FailBefore).collect(),
    };
    effects.extend(match operation {
        Operation::Put | Operation::Remove => vec![Effect::Pretend],
        // What is missing or short where something refers to it is damage, and met as such. A bit of what is said in front, and one behind it.
        Operation::Get | Operation::GetRange => vec![
            Effect::FailBefore(NotFound),
            Effect::FailBefore(Corrupt),
            Effect::FlipBit(9),
            Effect::FlipBit(100),
            Effect::CutShort(1),
        ],
        Operation::List => vec![Effect::TruncateList(0), Effect::TruncateList(1)],
    });
    effects
}
