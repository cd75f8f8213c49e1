//! Making a repository, and its keys, on a store that fails: whatever is left opens with what its owner has in hand.

use std::sync::Arc;

use lbak_core::{
    backend::{Backend, BackendErrorKind, MemoryBackend},
    codec::slot::Credential,
    error::Result,
    keys::PasswordCost,
    repository::{InitOptions, NewSlot, OpenOptions, Repository},
};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation};

use crate::{
    house::{filled, memory},
    sweep::all_faults,
};

fn slot(password: &str) -> NewSlot {
    NewSlot { credential: Credential::password(password), cost: PasswordCost::CHEAPEST, label: password.into() }
}

fn init(backend: Arc<dyn Backend>) -> Result<Repository> {
    Repository::init(backend, &[slot("old")], &InitOptions { threads: Some(1), ..InitOptions::default() })
}

fn open(backend: Arc<dyn Backend>, password: &str) -> Result<Repository> {
    let options = OpenOptions { threads: Some(1), ..OpenOptions::default() };
    Repository::open(backend, &Credential::password(password), &options)
}

fn opens(store: &Arc<MemoryBackend>, password: &str) -> bool {
    open(Arc::clone(store) as _, password).is_ok()
}

/// Does something to a store, of which it calls the second when the fault may begin.
type Work<'a, T> = &'a dyn Fn(Arc<dyn Backend>, &dyn Fn()) -> Result<T>;
/// Gets what is left, what came of it, what had failed, and its name.
type Check<'a, T> = &'a dyn Fn(&Arc<MemoryBackend>, Result<T>, Effect, &str);

/// Does something to a store of which every operation fails in every way, and has a look at it afterwards. How many failures there were, and of how many it
/// told.
fn whichever_fails<T>(before: &Arc<MemoryBackend>, work: Work<'_, T>, check: Check<'_, T>) -> (u64, u64) {
    let (mut faults, mut failed) = (0, 0);
    for (operation, effect, lasting) in all_faults(&Operation::ALL) {
        for skip in 0.. {
            let (store, backend) = filled(&before.contents());
            let faulty = Arc::new(FaultyBackend::new(backend, []));
            let outcome = work(Arc::clone(&faulty) as _, &|| faulty.add(lasting.fault(operation, effect, skip)));
            let is_failed = outcome.is_err();
            check(&store, outcome, effect, &format!("{operation:?} {effect:?} {lasting:?} after {skip}"));
            if faulty.struck() == 0 {
                assert!(!is_failed, "without a fault");
                break;
            }
            faults += 1;
            failed += u64::from(is_failed);
        }
    }
    (faults, failed)
}

#[test]
fn whichever_operation_of_init_fails_what_is_left_opens_or_is_nothing() {
    let (empty, _) = memory();
    let work = |backend: Arc<dyn Backend>, begin: &dyn Fn()| {
        begin();
        init(backend)
    };
    let (faults, failed) = whichever_fails(&empty, &work, &|store, outcome, _, what| {
        let is_nothing = outcome.is_err() && store.contents().is_empty();
        assert!(is_nothing || opens(store, "old"), "{what}: {:?}", store.contents().keys());
        assert!(!is_nothing || init(Arc::clone(store) as _).is_ok(), "{what}: the next one makes it");
    });
    println!(
        "failures of the store in init: {faults}, {failed} of which it told; what was left opened, or was nothing"
    );
    assert!(faults > 50 && failed > 30, "{faults} {failed}");
}

#[test]
fn whatever_a_store_says_no_repository_is_made_over_another() {
    let (store, backend) = memory();
    init(backend).unwrap();
    let before = store.contents();
    let work = |backend: Arc<dyn Backend>, begin: &dyn Fn()| {
        begin();
        // That it is refused is what it is to do.
        Ok(init(backend).is_err())
    };
    whichever_fails(&store, &work, &|store, is_refused, _, what| {
        assert!(is_refused.unwrap() && store.contents() == before, "{what}");
        assert!(opens(store, "old"), "{what}");
    });
}

#[test]
fn whichever_operation_on_keys_fails_somebody_who_had_or_gets_one_comes_in() {
    let (one, backend) = memory();
    init(backend).unwrap();
    let add = |backend: Arc<dyn Backend>, begin: &dyn Fn()| {
        let repository = open(backend, "old")?;
        begin();
        repository.add_slot(&slot("new"))
    };
    let added = whichever_fails(&one, &add, &|store, outcome, _, what| {
        assert!(opens(store, "old"), "{what}");
        assert!(outcome.is_err() || opens(store, "new"), "{what}");
    });

    let change = |backend: Arc<dyn Backend>, begin: &dyn Fn()| {
        let repository = open(backend, "old")?;
        begin();
        repository.add_slot(&slot("new"))?;
        repository.remove_slot(repository.opened_by().id)
    };
    let changed = whichever_fails(&one, &change, &|store, outcome, _, what| {
        assert!(opens(store, "old") || opens(store, "new"), "{what}");
        assert!(outcome.is_err() || opens(store, "new"), "{what}");
    });

    let (two, backend) = filled(&one.contents());
    open(backend, "old").unwrap().add_slot(&slot("new")).unwrap();
    let remove = |backend: Arc<dyn Backend>, begin: &dyn Fn()| {
        let repository = open(backend, "new")?;
        let old =
            repository.slots()?.into_iter().find(|slot| slot.id != repository.opened_by().id).expect("it is there");
        begin();
        repository.remove_slot(old.id)
    };
    let removed = whichever_fails(&two, &remove, &|store, outcome, effect, what| {
        assert!(opens(store, "new"), "{what}");
        // A store that lies about what it removed is believed: that it is gone can not be proved.
        assert!(outcome.is_err() || effect == Effect::Pretend || !opens(store, "old"), "{what}");
    });
    println!(
        "failures of the store while keys were added, changed, removed, and how many of each were told: {added:?} {changed:?} {removed:?}"
    );
    for (faults, failed) in [added, changed, removed] {
        assert!(faults >= 20 && failed >= 10, "{faults} {failed}");
    }
}

#[test]
fn a_slot_that_the_store_does_not_give_is_not_called_damaged_when_another_opens() {
    let (store, backend) = memory();
    let repository = init(backend).unwrap();
    repository.add_slot(&slot("new")).unwrap();
    for effect in [Effect::FailBefore(BackendErrorKind::Unreachable), Effect::FlipBit(30)] {
        // Whichever of the two is asked first.
        let damage = ["old", "new"].map(|password| {
            let (_, backend) = filled(&store.contents());
            let faulty = FaultyBackend::new(backend, [Fault::new(Operation::Get, effect).on("keys/").once()]);
            open(Arc::new(faulty), password).map(|repository| repository.damage().len()).ok()
        });
        let is_damage = usize::from(matches!(effect, Effect::FlipBit(_)));
        assert!(damage.contains(&Some(is_damage)) && damage.contains(&None), "{effect:?}: {damage:?}");
    }
}
