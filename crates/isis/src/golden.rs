//! PDUs as they went over a wire: FRR 8.4.4, two routers, one point-to-point link with segment
//! routing, each from its first octet 0x83 on. Hellos are given without the padding that the
//! capture has; [`hello`] puts it back.

/// r1's first hello: nobody seen yet.
pub(crate) const HELLO_DOWN: &str =
    "831401001101000002000000000001000305d9008101cc010403490001f005020000000184040a000c01";
/// r1's answer to r2's first hello.
pub(crate) const HELLO_INITIALIZING: &str = "831401001101000002000000000001000305d9008101cc0104034\
     90001f00f01000000010000000000020000000184040a000c01";
/// r2's hello with the adjacency up.
pub(crate) const HELLO_UP: &str = "831401001101000002000000000002000305d9008101cc010403490001f00f0\
     0000000010000000000010000000184040a000c02";
/// r2's link-state PDU before there is an adjacency.
pub(crate) const LSP_SMALL: &str = "831b010014010000003b0485000000000002000000000001e8f8038101cc010\
     4034900018902766d87110000000a200aff00020000000a180a000c";
/// r1's link-state PDU: SRGB, SRLB, adjacency-SID, prefix-SID.
pub(crate) const LSP_R1: &str = "831b010014010000008e049d00000000000100000000000279e9038101cc010403\
     4900018902766df2220aff0001000209c0001f400103003e801301001609000003e80103003a981702010a86040aff\
     000116180000000000020000000a0d08040a000c021f053000003a9884040aff0001871a0000000a600aff00010803\
     064000000000010000000a180a000c";
/// r2's link-state PDU, likewise.
pub(crate) const LSP_R2: &str = "831b010014010000008e04790000000000020000000000025a05038101cc010403\
     4900018902766df2220aff0002000209c0001f400103003e801301001609000003e80103003a981702010a86040aff\
     000216180000000000010000000a0d08040a000c011f053000003a9884040aff0002871a0000000a600aff00020803\
     064000000000020000000a180a000c";
/// r1's complete sequence-numbers PDU, two entries.
pub(crate) const CSNP: &str = "83210100190100000043000000000001000000000000000000ffffffffffffffff0\
     92004ab000000000001000000000001d70c0485000000000002000000000000e8f8";
/// r1's acknowledgement of [`LSP_SMALL`].
pub(crate) const PSNP: &str =
    "831101001b01000000230000000000010109100484000000000002000000000001e8f8";

/// The key of the two that follow, captured likewise but signed with HMAC-MD5.
pub(crate) const KEY: &[u8] = b"regionkey";
/// A signed hello, adjacency up, with an IPv6 address.
pub(crate) const HELLO_SIGNED: &str = "831401001101000002000000000001000305d9000a1136ef13689d5dd94\
     ff23a66dc5b5204342c8102cc8e010403490001f00f00000000020000000000030000000184040a010301e810fe80\
     000000000000e82ed4fffec73d88";
/// A signed link-state PDU with IPv6 and two neighbours.
pub(crate) const LSP_SIGNED: &str = "831b01001401000000f104820000000000010000000000040576030a1136d\
     3b26c08cff40713a7be9c84c3d1282f8102cc8e0104034900018902766df2220aff0001000209c0001f400103003e\
     801301001609000003e801030013881702010a86040aff0001163e000000000002000000321408040a0102021f053\
     0000013881f05b00000138b0000000000030000000a1408040a0103031f0530000013891f05b00000138a84040aff\
     0001872200000032180a01020000000a600aff00010803064000000000010000000a180a0103ec1f0000000a2080f\
     d000000000000000000000000000001080306400000000065";

/// FRR beside this router: a complete sequence-numbers PDU, signed with [`KEY_CSNP`].
pub(crate) const CSNP_SIGNED: &str = "83210100190100000046000000000002000000000000000000fffffffffff\
     fffff0a1136eef6e5f589fe6fdd218febc4803c7764091004a70000000000020000000000032934";
/// The key of [`CSNP_SIGNED`].
pub(crate) const KEY_CSNP: &[u8] = b"another";
/// FRR beside this router: a prefix-SID that wants its label kept, as explicit null.
pub(crate) const LSP_EXPLICIT_NULL: &str = "831b010014010000008e04ad000000000002000000000004afa6038\
     101cc01040349000189027232f2220aff0002000209c0001f400103003e801301001609000003e80103003a9817020\
     10a86040aff000216180000000000010000001e0d08040a0102011f053000003a9884040aff0002871a0000000a600\
     aff00020803067000000000020000001e180a0102";

/// The octets that a text of hexadecimal digits stands for.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// A hello with its padding as captured: 1,497 octets in TLVs of type 8.
pub(crate) fn hello(hex: &str) -> Vec<u8> {
    let mut bytes = bytes(hex);
    while bytes.len() < 1497 {
        let len = u8::try_from((1497 - bytes.len() - 2).min(255)).unwrap();
        bytes.extend_from_slice(&[8, len]);
        bytes.resize(bytes.len() + usize::from(len), 0);
    }
    bytes
}
