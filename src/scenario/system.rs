//! What a scenario file can put into a world: the contract of a system, and the systems that are known.
//!
//! Separate because users register systems of their own; it must not know any system by name.

use crate::Error;
use crate::scenario::Document;
use crate::sim::Sim;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;

/// Something that a scenario file can name.
pub trait System: Send + Sync {
    /// Its name in files.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &'static str;

    /// Its variants: the correct one first, then those with a planted bug.
    fn variants(&self) -> &[&'static str] {
        &["correct"]
    }

    /// The properties that it judges.
    fn properties(&self) -> &[&'static str];

    /// The places that a sweep may be required to reach.
    fn places(&self) -> &[&'static str] {
        &[]
    }

    /// The sites that faults may hit.
    fn sites(&self) -> &[&'static str] {
        &[]
    }

    /// A whole scenario file that works.
    fn example(&self) -> &'static str;

    /// Reads its part of a scenario file.
    ///
    /// # Errors
    /// Where the file is wrong.
    fn load(&self, section: &Section<'_>) -> Result<Box<dyn Subject>, Error>;
}

/// What is run: a system with its workload, as one file says.
pub trait Subject: Send + Sync {
    /// Puts it into a world. Called once per run.
    fn set_up(&self, sim: &mut Sim);

    /// Judges what only all runs together show.
    ///
    /// # Errors
    /// The property that they break.
    fn judge_sweep(&self) -> Result<(), Broken> {
        Ok(())
    }
}

/// A property that a sweep as a whole broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub property: String,
    /// Why.
    pub detail: String,
}

/// A system's part of a scenario file.
pub struct Section<'a> {
    pub(super) document: &'a Document,
    pub(super) variant: &'static str,
    pub(super) places: &'a [&'static str],
}

/// The one key of the file that is the system's own; the others are known to be right.
#[derive(Deserialize)]
struct Whole<W> {
    workload: W,
}

impl Section<'_> {
    /// The table `[workload]` as the system's own type.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn workload<W: DeserializeOwned>(&self) -> Result<W, Error> {
        self.document.parse::<Whole<W>>().map(|whole| whole.workload)
    }

    /// An error at the table `[workload]`, for what its shape alone cannot say.
    pub fn error(&self, error: Error) -> Error {
        let start = self.document.text().find("[workload").unwrap_or(0);
        self.document.at(start..start, error)
    }

    /// The variant: one of [`System::variants`].
    pub fn variant(&self) -> &'static str {
        self.variant
    }

    /// The places that the sweep must reach: some of [`System::places`].
    pub fn places(&self) -> &[&'static str] {
        self.places
    }
}

/// The systems that scenario files can name.
#[derive(Default)]
pub struct Registry {
    systems: Vec<Box<dyn System>>,
}

impl Registry {
    /// No system yet.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a system; it takes the place of one of the same name.
    pub fn with(mut self, system: impl System + 'static) -> Registry {
        self.systems.retain(|known| known.name() != system.name());
        self.systems.push(Box::new(system));
        self
    }

    /// The systems, in the order of adding.
    pub fn systems(&self) -> impl Iterator<Item = &dyn System> {
        self.systems.iter().map(|system| &**system)
    }

    /// The system of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<&dyn System, Error> {
        let names: Vec<&str> = self.systems().map(System::name).collect();
        self.systems()
            .find(|system| system.name() == name)
            .ok_or_else(|| Error::one_of("system", name, &names))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.systems().map(System::name)).finish()
    }
}
