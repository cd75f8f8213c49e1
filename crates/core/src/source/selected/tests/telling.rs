//! What is told and counted of what is left out.

use super::*;

/// Hears what is left out.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, Exclusion)>>, bool);

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        if let Event::Excluded { path, exclusion } = event {
            self.0.lock().expect("lock").push((String::from_utf8_lossy(path).into_owned(), *exclusion));
        }
    }

    fn wants_paths(&self) -> bool {
        self.1
    }
}

#[test]
fn what_is_left_out_is_told_to_whom_it_concerns_and_counted_anew_for_each_walk() {
    for wants_paths in [true, false] {
        let source = sample();
        let heard = Arc::new(Heard(Mutex::default(), wants_paths));
        let observer = Arc::<Heard>::clone(&heard);
        let selected = SelectedSource::new(&source, excluding(&["cache", "c.bin"])).observed_by(observer);
        shown(&selected);
        shown(&selected);
        assert_eq!(selected.excluded(), [ExclusionCount { exclusion: Exclusion::Pattern, count: 2 }]);
        let mut told = heard.0.lock().expect("lock").clone();
        told.truncate(2);
        let expected = ["/r/cache", "/r/deep/down/c.bin"].map(|path| (path.to_owned(), Exclusion::Pattern));
        assert_eq!(told, if wants_paths { expected.to_vec() } else { Vec::new() });
    }
}

/// A name that can not be looked at is trouble, unless nobody asked for it: a FUSE mount of another user, say.
#[test]
fn an_excluded_name_that_can_not_be_looked_at_is_no_trouble() {
    struct Blind;
    impl Source for Blind {
        fn kind(&self) -> SourceKind {
            SourceKind::Files
        }
        fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
            MemorySource::new([("/r", directory([]))]).roots().map(|roots| Arc::new(BlindRoots(roots)) as _)
        }
    }
    struct BlindRoots(Arc<dyn Directory>);
    struct BlindDirectory;
    macro_rules! nothing_else {
        () => {
            fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
                unreachable!("there is none")
            }
            fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, SourceError> {
                unreachable!("there is none")
            }
            fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
                Ok(Vec::new())
            }
        };
    }
    impl Directory for BlindRoots {
        fn entries(&self) -> Result<Listing, SourceError> {
            self.0.entries()
        }
        fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
            Ok(Arc::new(BlindDirectory))
        }
        nothing_else!();
    }
    impl Directory for BlindDirectory {
        fn entries(&self) -> Result<Listing, SourceError> {
            let names = ["gvfs", "other"].map(|name| {
                let error = SourceError::new(SourceErrorKind::Denied, "a mount of somebody else");
                Err(Unlisted { name: name.into(), error })
            });
            Ok(Box::new(names.into_iter()))
        }
        fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
            unreachable!("there is none")
        }
        nothing_else!();
    }
    let selected = SelectedSource::new(&Blind, excluding(&["gvfs/"]));
    let roots = selected.roots().expect("roots");
    let found = roots.entries().expect("list").next().expect("one").expect("found");
    let listed = roots.directory(&found.name, &found.metadata).expect("open").entries().expect("list");
    let names: Vec<Vec<u8>> = listed.map(|found| found.expect_err("it can not be looked at").name).collect();
    assert_eq!(names, [b"other"]);
}
