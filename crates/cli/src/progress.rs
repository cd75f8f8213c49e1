//! How far the work is: a line that moves on a terminal, a line now and then elsewhere, JSON lines for programs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lbak::{Event, Finding, Observer, Stage, observe};

use self::pace::{Pace, State};
use crate::{json, output::Output, sizes, times};

mod pace;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A snapshot is taken.
    Snapshot,
    /// Files are restored.
    Restore,
    /// A repository is checked.
    Verify,
    /// It is found out what would be restored.
    Looking,
}

/// Shows how far the work is, until it is dropped.
pub(crate) struct Progress {
    teller: Arc<Teller>,
    beat: Option<Beat>,
}

impl Progress {
    pub(crate) fn new(work: Work, output: Arc<Output>) -> Self {
        let manner = Manner::of(&output);
        if manner == Manner::Terminal {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{wide_msg}").expect("a template that is fixed here"));
            output.show_bar(Some(bar));
        }
        let now = Instant::now();
        let state = State {
            stage: None,
            stage_began: now,
            told: now,
            advanced: now,
            leapt_bytes: 0,
            so_far: observe::Progress::default(),
        };
        let teller = Arc::new(Teller { work, output, manner, began: now, state: Mutex::new(state) });
        let beat = (manner != Manner::Silent).then(|| Beat::start(&teller)).flatten();
        Self { teller, beat }
    }

    /// The observer that a verb takes.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.teller) as Arc<dyn Observer>
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.beat.take());
        let state = *self.teller.state();
        self.teller.tell_time_of(&state, Instant::now());
        self.teller.output.show_bar(None);
    }
}

/// Tells how far it is also while nothing is heard: who reads trees, or waits for a slow disk, is still at work.
struct Beat {
    /// Dropped to end it.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Beat {
    fn start(teller: &Arc<Teller>) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let teller = Arc::clone(teller);
        let pause = teller.manner.pause().max(Duration::from_secs(1));
        // Without it less is told, and nothing else is lost.
        let thread = thread::Builder::new().name("lbak-progress".into()).spawn(move || {
            while stopped.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                let now = Instant::now();
                if let Some(state) = teller.due(now) {
                    teller.tell(&state, now);
                }
            }
        });
        thread.ok().map(|thread| Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// A line that is drawn anew.
    Terminal,
    /// A new line now and then.
    Lines,
    /// A new line every second.
    ManyLines,
    /// JSON lines on standard output.
    Json,
    /// Not at all.
    Silent,
}

impl Manner {
    fn of(output: &Output) -> Self {
        match (output.is_json(), output.is_quiet()) {
            (_, true) => Self::Silent,
            (true, _) => Self::Json,
            _ if Output::is_watched() => Self::Terminal,
            _ if output.is_very_verbose() => Self::ManyLines,
            _ => Self::Lines,
        }
    }

    /// Time between two tellings.
    fn pause(self) -> Duration {
        match self {
            Self::Terminal => Duration::from_millis(100),
            Self::Json | Self::ManyLines => Duration::from_secs(1),
            // A nightly job of hours leaves a log that can be read.
            Self::Lines | Self::Silent => Duration::from_secs(30),
        }
    }
}

struct Teller {
    work: Work,
    output: Arc<Output>,
    manner: Manner,
    began: Instant,
    state: Mutex<State>,
}

impl Observer for Teller {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Stage(stage) => self.enter(*stage),
            Event::Progress(progress) => self.advance(*progress),
            Event::Finding(finding) => self.find(finding),
            Event::Note(note) if self.output.is_verbose() => self.output.note(note),
            _ => {}
        }
    }
}

impl Teller {
    fn enter(&self, stage: Stage) {
        let now = Instant::now();
        let (before, state) = {
            let mut state = self.state();
            if state.stage == Some(stage) {
                return;
            }
            let before = *state;
            *state = State {
                stage: Some(stage),
                stage_began: now,
                advanced: now,
                leapt_bytes: 0,
                so_far: observe::Progress::default(),
                ..*state
            };
            (before, *state)
        };
        self.tell_time_of(&before, now);
        if self.manner == Manner::Terminal {
            self.tell(&state, now);
        }
    }

    /// With `-v` each stage is told with its time when it is over.
    fn tell_time_of(&self, state: &State, now: Instant) {
        if state.stage.is_some() && self.output.is_verbose() {
            let seconds = now.duration_since(state.stage_began).as_secs_f64();
            self.output.note(&format!("{}: {seconds:.2} s", doing(state.stage)));
        }
    }

    fn advance(&self, progress: observe::Progress) {
        let now = Instant::now();
        self.state().advance(progress, now);
        if let Some(state) = self.due(now) {
            self.tell(&state, now);
        }
    }

    /// What is to be told, when it is time to tell something.
    fn due(&self, now: Instant) -> Option<State> {
        let mut state = self.state();
        if self.manner == Manner::Silent || now.saturating_duration_since(state.told) < self.manner.pause() {
            return None;
        }
        state.told = now;
        Some(*state)
    }

    /// Programs hear of every finding when it is found. People read them at the end, together; but each file that a
    /// restore loses to damage is named, however many there are.
    fn find(&self, finding: &Finding) {
        if self.output.is_json() {
            // A pipe that is closed, or a disk that is full, is told when the command prints its summary.
            let _ = self.output.json_now(&json::Finding::of(finding));
        } else if self.work == Work::Restore && finding.kind.is_damage() {
            self.output.detail(&finding.to_string());
        }
    }

    fn tell(&self, state: &State, now: Instant) {
        let pace = state.pace(self.work, now);
        match self.manner {
            Manner::Terminal => {
                let columns = Output::columns();
                self.output.move_bar(&line(self.work, state.stage, &state.so_far, &pace, columns));
            }
            Manner::Lines | Manner::ManyLines => {
                self.output.note(&line(self.work, state.stage, &state.so_far, &pace, usize::MAX));
            }
            Manner::Json => {
                let elapsed = now.duration_since(self.began).as_secs_f64();
                let status = json::Status::of(state.stage, &state.so_far, elapsed, pace.seconds_left);
                // As above.
                let _ = self.output.json_now(&status);
            }
            Manner::Silent => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line, as wide as there is room for, what people look for first:
/// `storing: 1.2 GiB of 4.0 GiB (30%), 9 s left, 310 MiB/s, 1,204 files, 200 MiB new, 81.0 MiB stored`.
fn line(work: Work, stage: Option<Stage>, progress: &observe::Progress, pace: &Pace, columns: usize) -> String {
    let mut line = doing(stage).to_owned();
    if *progress == observe::Progress::default() {
        return line + " …";
    }
    let mut next = ": ";
    for part in parts(work, progress, pace) {
        if line.chars().count() + next.len() + part.chars().count() > columns {
            break;
        }
        line.push_str(next);
        line.push_str(&part);
        next = ", ";
    }
    line
}

fn parts(work: Work, progress: &observe::Progress, pace: &Pace) -> Vec<String> {
    let mut parts = vec![match progress.total_bytes.filter(|total| *total > 0) {
        Some(total) => {
            let percent = u128::from(progress.bytes.min(total)) * 100 / u128::from(total);
            format!("{} of {} ({percent}%)", sizes::bytes(progress.bytes), sizes::bytes(total))
        }
        None => sizes::bytes(progress.bytes),
    }];
    parts.extend(pace.seconds_left.map(|left| format!("{} left", times::duration(left))));
    parts.extend(pace.rate.clone());
    if progress.files > 0 {
        parts.push(sizes::counted(progress.files, "file", "files"));
    }
    if work == Work::Snapshot {
        parts.push(format!("{} new", sizes::bytes(progress.new_bytes)));
        // A dry run stores nothing.
        if progress.stored_bytes > 0 {
            parts.push(format!("{} stored", sizes::bytes(progress.stored_bytes)));
        }
    }
    parts
}

fn doing(stage: Option<Stage>) -> &'static str {
    match stage {
        None | Some(Stage::Opening) => "opening",
        Some(Stage::Capturing) => "storing",
        Some(Stage::Committing) => "committing",
        Some(Stage::Planning) => "planning",
        Some(Stage::Restoring) => "restoring",
        Some(Stage::Structure) => "checking structure",
        Some(Stage::ReadingData) => "reading data",
        Some(_) => "working",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_remaining_time() {
        let progress = observe::Progress {
            files: 1204,
            bytes: 1 << 30,
            total_bytes: Some(4 << 30),
            new_bytes: 200 << 20,
            stored_bytes: 81 << 20,
            ..observe::Progress::default()
        };
        let now = Instant::now();
        let began = now.checked_sub(Duration::from_secs(4)).expect("the clock runs for longer");
        let stage = Some(Stage::Capturing);
        let state = State { stage, stage_began: began, told: now, advanced: now, leapt_bytes: 0, so_far: progress };
        let pace = state.pace(Work::Snapshot, now);
        let line = |columns| line(Work::Snapshot, stage, &progress, &pace, columns);
        let whole =
            "storing: 1.0 GiB of 4.0 GiB (25%), 12 s left, 256 MiB/s, 1,204 files, 200 MiB new, 81.0 MiB stored";
        assert_eq!(line(usize::MAX), whole);
        assert_eq!(line(80), "storing: 1.0 GiB of 4.0 GiB (25%), 12 s left, 256 MiB/s, 1,204 files");
        assert_eq!(line(40), "storing: 1.0 GiB of 4.0 GiB (25%)");
        assert_eq!(line(10), "storing");
    }

    #[test]
    fn nothing_is_promised_before_anything_is_known() {
        let none = observe::Progress::default();
        let pace = Pace { rate: None, seconds_left: None };
        assert_eq!(line(Work::Restore, None, &none, &pace, 80), "opening …");
        assert_eq!(pace::remaining(&none, 5.0), None);
    }
}
