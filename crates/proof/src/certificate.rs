//! The certificate: what was proved of one plan, for people to file and for programs to check.
//!
//! A [`Statement`] names everything that the proofs started from by its SHA-256 ([`Digest`]): the
//! files of the intent, the lock, the plan, the forwarding tables. It says who checked, how much was
//! looked at, what came out, and what is [assumed and not proved](ASSUMPTIONS). [`Statement::sign`]
//! makes a [`Certificate`] of it, a JSON document; [`Certificate::verify`] says whether a text is
//! one, and which way it is damaged if not. White space between its parts may change, nothing else.
//!
//! The signature is over [`DOMAIN`] and the compact JSON of the statement and the signer's public
//! key, the members in the order in which they are declared here. That somebody signed says nothing
//! about who it was: whoever relies on it has to know the public key from elsewhere.
//!
//! Secrets: a plan holds the keys of IS-IS. What is hashed of a plan has every key replaced by
//! nothing ([`Digest::of_plan`]), so that no digest lets anybody try guesses; a certificate therefore
//! does not notice a change of key. Whoever hashes files of an intent leaves keys out of them in the
//! same way and says so ([`FileDigest::without_key`]).
//!
//! A refused plan has a certificate too, where somebody wants it: a signed report of the refusal, of
//! which [`Statement::is_good`] is false.
//!
//! Standards: RFC 8032 §5.1 (Ed25519), FIPS 180-4 (SHA-256), RFC 8259 (JSON).
//! Not implemented: RFC 8785 (canonical JSON for any value), chains of keys, revocation.

mod hex;
#[cfg(test)]
mod tests;

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use model::config::{Authentication, RouterConfig};
use model::plan::Plan;
use model::tables::RouterTables;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use hex::{Hex, ParseHexError};

use crate::isolation::Isolation;

/// The version of the document that is written and read.
pub const FORMAT: u64 = 1;

/// What a signature begins with, so that it is of use for nothing else.
pub const DOMAIN: &[u8] = b"weald certificate 1\n";

/// Octets of a document: a hundred times what one of ours has.
pub const DOCUMENT_MAX: usize = 1 << 20;

/// Violations that a report of a refusal quotes; the others are counted.
pub const VIOLATIONS_QUOTED_MAX: usize = 20;

/// The name of what checks.
pub const CHECKER: &str = "weald proof";

/// The version of what checks.
pub const CHECKER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is taken for granted by every proof, in plain sentences.
pub const ASSUMPTIONS: [&str; 9] = [
    "Routers forward as their forwarding tables say, and check sources, labels and access rules as \
     their own tests show.",
    "Every router runs the configuration of this plan and no other.",
    "Links join the ports that the plan says they join, and nobody has tapped or moved a cable.",
    "Core routers and what connects them are in nobody else's hands. A site router may be.",
    "Applications listen at the addresses that were published, and do not pass on to others what \
     they are sent.",
    "What passes inside one virtual network, and what happens on a LAN behind a site router, is its \
     owner's to judge.",
    "Those whose consent the intent records have given it. Whether a purpose is lawful is not for a \
     proof to say.",
    "Keys of the region are left out of every digest here: a changed key is not noticed.",
    "The proof is of this plan on the date that it was compiled for: a community that expires later \
     is closed by a later plan.",
];

/// SHA-256 of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub Hex<32>);

/// An Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(pub Hex<32>);

/// An Ed25519 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(pub Hex<64>);

/// Who checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checker {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// A file of the intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// The name in the intent's folder.
    pub name: String,
    /// SHA-256 of what it holds.
    pub sha256: Digest,
    /// Whether it holds a key, and was hashed without it.
    pub without_key: bool,
}

/// The forwarding tables that were walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablesDigest {
    /// How they were obtained.
    pub source: String,
    /// SHA-256 of all of them.
    pub sha256: Digest,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Sites of the plan.
    pub sites: usize,
    /// Virtual networks of the plan.
    pub virtual_networks: usize,
    /// Applications of the plan.
    pub applications: usize,
    /// Communities in force.
    pub communities: usize,
    /// Routers whose tables were read.
    pub routers: usize,
    /// Entries of VRFs that were followed.
    pub entries: usize,
    /// Service labels that were followed.
    pub labels: usize,
    /// Pairs of a VRF and a destination that were promised and looked up.
    pub promises: usize,
}

/// What came out of the proof of isolation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsolationFigures {
    /// How many violations there are.
    pub violations: usize,
    /// The first [`VIOLATIONS_QUOTED_MAX`], in words.
    pub quoted: Vec<String>,
}

/// What came out of the survey of single failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurvivalFigures {
    /// Failures that were examined.
    pub failures: usize,
    /// Those that cut off somebody.
    pub cutting: usize,
    /// Sites promised as resilient that some single failure cuts off.
    pub not_resilient: usize,
    /// Sites that are cut off although nothing has failed.
    pub cut_off_already: usize,
    /// Installed repairs that do not lead to where they should.
    pub faulty_repairs: usize,
    /// States, the normal one among them, for which every promise was looked for in the tables.
    pub states: usize,
    /// Promises that they do not keep, of all these states.
    pub unkept: usize,
}

/// What came out of the survey of loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapacityFigures {
    /// Failures that were examined, besides the normal state.
    pub failures: usize,
    /// Links that are loaded above 75 % in some of these states.
    pub above_75: usize,
    /// Links that are loaded above 100 % in some of these states.
    pub above_100: usize,
}

/// The proofs' results; none: that one was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Isolation.
    pub isolation: IsolationFigures,
    /// Survival.
    pub survival: Option<SurvivalFigures>,
    /// Capacity.
    pub capacity: Option<CapacityFigures>,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// The plan may ship.
    Holds,
    /// It may not: the document reports why, and approves nothing.
    Refused,
}

/// What is certified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// In one word; it follows from the verdicts.
    pub result: Judgement,
    /// The region.
    pub region: String,
    /// The plan's number.
    pub plan: u64,
    /// The day of the signature, `YYYY-MM-DD`.
    pub issued: String,
    /// The day that the plan was compiled for: communities that had expired on it are closed.
    pub compiled_for: String,
    /// Who checked.
    pub checker: Checker,
    /// The intent, by file name.
    pub files: Vec<FileDigest>,
    /// SHA-256 of the lock.
    pub lock: Digest,
    /// SHA-256 of the plan without its keys.
    pub compiled: Digest,
    /// The forwarding tables.
    pub tables: TablesDigest,
    /// How much was looked at.
    pub counts: Counts,
    /// What came out.
    pub verdicts: Verdicts,
    /// What is assumed and not proved.
    pub assumptions: Vec<String>,
}

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The version of the document.
    pub format: u64,
    /// What is certified.
    pub statement: Statement,
    /// Whose signature it is.
    pub signer: PublicKey,
    /// The signature.
    pub signature: Signature,
}

/// Which way a document is damaged, or is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateError {
    /// It has more octets than [`DOCUMENT_MAX`].
    TooLong {
        /// How many.
        octets: usize,
    },
    /// It is no JSON.
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// It has no version: it is some other document.
    NoFormat,
    /// It is of another version.
    Format {
        /// Which.
        found: u64,
    },
    /// A member is missing, twice there, or not of its kind.
    Member {
        /// What is wrong.
        what: String,
        /// The line, from 1.
        line: usize,
    },
    /// A member that no certificate has.
    Unknown {
        /// The way to it: `statement.counts.packets`.
        path: String,
    },
    /// The files are not in the order of their names, or one is named twice.
    FileOrder {
        /// The file.
        name: String,
    },
    /// The signer's public key is not a key, or one under which anything counts as signed.
    Key,
    /// The signature is not the signer's over this statement: something was changed.
    Signature,
    /// The result does not follow from the verdicts.
    Result,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { octets } => {
                write!(f, "{octets} octets, of {DOCUMENT_MAX} at most")
            }
            Self::NotJson { line, column } => {
                write!(f, "not JSON at line {line}, column {column}")
            }
            Self::NoFormat => f.write_str("no `format`: it is some other document"),
            Self::Format { found } => write!(f, "format {found}; this version reads {FORMAT}"),
            Self::Member { what, line } => write!(f, "line {line}: {what}"),
            Self::Unknown { path } => write!(f, "`{path}` is no member of a certificate"),
            Self::FileOrder { name } => write!(f, "file `{name}` is out of order"),
            Self::Key => f.write_str("the signer's public key is none"),
            Self::Signature => {
                f.write_str("the signature is not the signer's: something was changed after it")
            }
            Self::Result => f.write_str("the result does not follow from the verdicts"),
        }
    }
}

impl core::error::Error for CertificateError {}

/// A hash over compact JSON, a line each, so that the whole is never in memory at once.
struct Lines(Sha256);

impl Lines {
    fn add(mut self, value: &impl Serialize) -> Self {
        #[expect(clippy::expect_used, reason = "no map of ours has keys that are not texts")]
        let line = serde_json::to_vec(value).expect("plain data can be written");
        self.0.update(line);
        self.0.update(b"\n");
        self
    }

    fn digest(self) -> Digest {
        Digest(Hex(self.0.finalize().into()))
    }
}

impl Digest {
    /// Of octets.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        Self(Hex(Sha256::digest(octets).into()))
    }

    /// Of a plan with every key replaced by nothing: the compact JSON of the plan without its routers,
    /// then of each router, a line each.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let lines = Lines(Sha256::new()).add(&Plan {
            region: plan.region.clone(),
            generation: plan.generation,
            pops: plan.pops.clone(),
            routers: Vec::new(),
            links: plan.links.clone(),
            sites: plan.sites.clone(),
            virtual_networks: plan.virtual_networks.clone(),
            attachments: plan.attachments.clone(),
            applications: plan.applications.clone(),
            communities: plan.communities.clone(),
            classes: plan.classes.clone(),
            demands: plan.demands.clone(),
        });
        let add = |lines: Lines, router: &RouterConfig| {
            let mut router = router.clone();
            let authentication = router.isis.as_mut().and_then(|isis| isis.authentication.as_mut());
            if let Some(Authentication { key, .. }) = authentication {
                key.clear();
            }
            lines.add(&router)
        };
        plan.routers.iter().fold(lines, add).digest()
    }

    /// Of forwarding tables: the compact JSON of each router's, a line each, by the routers' names.
    #[must_use]
    pub fn of_tables(tables: &[RouterTables]) -> Self {
        let mut tables: Vec<&RouterTables> = tables.iter().collect();
        tables.sort_by(|a, b| a.router.cmp(&b.router));
        tables.into_iter().fold(Lines(Sha256::new()), |lines, one| lines.add(one)).digest()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::str::FromStr for PublicKey {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl PublicKey {
    /// Of a signing key.
    #[must_use]
    pub fn of_seed(seed: &[u8; 32]) -> Self {
        Self(Hex(SigningKey::from_bytes(seed).verifying_key().to_bytes()))
    }
}

impl Checker {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        Self { name: CHECKER.to_owned(), version: CHECKER_VERSION.to_owned() }
    }
}

impl Counts {
    /// Of a plan and of the proof of its isolation.
    #[must_use]
    pub const fn of(plan: &Plan, isolation: &Isolation) -> Self {
        Self {
            sites: plan.sites.len(),
            virtual_networks: plan.virtual_networks.len(),
            applications: plan.applications.len(),
            communities: plan.communities.len(),
            routers: isolation.routers,
            entries: isolation.entries,
            labels: isolation.labels,
            promises: isolation.promises,
        }
    }
}

impl IsolationFigures {
    /// Of a proof.
    #[must_use]
    pub fn of(isolation: &Isolation) -> Self {
        let quoted = isolation.violations.iter().take(VIOLATIONS_QUOTED_MAX);
        Self {
            violations: isolation.violations_total,
            quoted: quoted.map(ToString::to_string).collect(),
        }
    }
}

impl Verdicts {
    /// Whether nothing leaks, no site promised as resilient is cut off by one failure, and no link
    /// has to carry more than it can. A site with one uplink that a failure cuts off, and a link
    /// loaded above 75 %, are told and refuse nothing: neither breaks a promise.
    #[must_use]
    pub const fn judgement(&self) -> Judgement {
        let survives = match self.survival {
            Some(figures) => {
                figures.not_resilient == 0
                    && figures.cut_off_already == 0
                    && figures.faulty_repairs == 0
                    && figures.unkept == 0
            }
            None => true,
        };
        let carries = match self.capacity {
            Some(figures) => figures.above_100 == 0,
            None => true,
        };
        if self.isolation.violations == 0 && survives && carries {
            Judgement::Holds
        } else {
            Judgement::Refused
        }
    }
}

/// What a statement is made of besides the constants.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The day of the signature.
    pub issued: String,
    /// The day that the plan was compiled for.
    pub compiled_for: String,
    /// The intent's files.
    pub files: Vec<FileDigest>,
    /// The lock.
    pub lock: Digest,
    /// The forwarding tables.
    pub tables: &'a [RouterTables],
    /// How these were obtained.
    pub source: &'a str,
    /// The proof of isolation over them.
    pub isolation: &'a Isolation,
    /// The survey of single failures, where one was made.
    pub survival: Option<SurvivalFigures>,
    /// The survey of loads, where one was made.
    pub capacity: Option<CapacityFigures>,
}

impl Statement {
    /// From its parts.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Self {
        let Parts {
            plan, issued, compiled_for, mut files, lock, tables, source, isolation, ..
        } = parts;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup_by(|a, b| a.name == b.name);
        let verdicts = Verdicts {
            isolation: IsolationFigures::of(isolation),
            survival: parts.survival,
            capacity: parts.capacity,
        };
        let sha256 = Digest::of_tables(tables);
        Self {
            result: verdicts.judgement(),
            region: plan.region.clone(),
            plan: plan.generation,
            issued,
            compiled_for,
            checker: Checker::this(),
            files,
            lock,
            compiled: Digest::of_plan(plan),
            tables: TablesDigest { source: source.to_owned(), sha256 },
            counts: Counts::of(plan, isolation),
            verdicts,
            assumptions: ASSUMPTIONS.map(str::to_owned).to_vec(),
        }
    }

    /// Whether the plan may ship by it.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.result == Judgement::Holds && self.verdicts.judgement() == Judgement::Holds
    }

    /// What is signed.
    fn octets(&self, signer: PublicKey) -> Vec<u8> {
        let mut octets = DOMAIN.to_vec();
        #[expect(clippy::expect_used, reason = "a statement has no map")]
        octets.extend(serde_json::to_vec(&(self, signer)).expect("plain data can be written"));
        octets
    }

    /// A certificate, signed with this key.
    #[must_use]
    pub fn sign(self, seed: &[u8; 32]) -> Certificate {
        let signer = PublicKey::of_seed(seed);
        let signature = SigningKey::from_bytes(seed).sign(&self.octets(signer));
        let signature = Signature(Hex(signature.to_bytes()));
        Certificate { format: FORMAT, statement: self, signer, signature }
    }
}

impl Certificate {
    /// The document.
    #[must_use]
    pub fn to_text(&self) -> String {
        #[expect(clippy::expect_used, reason = "a certificate has no map")]
        let mut text = serde_json::to_string_pretty(self).expect("plain data can be written");
        text.push('\n');
        text
    }

    /// Reads a document, without looking at its signature.
    ///
    /// # Errors
    ///
    /// Where it is no certificate of this version, whole and without additions.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        if text.len() > DOCUMENT_MAX {
            return Err(CertificateError::TooLong { octets: text.len() });
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            CertificateError::NotJson { line: error.line(), column: error.column() }
        })?;
        match value.get("format").and_then(Value::as_u64) {
            Some(FORMAT) => {}
            Some(found) => return Err(CertificateError::Format { found }),
            None => return Err(CertificateError::NoFormat),
        }
        let certificate: Self = serde_json::from_str(text).map_err(|error| {
            CertificateError::Member { what: error.to_string(), line: error.line() }
        })?;
        let known = serde_json::to_value(&certificate).unwrap_or_default();
        if let Some(path) = addition(&value, &known) {
            return Err(CertificateError::Unknown { path });
        }
        let files = certificate.statement.files.windows(2);
        for pair in files {
            if let [first, second] = pair
                && first.name >= second.name
            {
                return Err(CertificateError::FileOrder { name: second.name.clone() });
            }
        }
        Ok(certificate)
    }

    /// Reads a document and checks that the signer it names signed it.
    ///
    /// # Errors
    ///
    /// Which way it is damaged.
    pub fn verify(text: &str) -> Result<Self, CertificateError> {
        let certificate = Self::parse(text)?;
        let Self { statement, signer, signature, .. } = &certificate;
        let key = VerifyingKey::from_bytes(&signer.0.0).map_err(|_| CertificateError::Key)?;
        if key.is_weak() {
            return Err(CertificateError::Key);
        }
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0.0);
        key.verify_strict(&statement.octets(*signer), &signature)
            .map_err(|_| CertificateError::Signature)?;
        if statement.result != statement.verdicts.judgement() {
            return Err(CertificateError::Result);
        }
        Ok(certificate)
    }
}

/// The way to a member that is in `found` and not in `known`; a text or number is not looked at.
fn addition(found: &Value, known: &Value) -> Option<String> {
    let below = |name: String, found: &Value, known: Option<&Value>| {
        let Some(known) = known else { return Some(name) };
        addition(found, known).map(|path| format!("{name}.{path}"))
    };
    match (found, known) {
        (Value::Object(found), Value::Object(known)) => {
            found.iter().find_map(|(name, value)| below(name.clone(), value, known.get(name)))
        }
        (Value::Array(found), Value::Array(known)) => {
            let mut places = (0..).zip(found);
            places.find_map(|(place, value)| below(place.to_string(), value, known.get(place)))
        }
        _ => None,
    }
}
