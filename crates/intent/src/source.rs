//! Where the things of an intent are written.
//!
//! An [`crate::Intent`] is what its files mean, without a trace of how they are written. Whoever has
//! to show a person why something is as it is asks [`Sources`] for the line.

use std::collections::BTreeMap;

use crate::problem::{Place, Report};

/// Something that a line of an intent says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The site of this code.
    Site(String),
    /// The virtual network of this name.
    VirtualNetwork(String),
    /// The application of this name.
    Application(String),
    /// The attached router of this name.
    AttachedRouter(String),
    /// The community of this name.
    Community(String),
    /// That a community has this member.
    Member {
        /// The community.
        community: String,
        /// The virtual network.
        member: String,
    },
    /// That an organisation agreed to a community.
    Consent {
        /// The community.
        community: String,
        /// The organisation.
        organisation: String,
    },
    /// When a community expires.
    Expiry(String),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The file, with its folder as it was given.
    pub file: String,
    /// The line, from 1.
    pub number: u32,
}

impl core::fmt::Display for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}:{}", self.file, self.number)
    }
}

/// The lines of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources(BTreeMap<Source, Line>);

impl Sources {
    /// The line that says something, where one does.
    #[must_use]
    pub fn line(&self, source: &Source) -> Option<&Line> {
        self.0.get(source)
    }

    /// Takes in where a file says something; what is said twice is where it is said first.
    pub(crate) fn add(&mut self, report: &Report<'_>, file: &str, place: Place, source: Source) {
        if let Some(number) = report.line(place) {
            self.0.entry(source).or_insert_with(|| Line { file: file.to_owned(), number });
        }
    }
}
