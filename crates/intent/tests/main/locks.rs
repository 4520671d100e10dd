//! Numbers stay where they are, and a lock that was damaged is refused.

use std::fs;

use intent::Lock;

use crate::examples::example;

fn lock() -> Lock {
    let mut lock = Lock::default();
    for router in ["brighton-1", "lewes-1"] {
        lock.allot("loopback", router);
    }
    for site in ["site-h1", "site-g1"] {
        lock.allot("uplink", site);
    }
    lock.allot("lan/hospitals", "H1");
    lock.homing.insert("site-h1".to_owned(), vec!["brighton-1".to_owned(), "lewes-1".to_owned()]);
    lock
}

const TEXT: &str = r#"# What has been allotted in this region: numbers stay with their owners for ever.
# Written by weald and kept with the intent. Do not edit it: a changed number renumbers a router.
version = 1
checksum = "CHECKSUM"

[homing]
"site-h1" = ["brighton-1", "lewes-1"]

[number."lan/hospitals"]
"H1" = 0

[number."loopback"]
"brighton-1" = 0
"lewes-1" = 1

[number."uplink"]
"site-g1" = 1
"site-h1" = 0
"#;

/// A text with the checksum that it would have if it were no accident.
fn sealed(text: &str) -> String {
    let (head, body) = text.split_once("CHECKSUM\"\n").expect("a checksum line");
    let mut hash = base::TraceHash::new();
    hash.bytes(body.as_bytes());
    format!("{head}{:016x}\"\n{body}", hash.value())
}

#[test]
fn text_form_is_sorted_and_read_back() {
    assert_eq!(lock().to_text(), sealed(TEXT));
    assert_eq!(Lock::parse("weald.lock", &lock().to_text()), Ok(lock()));
    let empty = Lock::default();
    assert_eq!(Lock::parse("weald.lock", &empty.to_text()), Ok(empty));
}

#[test]
fn odd_names_are_read_back() {
    let mut lock = Lock::default();
    for key in ["a \"quoted\" name", "back\\slash", "line\nbreak", "käse", "", "a.b", "'"] {
        lock.allot(key, key);
        lock.homing.insert(key.to_owned(), vec![key.to_owned()]);
    }
    assert_eq!(Lock::parse("weald.lock", &lock.to_text()), Ok(lock));
}

#[test]
fn numbers_stay_when_others_come_and_go() {
    let mut lock = lock();
    assert_eq!(lock.allot("uplink", "site-g1"), 1);
    assert_eq!(lock.allot("uplink", "site-a0"), 2);
    assert_eq!(lock.release("uplink", "site-h1"), Some(0));
    assert_eq!(lock.release("uplink", "site-h1"), None);
    assert_eq!(lock.number("uplink", "site-g1"), Some(1));
    assert_eq!(lock.allot("uplink", "site-b0"), 0);
    assert_eq!(lock.allot("uplink", "site-c0"), 3);
    assert_eq!(lock.numbers("uplink").unwrap().key(3), Some("site-c0"));
}

#[test]
fn number_can_be_asked_for_from_some_number_on() {
    let mut lock = Lock::default();
    assert_eq!(lock.allot_from("lan", "a", 5), 5);
    assert_eq!(lock.allot_from("lan", "a", 9), 5, "it has one");
    assert_eq!(lock.allot_from("lan", "b", 5), 6);
    assert_eq!(lock.allot("lan", "c"), 0);
    assert_eq!(lock.allot_from("lan", "d", 7), 7);
    assert_eq!(lock.allot_from("lan", "e", 4), 4);
    assert_eq!(lock.allot_from("lan", "f", 4), 8, "4 to 7 are taken");
    assert_eq!(lock.allot("lan", "g"), 1);
}

#[test]
fn damage_is_named_with_its_line() {
    for (from, to, expected) in [
        ("\"H1\" = 0", "\"H1\" = 7", "weald.lock:4: checksum mismatch"),
        ("\"H1\" = 0", "\"H1\" = ", "weald.lock:10: "),
        ("\"site-h1\" = 0\n", "", "weald.lock:4: checksum mismatch"),
        ("version = 1\n", "", "weald.lock: no version"),
        ("version = 1", "version = 2", "weald.lock:3: lock of another version"),
        ("[homing]", "[[homing]]", "weald.lock:6: unknown key `homing`"),
        ("checksum = ", "checksums = ", "weald.lock: no checksum"),
    ] {
        let good = lock().to_text();
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{from}");
        let problems = Lock::parse("weald.lock", &bad).unwrap_err().to_string();
        assert!(problems.contains(expected), "{from} -> {to}:\n{problems}");
    }
}

#[test]
fn broken_syntax_is_reported_once() {
    let bad = lock().to_text().replace('=', ":");
    let problems = Lock::parse("weald.lock", &bad).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
    let text = problems.to_string();
    assert!(text.starts_with("weald.lock:3: "), "{text}");
    assert_eq!(text.matches("hint: ").count(), 1, "{text}");
}

#[test]
fn contradictions_are_refused_even_with_the_right_checksum() {
    for (from, to, expected) in [
        (
            "\"lewes-1\" = 1",
            "\"lewes-1\" = 0",
            "weald.lock:14: number 0 of `loopback` is both of `brighton-1` and of `lewes-1`",
        ),
        (
            "\"lewes-1\" = 1",
            "\"lewes-1\" = -1",
            "weald.lock:14: `lewes-1` has no number of loopback",
        ),
        ("\"lewes-1\" = 1", "\"lewes-1\" = \"1\"", "weald.lock:14: `lewes-1` has no number"),
        ("\"lewes-1\" = 1", "\"lewes-1\" = 4294967296", "weald.lock:14: `lewes-1` has no number"),
        ("[\"brighton-1\", \"lewes-1\"]", "3", "weald.lock:7: homing of `site-h1`"),
        ("[number.\"loopback\"]", "[number.\"uplink\"]", "weald.lock:16: "),
        ("[homing]", "[home]", "weald.lock:6: unknown key `home`"),
    ] {
        let bad = sealed(&TEXT.replacen(from, to, 1));
        let problems = Lock::parse("weald.lock", &bad).unwrap_err().to_string();
        assert!(problems.contains(expected), "{from} -> {to}:\n{problems}");
    }
}

#[test]
fn lock_cut_off_anywhere_is_refused() {
    let good = lock().to_text();
    for length in 0..good.len() {
        assert!(Lock::parse("weald.lock", &good[..length]).is_err(), "{length}");
    }
}

#[test]
fn one_changed_octet_anywhere_below_the_checksum_is_refused() {
    let good = lock().to_text();
    let body = good.find("[homing]").unwrap();
    for offset in body..good.len() {
        let mut octets = good.clone().into_bytes();
        octets[offset] ^= 1;
        let bad = String::from_utf8(octets).unwrap();
        assert!(Lock::parse("weald.lock", &bad).is_err(), "{offset}");
    }
}

#[test]
fn numbers_outside_a_pool_that_was_made_smaller_are_named() {
    let intent = intent::parse(&example("two-pops")).unwrap();
    assert_eq!(intent.capacity("loopback"), Some(254));
    assert_eq!(intent.capacity("core_link"), Some(128));
    assert_eq!(intent.capacity("lan/hospitals"), Some(256));
    assert_eq!(intent.capacity("vn_v6"), Some(65536));
    assert_eq!(intent.capacity("rd"), None);
    let mut lock = lock();
    assert_eq!(lock.check("weald.lock", &intent), Ok(()));
    for number in 0..257 {
        lock.allot("lan/hospitals", &format!("H{number}"));
    }
    let problems = lock.check("weald.lock", &intent).unwrap_err().to_string();
    assert!(
        problems.contains("number 256 of `H256` is outside the pool of `lan/hospitals`"),
        "{problems}"
    );
}

#[test]
fn written_lock_is_read_back_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(intent::files::read_lock(dir.path()), Ok(None));
    intent::files::write_lock(dir.path(), &lock()).unwrap();
    intent::files::write_lock(dir.path(), &lock()).unwrap();
    assert_eq!(intent::files::read_lock(dir.path()), Ok(Some(lock())));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    fs::write(dir.path().join("weald.lock"), "version = 1\n").unwrap();
    let problems = intent::files::read_lock(dir.path()).unwrap_err().to_string();
    assert!(problems.contains("no checksum"), "{problems}");
    let problems = intent::files::write_lock(&dir.path().join("nowhere"), &lock()).unwrap_err();
    assert!(problems.to_string().contains("weald.lock: cannot be written"), "{problems}");
}
