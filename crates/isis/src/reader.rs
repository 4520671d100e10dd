//! Reading and writing octets: a cursor that knows where in the PDU it is.

use core::net::{Ipv4Addr, Ipv6Addr};

use base::SystemId;

use crate::error::{DecodeError, DecodeReason};

/// A cursor over a part of a PDU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) const fn error(&self, reason: DecodeReason) -> DecodeError {
        DecodeError { reason, offset: self.offset }
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) =
            self.bytes.split_at_checked(len).ok_or(self.error(DecodeReason::Truncated))?;
        self.bytes = rest;
        self.offset += len;
        Ok(taken)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let taken = self.bytes;
        self.offset += taken.len();
        self.bytes = &[];
        taken
    }

    /// A reader over the next `len` octets alone.
    pub(crate) fn part(&mut self, len: usize) -> Result<Self, DecodeError> {
        let offset = self.offset;
        Ok(Self { bytes: self.take(len)?, offset })
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) =
            self.bytes.split_first_chunk().ok_or(self.error(DecodeReason::Truncated))?;
        self.bytes = rest;
        self.offset += N;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[octet]| octet)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn ipv4(&mut self) -> Result<Ipv4Addr, DecodeError> {
        self.array::<4>().map(Ipv4Addr::from)
    }

    pub(crate) fn ipv6(&mut self) -> Result<Ipv6Addr, DecodeError> {
        self.array::<16>().map(Ipv6Addr::from)
    }

    pub(crate) fn system_id(&mut self) -> Result<SystemId, DecodeError> {
        self.array().map(SystemId)
    }
}

/// Appends the lower 24 bits.
pub(crate) fn put_u24(out: &mut Vec<u8>, value: u32) {
    let [_, rest @ ..] = value.to_be_bytes();
    out.extend_from_slice(&rest);
}

/// Appends a code, the length of what `value` writes, and that; nothing where it is too long.
pub(crate) fn put_tlv(out: &mut Vec<u8>, kind: u8, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[kind, 0]);
    value(out);
    match (u8::try_from(out.len() - start - 2), out.get_mut(start + 1)) {
        (Ok(len), Some(slot)) => *slot = len,
        (Err(_), _) | (_, None) => out.truncate(start),
    }
}
