//! Certificates: made, checked, and refused for every way in which they can be wrong.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::scene::{Folder, Run, weald};

const DAY: &str = "2026-06-01";

/// A folder with a lock, a plan, a key and a certificate.
struct Certified {
    folder: Folder,
    /// The folder of key, plan and certificate.
    beside: Folder,
    public: String,
    day: &'static str,
}

impl Certified {
    fn new(name: &str) -> Self {
        Self::of(Folder::of_example("two-pops", name), name, DAY)
    }

    fn of(folder: Folder, name: &str, day: &'static str) -> Self {
        let beside = Folder::new(&format!("{name}-beside"));
        let mut certified = Self { folder, beside, public: String::new(), day };
        let plan = certified.at("plan.json");
        let run = weald(&["compile", certified.folder.name(), "--out", &plan, "--date", day]);
        assert_eq!(run.code, 0, "{run:?}");
        let key = weald(&["key", &certified.at("key")]);
        assert_eq!(key.code, 0, "{key:?}");
        key.out.trim().clone_into(&mut certified.public);
        let run = certified.prove(&[]);
        assert_eq!(run.code, 0, "{run:?}");
        certified
    }

    fn at(&self, file: &str) -> String {
        self.beside.path(file).to_str().expect("a path of ours is text").to_owned()
    }

    fn prove(&self, more: &[&str]) -> Run {
        let (certificate, key) = (self.at("certificate"), self.at("key"));
        let arguments = ["prove", self.folder.name(), "--date", self.day];
        let signing = ["--certificate", &certificate, "--key", &key];
        weald(&[&arguments, &signing, more].concat())
    }

    fn verify(&self, more: &[&str]) -> Run {
        weald(&[&["verify", &self.at("certificate"), self.folder.name()], more].concat())
    }
}

#[test]
fn what_was_certified_verifies_and_only_a_known_key_is_vouched_for() {
    let certified = Certified::new("certified");
    let plan = certified.at("plan.json");
    let run = certified.verify(&["--plan", &plan]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.out.ends_with("holds\n"), "{}", run.out);
    assert!(run.err.contains("nobody vouches for the key"), "{}", run.err);
    let run = certified.verify(&["--signer", &certified.public, "--json"]);
    assert_eq!((run.code, &run.json()["good"]), (0, &true.into()), "{run:?}");
    assert!(!run.err.contains("vouches"), "{}", run.err);
    let run = certified.verify(&["--signer", &"0".repeat(64)]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains(&format!("it is signed by {}", certified.public)), "{}", run.err);
    let mode = |file| std::fs::metadata(certified.at(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("key"), mode("certificate")), (0o600, 0o644));
    assert_eq!(certified.verify(&["--signer", "nobody"]).code, 2);
}

#[test]
fn an_edited_file_is_named() {
    let certified = Certified::new("edited");
    for file in ["network.toml", "services.toml", "sites.csv", "weald.lock"] {
        let before = certified.folder.read(file);
        certified.folder.append(file, "# looked at\n");
        let run = certified.verify(&[]);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.out.contains(&format!("  `{file}` is not the certified one\n")), "{}", run.out);
        assert_eq!(run.out.matches("certified one").count(), 1, "{}", run.out);
        assert!(run.err.contains("hint: go back to what was certified"), "{}", run.err);
        certified.folder.write(file, &before);
    }
    std::fs::remove_file(certified.folder.path("weald.lock")).unwrap();
    let run = certified.verify(&["--json"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(run.json()["differences"], serde_json::json!(["`weald.lock` is not there"]));
}

#[test]
fn a_key_in_the_intent_can_not_be_guessed_from_the_certificate() {
    let certified = Certified::new("guessed");
    let network = certified.folder.read("network.toml");
    assert!(network.contains("example-key-do-not-use"));
    let other = network.replace("example-key-do-not-use", "another-key-altogether");
    certified.folder.write("network.toml", &other);
    assert_eq!(certified.verify(&[]).code, 0);
    let text = certified.beside.read("certificate");
    assert!(!text.contains("example-key"));
}

#[test]
fn a_damaged_certificate_is_refused_with_the_reason() {
    let certified = Certified::new("damaged");
    let text = certified.beside.read("certificate");
    for (from, to, code, reason) in [
        ("\"sites\": 4", "\"sites\": 5", 1, "something was changed after it"),
        ("\"format\": 1", "\"format\": 9", 2, "format 9; this version reads 1"),
        ("\"sites\": 4", "\"sites\": 4, \"more\": 1", 2, "`statement.counts.more` is no member"),
        ("{", "", 2, "not JSON"),
        ("\"format\": 1", "\"version\": 1", 2, "some other document"),
        (certified.public.as_str(), &"0".repeat(64), 1, "public key is none"),
    ] {
        certified.beside.write("certificate", &text.replacen(from, to, 1));
        let run = certified.verify(&[]);
        assert_eq!(run.code, code, "{run:?}");
        assert!(run.err.contains(reason) && run.err.contains("\nhint: "), "{}", run.err);
    }
    let run = weald(&["verify", "no/such/file", certified.folder.name()]);
    assert_eq!(run.code, 2, "{run:?}");
}

#[test]
fn a_plan_that_is_not_the_certified_one_is_refused() {
    let certified = Certified::new("shipping");
    let text = certified.beside.read("plan.json");
    let (plan, other) = (certified.at("plan.json"), certified.at("other.json"));
    certified.beside.write("other.json", &text.replace("\"port_last\": 443", "\"port_last\": 444"));
    for run in [certified.verify(&["--plan", &other]), certified.prove(&["--plan", &other])] {
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.err.contains("is not what the intent compiles to"), "{}", run.err);
        assert!(run.err.contains("hint: it was edited by hand"), "{}", run.err);
    }
    let next = text.replace("\"generation\": 1", "\"generation\": 2");
    certified.beside.write("other.json", &next);
    let run = certified.verify(&["--plan", &other]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("is plan 2, and the certificate is of plan 1"), "{}", run.err);
    assert_eq!(certified.prove(&["--plan", &other]).code, 0);
    assert_eq!(certified.verify(&["--plan", &other]).code, 0);
    assert_eq!(certified.verify(&["--plan", &plan]).code, 1);
}

#[test]
fn a_community_that_has_expired_since_is_told_and_the_certificate_still_holds() {
    let folder = Folder::of_example("two-pops", "expired-since");
    let services = folder.read("services.toml").replace("2031-03-31", "2020-01-31");
    folder.write("services.toml", &services);
    let certified = Certified::of(folder, "expired-since", "2020-01-31");
    let run = certified.verify(&["--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let warnings = run.json()["warnings"].to_string();
    assert!(warnings.contains("expired after 2020-01-31"), "{warnings}");
}

#[test]
fn nothing_is_signed_without_a_good_key_and_a_whole_lock() {
    let certified = Certified::new("unsigned");
    let again = weald(&["key", &certified.at("key")]);
    assert_eq!((again.code, again.out.as_str()), (2, ""), "{again:?}");
    assert!(again.err.contains("never overwritten"), "{}", again.err);
    let key = certified.beside.path("key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let run = certified.prove(&[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("others than its owner"), "{}", run.err);
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let good = certified.beside.read("key");
    certified.beside.write("key", &good.replace("weald-signing-key", "weald-secret-key"));
    let run = certified.prove(&[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("is no signing key") && !run.err.contains("secret"), "{}", run.err);
    certified.beside.write("key", &good);
    certified.beside.write("certificate", "minutes of a meeting");
    assert_eq!(certified.prove(&[]).code, 2);
    assert_eq!(certified.beside.read("certificate"), "minutes of a meeting");
    std::fs::remove_file(certified.beside.path("certificate")).unwrap();
    certified.folder.append("sites.csv", "G3,New,gp_practice,Lewes Practices,BN2 1RE,50.8,-0.14\n");
    let run = certified.prove(&[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("the lock of") && run.err.contains("weald compile"), "{}", run.err);
}
