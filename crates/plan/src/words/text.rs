//! Lists, numbers and names for people.

use std::collections::{BTreeMap, BTreeSet};

use model::plan::{Listen, Site};

use crate::words::Sites;

/// Sites, routers or other things that are named; more are counted.
pub(crate) const NAMED_MAX: usize = 3;

/// Words for kinds of premises that are said in capitals.
const CAPITALS: [&str; 4] = ["gp", "ccg", "hq", "nhs"];

/// Last words of kinds of premises of which there can be many.
const COUNTABLE: [&str; 17] = [
    "branch",
    "centre",
    "clinic",
    "home",
    "hospice",
    "hospital",
    "hq",
    "house",
    "laboratory",
    "office",
    "pharmacy",
    "practice",
    "provider",
    "school",
    "site",
    "station",
    "surgery",
];

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn and<T: AsRef<str>>(names: &[T]) -> String {
    let mut text = String::new();
    for (place, name) in names.iter().enumerate() {
        text.push_str(match place {
            0 => "",
            last if last + 1 == names.len() => " and ",
            _ => ", ",
        });
        text.push_str(name.as_ref());
    }
    text
}

/// A number with its thousands apart.
pub(crate) fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of a thing.
pub(crate) fn count(value: usize, singular: &str, plural: &str) -> String {
    format!("{} {}", number(value), if value == 1 { singular } else { plural })
}

/// The names where they are few, else how many there are: `ports a and b`, `12 ports`.
pub(crate) fn few<T: AsRef<str>>(names: &[T], singular: &str, plural: &str) -> String {
    match names.len() {
        1 => format!("{singular} {}", and(names)),
        few if few <= NAMED_MAX => format!("{plural} {}", and(names)),
        many => count(many, singular, plural),
    }
}

/// `TCP 104 and 443 and UDP 5000-5010`.
pub(crate) fn ports(listens: &[Listen]) -> String {
    let mut by_protocol: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for Listen { protocol, port_first, port_last } in listens {
        let range = match port_first == port_last {
            true => port_first.to_string(),
            false => format!("{port_first}-{port_last}"),
        };
        by_protocol.entry(*protocol).or_default().push(range);
    }
    let one = |(protocol, ranges): (&u8, &Vec<String>)| match protocol {
        6 => format!("TCP {}", and(ranges)),
        17 => format!("UDP {}", and(ranges)),
        other => format!("protocol {other} {}", and(ranges)),
    };
    and(&by_protocol.iter().map(one).collect::<Vec<_>>())
}

/// So many premises of a kind: `12 GP practices`.
pub(crate) fn premises(kind: &str, many: usize) -> String {
    let word = |word: &str| {
        if CAPITALS.contains(&word) { word.to_uppercase() } else { word.to_owned() }
    };
    let words: Vec<String> = kind.split('_').map(word).collect();
    let last = kind.rsplit('_').next().unwrap_or_default();
    let kind = words.join(" ");
    if many == 1 {
        return format!("1 {kind}");
    }
    if !COUNTABLE.contains(&last) {
        return format!("{} sites ({kind})", number(many));
    }
    let kind = match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with("ch") => format!("{kind}es"),
        None => format!("{kind}s"),
    };
    format!("{} {kind}", number(many))
}

/// One of a kind of premises: `a GP practice`, `an ambulance HQ`.
pub(crate) fn a_premises(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    premises(kind, 1).replacen('1', article, 1)
}

/// Sites by name where they are few, else by number, kind and organisation.
pub(crate) fn sites<'a>(all: &Sites<'_>, codes: impl IntoIterator<Item = &'a str>) -> String {
    let codes: BTreeSet<&str> = codes.into_iter().collect();
    let found: Vec<&Site> = codes.iter().filter_map(|code| all.0.get(code).copied()).collect();
    if codes.len() <= NAMED_MAX {
        let named = |code: &&str| match all.0.get(code) {
            Some(site) => format!("{} ({code})", site.name),
            None => (*code).to_owned(),
        };
        return and(&codes.iter().map(named).collect::<Vec<_>>());
    }
    let mut by_kind: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut by_organisation: BTreeMap<&str, usize> = BTreeMap::new();
    for site in &found {
        *by_kind.entry((&site.organisation, &site.kind)).or_default() += 1;
        *by_organisation.entry(&site.organisation).or_default() += 1;
    }
    if by_kind.len() <= NAMED_MAX {
        let of = |organisation: &&str| {
            let kinds = by_kind.iter().filter(|((owner, _), _)| owner == organisation);
            let kinds: Vec<_> = kinds.map(|((_, kind), many)| premises(kind, *many)).collect();
            format!("{} of {organisation}", and(&kinds))
        };
        return and(&by_organisation.keys().map(of).collect::<Vec<_>>());
    }
    if by_organisation.len() <= NAMED_MAX {
        let of = |(organisation, many): (&&str, &usize)| {
            format!("{} of {organisation}", count(*many, "site", "sites"))
        };
        return and(&by_organisation.iter().map(of).collect::<Vec<_>>());
    }
    let organisations = count(by_organisation.len(), "organisation", "organisations");
    format!("{} of {organisations}", count(codes.len(), "site", "sites"))
}

#[cfg(test)]
mod tests {
    use super::{a_premises, and, few, ports, premises};
    use model::plan::Listen;

    #[test]
    fn lists_read_as_people_write_them() {
        assert_eq!(and(&["a"]), "a");
        assert_eq!(and(&["a", "b"]), "a and b");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
        assert_eq!(few(&["a"], "port", "ports"), "port a");
        assert_eq!(few(&["a", "b"], "port", "ports"), "ports a and b");
        assert_eq!(few(&["a"; 1200], "port", "ports"), "1,200 ports");
    }

    #[test]
    fn ports_are_told_by_protocol() {
        let listen = |protocol, port_first, port_last| Listen { protocol, port_first, port_last };
        let listens = [listen(6, 104, 104), listen(17, 53, 53), listen(6, 5000, 5010)];
        assert_eq!(ports(&listens), "TCP 104 and 5000-5010 and UDP 53");
    }

    #[test]
    fn kinds_of_premises_have_plurals() {
        for (kind, many, text) in [
            ("gp_practice", 1, "1 GP practice"),
            ("gp_practice", 12, "12 GP practices"),
            ("gp_branch", 2, "2 GP branches"),
            ("pharmacy", 3, "3 pharmacies"),
            ("ccg_hq", 2, "2 CCG HQs"),
            ("prison_health", 2, "2 sites (prison health)"),
        ] {
            assert_eq!(premises(kind, many), text);
        }
        assert_eq!(a_premises("ambulance_hq"), "an ambulance HQ");
        assert_eq!(a_premises("gp_practice"), "a GP practice");
    }
}
