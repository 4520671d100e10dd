//! How far a network that starts has come: bars on a terminal, now and then a line elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use twin::Progress;

use crate::output;
use crate::screen::moment;

/// Between two lines where there are no bars.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Shows how far a network has come.
#[derive(Debug)]
pub(crate) enum Shown {
    Bars(Bars),
    Lines { next: Instant },
}

#[derive(Debug)]
pub(crate) struct Bars {
    group: MultiProgress,
    routers: ProgressBar,
    adjacencies: ProgressBar,
    sessions: ProgressBar,
    routes: ProgressBar,
    labels: ProgressBar,
}

/// What a figure is called, with a bar where it is known how high it should be.
fn bar(group: &MultiProgress, name: &'static str, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    group.add(ProgressBar::new(0).with_style(style).with_prefix(name))
}

const WITH_END: &str = "{prefix:>12} {bar:40} {pos}/{len}";
const WITHOUT_END: &str = "{prefix:>12} {pos}";

impl Shown {
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { next: Instant::now() + LINE_INTERVAL };
        }
        let group = MultiProgress::new();
        Self::Bars(Bars {
            routers: bar(&group, "routers", WITH_END),
            adjacencies: bar(&group, "adjacencies", WITH_END),
            sessions: bar(&group, "sessions", WITH_END),
            routes: bar(&group, "routes", WITHOUT_END),
            labels: bar(&group, "labels", WITHOUT_END),
            group,
        })
    }

    pub(crate) fn update(&mut self, progress: &Progress) {
        match self {
            Self::Bars(bars) => bars.update(progress),
            Self::Lines { next } => {
                if Instant::now() >= *next {
                    *next = Instant::now() + LINE_INTERVAL;
                    output::note(&line(progress));
                }
            }
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(self) {
        if let Self::Bars(bars) = self {
            // A terminal that is gone has nothing to be cleared.
            let _ = bars.group.clear();
        }
    }
}

impl Bars {
    fn update(&self, progress: &Progress) {
        for (bar, (up, expected)) in [
            (&self.routers, progress.routers),
            (&self.adjacencies, (progress.adjacencies.0 / 2, progress.adjacencies.1 / 2)),
            (&self.sessions, (progress.sessions.0 / 2, progress.sessions.1 / 2)),
        ] {
            bar.set_length(expected as u64);
            bar.set_position(up as u64);
        }
        self.routes.set_position(progress.sizes.vrf_routes as u64);
        self.labels.set_position(progress.sizes.labels as u64);
    }
}

/// How far a network has come, on a line.
pub(crate) fn line(progress: &Progress) -> String {
    let Progress { now, adjacencies, sessions, sizes, .. } = progress;
    format!(
        "at {}: adjacencies {}/{}, sessions {}/{}, routes {}, labels {}",
        moment(*now),
        adjacencies.0 / 2,
        adjacencies.1 / 2,
        sessions.0 / 2,
        sessions.1 / 2,
        sizes.vrf_routes,
        sizes.labels,
    )
}
