//! A map from prefixes to values that answers longest-match queries.
//!
//! One path-compressed binary trie per family, in a vector: a node holds a prefix, perhaps a
//! value, and up to two longer prefixes. Freed nodes are reused, so a map that has settled
//! allocates nothing. Iteration is in order of address, then length.

use core::net::IpAddr;

use crate::{Ipv4Prefix, Ipv6Prefix, Prefix};

/// A map from prefixes of both families, with longest-match lookup.
#[derive(Debug, Clone)]
pub struct PrefixMap<V> {
    v4: Trie<V>,
    v6: Trie<V>,
}

/// A prefix as 128 bits, left-aligned, and a length.
type Key = (u128, u8);

const fn key(prefix: Prefix) -> Key {
    match prefix {
        Prefix::V4(prefix) => ((prefix.addr().to_bits() as u128) << 96, prefix.len()),
        Prefix::V6(prefix) => (prefix.addr().to_bits(), prefix.len()),
    }
}

impl<V> Default for PrefixMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> PrefixMap<V> {
    /// A map without entries.
    #[must_use]
    pub const fn new() -> Self {
        Self { v4: Trie::new(), v6: Trie::new() }
    }

    const fn trie(&self, prefix: Prefix) -> &Trie<V> {
        match prefix {
            Prefix::V4(_) => &self.v4,
            Prefix::V6(_) => &self.v6,
        }
    }

    const fn trie_mut(&mut self, prefix: Prefix) -> &mut Trie<V> {
        match prefix {
            Prefix::V4(_) => &mut self.v4,
            Prefix::V6(_) => &mut self.v6,
        }
    }

    /// The number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.v4.count + self.v6.count
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets the value of a prefix and returns the one before.
    pub fn insert(&mut self, prefix: Prefix, value: V) -> Option<V> {
        self.trie_mut(prefix).insert(key(prefix), value)
    }

    /// Removes a prefix and returns its value.
    pub fn remove(&mut self, prefix: Prefix) -> Option<V> {
        self.trie_mut(prefix).remove(key(prefix))
    }

    /// The value of exactly this prefix.
    #[must_use]
    pub fn get(&self, prefix: Prefix) -> Option<&V> {
        self.trie(prefix).get(key(prefix))
    }

    /// The value of exactly this prefix, to be changed.
    pub fn get_mut(&mut self, prefix: Prefix) -> Option<&mut V> {
        let trie = self.trie_mut(prefix);
        let index = trie.find(key(prefix))?;
        trie.nodes.get_mut(index)?.value.as_mut()
    }

    /// The most specific prefix that covers the address, and its value.
    #[must_use]
    pub fn longest_match(&self, addr: IpAddr) -> Option<(Prefix, &V)> {
        let host = Prefix::host(addr);
        let (len, value) = self.trie(host).longest_match(key(host).0)?;
        Some((Prefix::new(addr, len)?, value))
    }

    /// Every entry, IPv4 first, in order of address and then length.
    pub fn iter(&self) -> impl Iterator<Item = (Prefix, &V)> {
        let v4 = self.v4.iter().filter_map(|((bits, len), value)| {
            let addr = u32::try_from(bits >> 96).ok()?.into();
            Some((Ipv4Prefix::new(addr, len)?.into(), value))
        });
        let v6 = self.v6.iter().filter_map(|((bits, len), value)| {
            Some((Ipv6Prefix::new(bits.into(), len)?.into(), value))
        });
        v4.chain(v6)
    }
}

const NONE: u32 = u32::MAX;

#[derive(Debug, Clone)]
struct Node<V> {
    key: Key,
    value: Option<V>,
    children: [u32; 2],
}

#[derive(Debug, Clone)]
struct Trie<V> {
    nodes: Vec<Node<V>>,
    free: Vec<u32>,
    root: u32,
    count: usize,
}

/// The number of leading bits that two keys share.
fn common(a: Key, b: Key) -> u8 {
    let same = u8::try_from((a.0 ^ b.0).leading_zeros()).unwrap_or(128);
    same.min(a.1).min(b.1)
}

/// Which child of a node of length `len` leads to `bits`.
const fn side(bits: u128, len: u8) -> usize {
    if len >= 128 { 0 } else { (bits >> (127 - len)) as usize & 1 }
}

const fn truncated(bits: u128, len: u8) -> u128 {
    if len == 0 { 0 } else { bits & (u128::MAX << (128 - len)) }
}

#[expect(clippy::indexing_slicing, reason = "node numbers are made here and always in range")]
impl<V> Trie<V> {
    const fn new() -> Self {
        Self { nodes: Vec::new(), free: Vec::new(), root: NONE, count: 0 }
    }

    fn allocate(&mut self, key: Key, value: Option<V>) -> u32 {
        let node = Node { key, value, children: [NONE; 2] };
        if let Some(index) = self.free.pop() {
            self.nodes[index as usize] = node;
            return index;
        }
        let index = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        assert!(index != NONE, "a prefix map holds fewer than 2^32 nodes");
        self.nodes.push(node);
        index
    }

    /// The slot that points at a node: the root, or a child of `parent`.
    fn set_link(&mut self, parent: Option<(u32, usize)>, to: u32) {
        match parent {
            Some((index, side)) => self.nodes[index as usize].children[side] = to,
            None => self.root = to,
        }
    }

    fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let (mut parent, mut at) = (None, self.root);
        loop {
            if at == NONE {
                let leaf = self.allocate(key, Some(value));
                self.set_link(parent, leaf);
                self.count += 1;
                return None;
            }
            let node_key = self.nodes[at as usize].key;
            let shared = common(node_key, key);
            if shared == node_key.1 && shared == key.1 {
                let old = self.nodes[at as usize].value.replace(value);
                self.count += usize::from(old.is_none());
                return old;
            }
            if shared == node_key.1 {
                let turn = side(key.0, shared);
                parent = Some((at, turn));
                at = self.nodes[at as usize].children[turn];
                continue;
            }
            let fork = self.fork(key, value, shared, at);
            self.set_link(parent, fork);
            self.count += 1;
            return None;
        }
    }

    /// A node above `below` for a new key that leaves its path after `shared` bits.
    fn fork(&mut self, key: Key, value: V, shared: u8, below: u32) -> u32 {
        let below_side = side(self.nodes[below as usize].key.0, shared);
        if shared == key.1 {
            let node = self.allocate(key, Some(value));
            self.nodes[node as usize].children[below_side] = below;
            return node;
        }
        let leaf = self.allocate(key, Some(value));
        let fork = self.allocate((truncated(key.0, shared), shared), None);
        self.nodes[fork as usize].children[below_side] = below;
        self.nodes[fork as usize].children[1 - below_side] = leaf;
        fork
    }

    fn remove(&mut self, key: Key) -> Option<V> {
        let mut path: Vec<(u32, usize)> = Vec::new();
        let mut at = self.root;
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.key == key {
                break;
            }
            if node.key.1 >= key.1 || common(node.key, key) < node.key.1 {
                return None;
            }
            let turn = side(key.0, node.key.1);
            path.push((at, turn));
            at = node.children[turn];
        }
        if at == NONE {
            return None;
        }
        let value = self.nodes[at as usize].value.take()?;
        self.count -= 1;
        self.prune(at, &mut path);
        Some(value)
    }

    /// Removes a node that holds nothing and joins nothing, then looks at its parent.
    fn prune(&mut self, mut at: u32, path: &mut Vec<(u32, usize)>) {
        loop {
            let node = &self.nodes[at as usize];
            let (false, [NONE, other] | [other, NONE]) = (node.value.is_some(), node.children)
            else {
                return;
            };
            let parent = path.pop();
            self.set_link(parent, other);
            self.free.push(at);
            match parent {
                Some((index, _)) => at = index,
                None => return,
            }
        }
    }

    fn find(&self, key: Key) -> Option<usize> {
        let mut at = self.root;
        while at != NONE {
            let node = &self.nodes[at as usize];
            if node.key == key {
                return Some(at as usize);
            }
            if node.key.1 >= key.1 || common(node.key, key) < node.key.1 {
                return None;
            }
            at = node.children[side(key.0, node.key.1)];
        }
        None
    }

    fn get(&self, key: Key) -> Option<&V> {
        self.nodes[self.find(key)?].value.as_ref()
    }

    fn longest_match(&self, bits: u128) -> Option<(u8, &V)> {
        let (mut best, mut at) = (None, self.root);
        while at != NONE {
            let node = &self.nodes[at as usize];
            let len = node.key.1;
            if truncated(bits, len) != node.key.0 {
                break;
            }
            if let Some(value) = &node.value {
                best = Some((len, value));
            }
            if len >= 128 {
                break;
            }
            at = node.children[side(bits, len)];
        }
        best
    }

    fn iter(&self) -> impl Iterator<Item = (Key, &V)> {
        let mut stack = Vec::new();
        if self.root != NONE {
            stack.push(self.root);
        }
        core::iter::from_fn(move || {
            let node = &self.nodes[stack.pop()? as usize];
            stack.extend(node.children.iter().rev().filter(|&&child| child != NONE));
            Some((node.key, node.value.as_ref()))
        })
        .filter_map(|(key, value)| Some((key, value?)))
    }
}

#[cfg(test)]
mod tests {
    use super::PrefixMap;
    use crate::Prefix;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    fn p(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    #[test]
    fn longest_match_prefers_the_more_specific() {
        let mut map = PrefixMap::new();
        for text in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "fd00::/8"] {
            assert_eq!(map.insert(p(text), text), None);
        }
        let found = |addr: &str| map.longest_match(addr.parse().unwrap()).map(|(_, v)| *v);
        assert_eq!(found("10.1.2.3"), Some("10.1.2.3/32"));
        assert_eq!(found("10.1.2.4"), Some("10.1.0.0/16"));
        assert_eq!(found("10.2.0.1"), Some("10.0.0.0/8"));
        assert_eq!(found("192.0.2.1"), Some("0.0.0.0/0"));
        assert_eq!(found("fd00::1"), Some("fd00::/8"));
        assert_eq!(found("2001:db8::1"), None);
        assert_eq!(map.len(), 5);
    }

    #[test]
    fn iteration_is_ordered() {
        let mut map = PrefixMap::new();
        for text in ["fd00::/8", "10.1.0.0/16", "10.0.0.0/8", "9.0.0.0/8"] {
            map.insert(p(text), ());
        }
        let order: Vec<String> = map.iter().map(|(prefix, ())| prefix.to_string()).collect();
        assert_eq!(order, ["9.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", "fd00::/8"]);
    }

    fn prefix() -> impl Strategy<Value = Prefix> {
        (0_u32..8, 0_u8..=8, any::<bool>()).prop_map(|(bits, len, v6)| {
            let addr: IpAddr = if v6 {
                std::net::Ipv6Addr::from(u128::from(bits) << 120).into()
            } else {
                std::net::Ipv4Addr::from(bits << 24).into()
            };
            Prefix::new(addr, len).unwrap()
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(
            edits in prop::collection::vec((prefix(), any::<Option<u8>>()), 0..60),
            probe in 0_u32..16,
        ) {
            let mut map = PrefixMap::new();
            let mut plain = BTreeMap::new();
            for (prefix, value) in edits {
                match value {
                    Some(value) => {
                        prop_assert_eq!(map.insert(prefix, value), plain.insert(prefix, value));
                    }
                    None => prop_assert_eq!(map.remove(prefix), plain.remove(&prefix)),
                }
                prop_assert_eq!(map.get(prefix), plain.get(&prefix));
                prop_assert_eq!(map.len(), plain.len());
            }
            let all: Vec<_> = map.iter().map(|(prefix, value)| (prefix, *value)).collect();
            prop_assert_eq!(all, plain.iter().map(|(p, v)| (*p, *v)).collect::<Vec<_>>());
            let addr: IpAddr = std::net::Ipv4Addr::from(probe << 24).into();
            let expected = plain.iter().filter(|(p, _)| p.contains(addr)).max_by_key(|(p, _)| p.len());
            prop_assert_eq!(map.longest_match(addr), expected.map(|(p, v)| (*p, v)));
        }
    }
}
