//! Certificates: what verifies, and every way in which one does not.

use model::config::{Authentication, AuthenticationAlgorithm};
use model::plan::Plan;
use model::tables::RouterTables;

use super::{
    CapacityFigures, Certificate, CertificateError, DOCUMENT_MAX, Digest, FileDigest, Judgement,
    Parts, PublicKey, Statement, SurvivalFigures,
};
use crate::isolation::Isolation;
use crate::violation::{Breach, Place, Violation};

/// RFC 8032 §7.1, test 1: the secret key and its public key.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn seed() -> [u8; 32] {
    SEED.parse::<super::Hex<32>>().unwrap().0
}

fn plan() -> Plan {
    Plan {
        region: "six-sites".to_owned(),
        generation: 7,
        pops: Vec::new(),
        routers: Vec::new(),
        links: Vec::new(),
        sites: Vec::new(),
        virtual_networks: Vec::new(),
        attachments: Vec::new(),
        applications: Vec::new(),
        communities: Vec::new(),
        classes: Vec::new(),
        demands: Vec::new(),
    }
}

fn survived(failures: usize, cutting: usize, not_resilient: usize) -> SurvivalFigures {
    SurvivalFigures {
        failures,
        cutting,
        not_resilient,
        cut_off_already: 0,
        faulty_repairs: 0,
        states: 1,
        unkept: 0,
    }
}

fn file(name: &str) -> FileDigest {
    FileDigest { name: name.to_owned(), sha256: Digest::of(name.as_bytes()), without_key: false }
}

fn statement(isolation: &Isolation) -> Statement {
    Statement::new(Parts {
        plan: &plan(),
        issued: "2026-06-01".to_owned(),
        compiled_for: "2026-05-31".to_owned(),
        files: vec![file("sites.csv"), file("network.toml"), file("sites.csv")],
        lock: Digest::of(b"lock"),
        tables: &[],
        source: "a test",
        isolation,
        survival: Some(survived(12, 2, 0)),
        capacity: None,
    })
}

fn certificate() -> Certificate {
    statement(&Isolation::default()).sign(&seed())
}

#[test]
fn what_was_signed_verifies_and_says_who_signed() {
    let certificate = certificate();
    assert_eq!(certificate.signer.to_string(), PUBLIC);
    assert_eq!(PublicKey::of_seed(&seed()), certificate.signer);
    assert_eq!(Certificate::verify(&certificate.to_text()), Ok(certificate.clone()));
    let names: Vec<_> = certificate.statement.files.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["network.toml", "sites.csv"]);
    assert!(certificate.statement.is_good());
}

#[test]
fn signing_again_gives_the_same_octets() {
    assert_eq!(certificate().to_text(), certificate().to_text());
}

#[test]
fn every_damaged_octet_is_noticed_unless_it_is_white_space_between_parts() {
    let mut small = certificate();
    small.statement.assumptions.truncate(1);
    let small = small.statement.sign(&seed());
    let text = small.to_text();
    let mut same = 0_usize;
    for place in 0..text.len() {
        for bit in 0..8 {
            let mut octets = text.clone().into_bytes();
            let octet = octets.get_mut(place).unwrap();
            let before = *octet;
            *octet ^= 1 << bit;
            let after = *octet;
            let Ok(damaged) = String::from_utf8(octets) else { continue };
            let Ok(read) = Certificate::verify(&damaged) else { continue };
            assert_eq!(read, small, "octet {place}: {before} became {after}");
            assert!(before.is_ascii_whitespace() && after.is_ascii_whitespace(), "octet {place}");
            same += 1;
        }
    }
    assert!(same < text.len());
}

#[test]
fn a_document_that_ends_early_is_no_json() {
    let text = certificate().to_text();
    for end in 0..text.len() - 2 {
        let error = Certificate::verify(text.get(..end).unwrap()).unwrap_err();
        assert!(matches!(error, CertificateError::NotJson { .. }), "{end}: {error}");
    }
}

#[test]
fn white_space_may_change() {
    let certificate = certificate();
    let compact = serde_json::to_string(&certificate).unwrap();
    assert_eq!(Certificate::verify(&compact), Ok(certificate.clone()));
    let other = certificate.to_text().replace('\n', "\r\n\t");
    assert_eq!(Certificate::verify(&other), Ok(certificate));
}

#[test]
fn each_damage_has_its_name() {
    let text = certificate().to_text();
    let error = |text: &str| Certificate::verify(text).unwrap_err();
    let changed = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        error(&changed)
    };
    let octets = DOCUMENT_MAX + 1;
    assert_eq!(error(&" ".repeat(octets)), CertificateError::TooLong { octets });
    assert!(matches!(error("weald"), CertificateError::NotJson { line: 1, .. }));
    assert_eq!(error("{}"), CertificateError::NoFormat);
    assert_eq!(error("[1]"), CertificateError::NoFormat);
    assert_eq!(changed("\"format\": 1", "\"format\": 2"), CertificateError::Format { found: 2 });
    let unknown = |path: &str| CertificateError::Unknown { path: path.to_owned() };
    assert_eq!(changed("\"sites\": 0", "\"sites\": 0, \"x\": 1"), unknown("statement.counts.x"));
    assert_eq!(changed("\"without_key\"", "\"y\": {}, \"without_key\""), {
        unknown("statement.files.0.y")
    });
    for (from, to) in [
        ("\"sites\": 0", "\"sites\": \"0\""),
        ("\"sites\": 0", "\"sites\": 0, \"sites\": 0"),
        ("\"region\": \"six-sites\",", ""),
        (PUBLIC, "D75A"),
        ("\"holds\"", "\"held\""),
    ] {
        assert!(matches!(changed(from, to), CertificateError::Member { .. }), "{from}");
    }
    assert_eq!(changed("\"plan\": 7", "\"plan\": 8"), CertificateError::Signature);
    assert_eq!(changed("network.toml", "network.tomk"), CertificateError::Signature);
    assert_eq!(
        changed("network.toml", "zebra.toml"),
        CertificateError::FileOrder { name: "sites.csv".to_owned() }
    );
    assert_eq!(changed(PUBLIC, &"0".repeat(64)), CertificateError::Key);
    assert_eq!(changed("\"holds\"", "\"refused\""), CertificateError::Signature);
}

#[test]
fn a_key_of_somebody_else_does_not_verify() {
    let other = PublicKey::of_seed(&[1; 32]).to_string();
    let text = certificate().to_text().replace(PUBLIC, &other);
    assert_eq!(Certificate::verify(&text), Err(CertificateError::Signature));
}

#[test]
fn a_result_that_does_not_follow_is_refused_though_it_is_signed() {
    let mut lie = certificate().statement;
    lie.verdicts.isolation.violations = 1;
    assert!(!lie.is_good());
    let text = lie.sign(&seed()).to_text();
    assert_eq!(Certificate::verify(&text), Err(CertificateError::Result));
}

#[test]
fn a_refused_plan_has_a_report_and_no_approval() {
    let violation = Violation {
        router: "site-h1".to_owned(),
        place: Place::Router,
        breach: Breach::NoTables,
        witness: None,
    };
    let isolation =
        Isolation { violations: vec![violation; 30], violations_total: 30, ..Isolation::default() };
    let certificate = statement(&isolation).sign(&seed());
    let read = Certificate::verify(&certificate.to_text()).unwrap();
    assert_eq!(read.statement.result, Judgement::Refused);
    assert!(!read.statement.is_good());
    assert_eq!(read.statement.verdicts.isolation.quoted.len(), 20);
    assert_eq!(read.statement.verdicts.isolation.violations, 30);
}

#[test]
fn what_breaks_no_promise_refuses_nothing() {
    let mut verdicts = certificate().statement.verdicts;
    let judged = |verdicts: &super::Verdicts| verdicts.judgement();
    verdicts.capacity = Some(CapacityFigures { failures: 3, above_75: 9, above_100: 0 });
    assert_eq!(judged(&verdicts), Judgement::Holds);
    verdicts.capacity = Some(CapacityFigures { failures: 3, above_75: 9, above_100: 1 });
    assert_eq!(judged(&verdicts), Judgement::Refused);
    verdicts.capacity = None;
    verdicts.survival = Some(survived(3, 3, 1));
    assert_eq!(judged(&verdicts), Judgement::Refused);
}

/// FIPS 180-4, the example of one block: SHA-256 of `abc`.
#[test]
fn a_digest_is_sha_256() {
    let wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"abc").to_string(), wanted);
}

#[test]
fn tables_have_one_digest_in_any_order() {
    let table = |router: &str| RouterTables {
        router: router.to_owned(),
        generation: 1,
        ports: Vec::new(),
        vrfs: Vec::new(),
        labels: Vec::new(),
        global: Vec::new(),
        transports: Vec::new(),
    };
    let (a, b) = (table("a"), table("b"));
    assert_eq!(Digest::of_tables(&[a.clone(), b.clone()]), Digest::of_tables(&[b, a.clone()]));
    assert_ne!(Digest::of_tables(&[a]), Digest::of_tables(&[]));
}

#[test]
fn a_plan_s_digest_says_nothing_of_its_keys_and_everything_of_the_rest() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/two-pops");
    let intent = intent::load(&folder).unwrap();
    let with_key = |key: &str| {
        let mut intent = intent.clone();
        intent.isis.authentication = Some(Authentication {
            algorithm: AuthenticationAlgorithm::HmacSha256,
            key_id: 1,
            key: key.to_owned(),
        });
        plan::compile(&intent, &mut intent::Lock::default(), 1, None).unwrap()
    };
    let (plan, other) = (with_key("correct horse"), with_key("battery staple"));
    assert_ne!(plan, other);
    assert_eq!(Digest::of_plan(&plan), Digest::of_plan(&other));
    let mut widened = plan.clone();
    widened.generation += 1;
    assert_ne!(Digest::of_plan(&plan), Digest::of_plan(&widened));
}
