//! Classes of service: from the code point that an application's packet carries to the traffic
//! class of the labels above it.
//!
//! Six classes share every link; the label's three bits name them (an E-LSP), so that core
//! routers schedule without looking beneath the labels. The packet's own code point is carried
//! through unchanged (pipe model).
//!
//! Standards: RFC 3270 §3 (E-LSP), §2.6.2 (pipe model), RFC 2474 §3 (the field), RFC 2597 §6 and
//! RFC 3246 §2.7 (code points), RFC 5462 (traffic class).
//! Not implemented: the treatment itself (queues, shares, drop precedences), L-LSP, signalled
//! mappings.

/// The traffic class of labels above a packet with this differentiated services field (code
/// point and ECN): EF 5, AF4 4, AF3 3, AF2 2, AF1 1, everything else 0.
///
/// All three drop precedences of an assured forwarding class map to it.
#[must_use]
pub const fn traffic_class(differentiated_services: u8) -> u8 {
    match differentiated_services >> 2 {
        46 => 5,
        34 | 36 | 38 => 4,
        26 | 28 | 30 => 3,
        18 | 20 | 22 => 2,
        10 | 12 | 14 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::traffic_class;

    #[test]
    fn each_class_has_its_traffic_class_whatever_ecn_says() {
        let table =
            [(46, 5), (34, 4), (38, 4), (26, 3), (18, 2), (20, 2), (10, 1), (0, 0), (48, 0)];
        for (code_point, class) in table {
            for ecn in 0..4 {
                assert_eq!(traffic_class(code_point << 2 | ecn), class, "{code_point}");
            }
        }
    }
}
