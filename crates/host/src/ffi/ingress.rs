//! A program at an interface's ingress that drops what packet sockets have seen.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::ptr;

use libc::c_int;

use super::owned;

/// An instruction of `linux/bpf.h`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

impl Instruction {
    const fn new(code: u8, (to, from): (u8, u8), offset: i16, value: i32) -> Self {
        let registers =
            if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        Self { code, registers, offset, value }
    }
}

/// Drops every frame (`TCX_DROP`) but those of VLANs, about which others may decide (`TCX_NEXT`).
/// The places in `__sk_buff`: 20 whether there is a tag, 24 the tag.
const DROP_ALL: [Instruction; 8] = [
    Instruction::new(0xb7, (0, 0), 0, 2),
    Instruction::new(0x61, (2, 1), 20, 0),
    Instruction::new(0x15, (2, 0), 4, 0),
    Instruction::new(0x61, (2, 1), 24, 0),
    Instruction::new(0x57, (2, 0), 0, 0xfff),
    Instruction::new(0x15, (2, 0), 1, 0),
    Instruction::new(0xb7, (0, 0), 0, -1),
    Instruction::new(0x95, (0, 0), 0, 0),
];

/// One call of `bpf`. It returns a descriptor.
///
/// # Safety
/// The attributes are laid out as the command wants them, and what they point to lives.
unsafe fn bpf<T>(command: c_int, attributes: &T) -> io::Result<OwnedFd> {
    let pointer = ptr::from_ref(attributes);
    // SAFETY: the pointer is to a `T`, which lives through the call, and the length is that of `T`;
    // the caller answers for the rest.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    owned(c_int::try_from(result).unwrap_or(-1))
}

/// Has an interface of this network namespace drop what it receives once packet sockets have seen
/// it, for as long as what this returns is there.
///
/// # Errors
/// A kernel before 6.6, or no right to (`CAP_BPF` and `CAP_NET_ADMIN`).
pub(crate) fn drop_at_ingress(index: c_int) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
        log: [u64; 2],
        version: u32,
        flags: u32,
        name: [u8; 16],
    }
    #[repr(C)]
    struct Link {
        program: u32,
        interface: u32,
        place: u32,
        flags: u32,
    }
    const PROG_LOAD: c_int = 5;
    const LINK_CREATE: c_int = 28;
    const SCHED_CLS: u32 = 3;
    const TCX_INGRESS: u32 = 46;
    let license = c"MIT";
    let load = Load {
        kind: SCHED_CLS,
        count: u32::try_from(DROP_ALL.len()).unwrap_or_default(),
        instructions: DROP_ALL.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log: [0; 2],
        version: 0,
        flags: 0,
        name: *b"weald_port\0\0\0\0\0\0",
    };
    // SAFETY: the attributes of this command up to the name; instructions and license are constants.
    let program = unsafe { bpf(PROG_LOAD, &load)? };
    let link = Link {
        program: u32::try_from(program.as_raw_fd()).unwrap_or_default(),
        interface: u32::try_from(index).unwrap_or_default(),
        place: TCX_INGRESS,
        flags: 0,
    };
    // SAFETY: the attributes of this command up to the flags, which point to nothing.
    unsafe { bpf(LINK_CREATE, &link) }
}
