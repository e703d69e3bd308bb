"""LZFSE, Apple's byte compression, decoded within a bound: Record3D keeps its depth maps in it.

A stream is a row of blocks, each opened by a four-byte magic: ``bvx-`` raw bytes, ``bvx2`` LZ77 whose literals, literal
lengths, match lengths and distances are coded by finite state entropy (FSE, after Duda's asymmetric numeral systems),
``bvxn`` LZVN (plain LZ77 opcodes, which the encoder picks for short inputs), ``bvx$`` the end. All integers are
little-endian; FSE bits are read from the end of their payload towards its start. Written from the format that Apple's
reference implementation documents (https://github.com/lzfse/lzfse). ``bvx1``, which no encoder writes, is refused.

Every copy is checked against the size the caller allows before it is made, so that a hostile stream costs no memory.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_NUM_LITERAL_STATES = 1024
_MAX_LITERALS = 40_000  # a block's, from the format
_MAX_MATCHES = 10_000
# Low-order bits that follow each length or distance symbol; the symbol's base value is the running sum of their ranges.
_LITERAL_LENGTH_BITS = (0,) * 16 + (2, 3, 5, 8)
_MATCH_LENGTH_BITS = (0,) * 16 + (3, 5, 8, 11)
_DISTANCE_BITS = tuple(bits for bits in range(16) for _ in range(4))
_MASK = tuple((1 << bits) - 1 for bits in range(33))


class LzfseError(ValueError):
    """The bytes are not a whole LZFSE stream, or it decodes to more than the caller allows."""


def decompress(data: bytes, *, max_bytes: int) -> bytes:
    """Decode an LZFSE stream to at most ``max_bytes`` bytes.

    Raises:
        LzfseError: the stream is cut short, damaged, of an unknown block kind, or longer than ``max_bytes``.

    >>> decompress(b"bvx-" + (5).to_bytes(4, "little") + b"depth" + b"bvx$", max_bytes=5)
    b'depth'
    """
    out = bytearray()
    at = 0
    try:
        while (magic := data[at : at + 4]) != b"bvx$":
            if magic == b"bvx-":
                at = _raw_block(data, at, out, max_bytes)
            elif magic == b"bvx2":
                at = _fse_block(data, at, out, max_bytes)
            elif magic == b"bvxn":
                at = _lzvn_block(data, at, out, max_bytes)
            else:
                raise LzfseError(f"an LZFSE block at byte {at} starts with {magic!r}")
    except (IndexError, struct.error) as error:
        raise LzfseError("the LZFSE stream is cut short or damaged") from error
    return bytes(out)


def _raw_block(data: bytes, at: int, out: bytearray, max_bytes: int) -> int:
    (num_raw,) = struct.unpack_from("<I", data, at + 4)
    raw = _slice(data, at + 8, num_raw)
    _check_room(out, num_raw, max_bytes)
    out += raw
    return at + 8 + num_raw


def _slice(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise LzfseError(f"the LZFSE stream ends at byte {len(data)}, inside a block of {size} bytes at {start}")
    return data[start : start + size]


def _check_room(out: bytearray, size: int, max_bytes: int) -> None:
    if len(out) + size > max_bytes:
        raise LzfseError(f"the LZFSE stream decodes to more than {max_bytes} bytes")


def _copy_match(out: bytearray, length: int, distance: int, max_bytes: int) -> None:
    """Append ``length`` bytes that stand ``distance`` back; the two may overlap, which repeats them."""
    start = len(out) - distance
    if distance <= 0 or start < 0:
        raise LzfseError(f"an LZFSE match reaches {distance} bytes back after {len(out)}")
    _check_room(out, length, max_bytes)
    if length <= distance:
        out += out[start : start + length]
    else:
        out += (out[start:] * (length // distance + 1))[:length]


# bvx2 ------------------------------------------------------------------------------------------------------------


class _FseHeader(NamedTuple):
    num_raw: int
    num_literals: int
    num_matches: int
    literal_bytes: int
    literal_bits: int
    literal_states: tuple[int, int, int, int]
    lmd_bytes: int
    lmd_bits: int
    lmd_states: tuple[int, int, int]
    size: int
    frequencies: bytes


def _fse_header(data: bytes, at: int) -> _FseHeader:
    num_raw, a, b, c = struct.unpack_from("<I3Q", data, at + 4)

    def field(word: int, start: int, width: int) -> int:
        return (word >> start) & _MASK[width]

    size = field(c, 0, 32)
    if size < 32:
        raise LzfseError(f"an LZFSE block header at byte {at} claims {size} bytes")
    header = _FseHeader(
        num_raw=num_raw,
        num_literals=field(a, 0, 20),
        num_matches=field(a, 40, 20),
        literal_bytes=field(a, 20, 20),
        literal_bits=field(a, 60, 3) - 7,  # -7..0: how many of the last byte's top bits are padding
        literal_states=(field(b, 0, 10), field(b, 10, 10), field(b, 20, 10), field(b, 30, 10)),
        lmd_bytes=field(b, 40, 20),
        lmd_bits=field(b, 60, 3) - 7,
        lmd_states=(field(c, 32, 10), field(c, 42, 10), field(c, 52, 10)),
        size=size,
        frequencies=_slice(data, at + 32, size - 32),
    )
    if header.num_literals > _MAX_LITERALS or header.num_matches > _MAX_MATCHES:
        raise LzfseError(f"an LZFSE block claims {header.num_literals} literals and {header.num_matches} matches")
    return header


def _fse_block(data: bytes, at: int, out: bytearray, max_bytes: int) -> int:
    header = _fse_header(data, at)
    _check_room(out, header.num_raw, max_bytes)
    lengths, matches, distances, symbols = _frequencies(header.frequencies)
    at += header.size
    literals = _literals(_slice(data, at, header.literal_bytes), header, symbols)
    at += header.literal_bytes
    end = len(out) + header.num_raw
    tables = (
        _value_table(lengths, _LITERAL_LENGTH_BITS, 64),
        _value_table(matches, _MATCH_LENGTH_BITS, 64),
        _value_table(distances, _DISTANCE_BITS, 256),
    )
    _matches(_slice(data, at, header.lmd_bytes), header, tables, literals, out, end=end)
    if len(out) != end:
        raise LzfseError(f"an LZFSE block decodes to {header.num_raw + len(out) - end} bytes, not {header.num_raw}")
    return at + header.lmd_bytes


def _frequencies(packed: bytes) -> tuple[list[int], list[int], list[int], list[int]]:
    """How often each symbol stands in a table of states: lengths, match lengths, distances, literals.

    A prefix code, low bits first: 00 0, 10 1, 001 2, 101 3, 011 + 2 bits from 4, 0111 + 4 bits from 8, 1111 + 10 bits
    from 24. A header without this part has all frequencies 0 (a block without symbols).
    """
    num_symbols = (len(_LITERAL_LENGTH_BITS), len(_MATCH_LENGTH_BITS), len(_DISTANCE_BITS), 256)
    stream = int.from_bytes(packed, "little")
    at, values = 0, []
    for _ in range(sum(num_symbols) if packed else 0):
        bits = (stream >> at) & 0x3FFF
        if bits & 1 == 0:
            value, width = (bits >> 1) & 1, 2
        elif bits & 3 == 1:
            value, width = 2 + ((bits >> 2) & 1), 3
        elif bits & 7 == 3:
            value, width = 4 + ((bits >> 3) & 3), 5
        elif bits & 15 == 7:
            value, width = 8 + ((bits >> 4) & 15), 8
        else:
            value, width = 24 + (bits >> 4), 14
        values.append(value)
        at += width
    if at > 8 * len(packed):
        raise LzfseError("an LZFSE block's frequency tables are cut short")
    values = values or [0] * sum(num_symbols)
    tables, start = [], 0
    for count in num_symbols:
        tables.append(values[start : start + count])
        start += count
    return tables[0], tables[1], tables[2], tables[3]


def _state_table(frequencies: Sequence[int], num_states: int) -> list[tuple[int, int, int]]:
    """(symbol, bits to read, what to add to them for the next state) of every state, symbols in order."""
    if sum(frequencies) > num_states:
        raise LzfseError(f"an LZFSE block's frequencies sum to {sum(frequencies)}, more than {num_states}")
    table = []
    for symbol, count in enumerate(frequencies):
        if count == 0:
            continue
        # The next states of one symbol share out all states: the first ones read `bits`, the rest one bit fewer.
        bits = num_states.bit_length() - count.bit_length()
        num_long = (2 * num_states >> bits) - count
        for i in range(count):
            if i < num_long:
                table.append((symbol, bits, ((count + i) << bits) - num_states))
            else:
                table.append((symbol, bits - 1, (i - num_long) << (bits - 1)))
    return table


def _words(payload: bytes) -> list[int]:
    """The 64 bits from every byte on: ``(words[p >> 3] >> (p & 7)) & mask`` reads up to 57 bits at bit ``p``."""
    padded = np.frombuffer(payload + bytes(8), np.uint8)
    return np.lib.stride_tricks.sliding_window_view(padded, 8).copy().view("<u8").ravel().tolist()


def _literals(payload: bytes, header: _FseHeader, frequencies: Sequence[int]) -> bytes:
    """Decode the block's literals: four interleaved streams of states over one run of bits."""
    table = _state_table(frequencies, _NUM_LITERAL_STATES)
    symbol, width, base = zip(*table, strict=True) if table else ((), (), ())
    words, at = _words(payload), 8 * len(payload) + header.literal_bits
    mask = _MASK
    s0, s1, s2, s3 = header.literal_states
    out = bytearray()
    for _ in range((header.num_literals + 3) // 4):
        out += bytes((symbol[s0], symbol[s1], symbol[s2], symbol[s3]))
        bits = width[s0]
        at -= bits
        s0 = base[s0] + ((words[at >> 3] >> (at & 7)) & mask[bits])
        bits = width[s1]
        at -= bits
        s1 = base[s1] + ((words[at >> 3] >> (at & 7)) & mask[bits])
        bits = width[s2]
        at -= bits
        s2 = base[s2] + ((words[at >> 3] >> (at & 7)) & mask[bits])
        bits = width[s3]
        at -= bits
        s3 = base[s3] + ((words[at >> 3] >> (at & 7)) & mask[bits])
        if at < 0:
            raise LzfseError("an LZFSE block's literals are cut short")
    return bytes(out)


_ValueTable = list[tuple[int, int, int, int]]


def _value_table(frequencies: Sequence[int], extra_bits: Sequence[int], num_states: int) -> _ValueTable:
    """Of every state: bits to read, how many of them are the value's low bits, next state's base, value's base."""
    starts, total = [], 0
    for bits in extra_bits:
        starts.append(total)
        total += 1 << bits
    return [
        (bits + extra_bits[symbol], extra_bits[symbol], base, starts[symbol])
        for symbol, bits, base in _state_table(frequencies, num_states)
    ]


def _matches(
    payload: bytes,
    header: _FseHeader,
    tables: tuple[_ValueTable, _ValueTable, _ValueTable],
    literals: bytes,
    out: bytearray,
    *,
    end: int,
) -> None:
    """Decode (literal length, match length, distance) triples and carry them out; a distance of 0 repeats the last."""
    words, at = _words(payload), 8 * len(payload) + header.lmd_bits
    states = list(header.lmd_states)
    taken, distance = 0, 0
    values = [0, 0, 0]
    for _ in range(header.num_matches):
        for kind in range(3):
            width, low, base, start = tables[kind][states[kind]]
            at -= width
            bits = (words[at >> 3] >> (at & 7)) & _MASK[width]
            states[kind] = base + (bits >> low)
            values[kind] = start + (bits & _MASK[low])
        if at < 0:
            raise LzfseError("an LZFSE block's matches are cut short")
        num_literals, num_match, new_distance = values
        if taken + num_literals > len(literals):
            raise LzfseError("an LZFSE block uses more literals than it has")
        _check_room(out, num_literals, end)
        out += literals[taken : taken + num_literals]
        taken += num_literals
        distance = new_distance or distance
        if num_match:
            _copy_match(out, num_match, distance, end)


# bvxn ------------------------------------------------------------------------------------------------------------


def _lzvn_block(data: bytes, at: int, out: bytearray, max_bytes: int) -> int:
    num_raw, num_payload = struct.unpack_from("<II", data, at + 4)
    _check_room(out, num_raw, max_bytes)
    end = len(out) + num_raw
    _lzvn(_slice(data, at + 12, num_payload), out, end)
    if len(out) != end:
        raise LzfseError(f"an LZVN block decodes to {num_raw + len(out) - end} bytes, not {num_raw}")
    return at + 12 + num_payload


def _lzvn(payload: bytes, out: bytearray, end: int) -> None:
    """Carry out LZVN opcodes until their end mark (0x06). ``L`` literals follow an opcode, then a match is copied."""
    at, distance = 0, 0
    while True:
        op = payload[at]
        at += 1
        num_literals, num_match = 0, 0
        high, low = op >> 4, op & 7
        if op == 0x06:
            return
        if op in (0x0E, 0x16):  # no operation
            continue
        if high == 0xE:  # literals alone
            num_literals = op & 15
            if num_literals == 0:
                num_literals = 16 + payload[at]
                at += 1
        elif high == 0xF:  # match alone, last distance
            num_match = op & 15
            if num_match == 0:
                num_match = 16 + payload[at]
                at += 1
        elif high in (0x7, 0xD):
            raise LzfseError(f"LZVN opcode {op:#x} is not defined")
        elif high in (0xA, 0xB):  # 14-bit distance, 5-bit match length
            word = payload[at] | payload[at + 1] << 8
            at += 2
            num_literals, num_match, distance = (op >> 3) & 3, ((op & 7) << 2 | word & 3) + 3, word >> 2
        else:
            num_literals, num_match = op >> 6, ((op >> 3) & 7) + 3
            if low == 7:  # 16-bit distance
                distance = payload[at] | payload[at + 1] << 8
                at += 2
            elif low != 6:  # 11-bit distance; 6 keeps the last one
                distance = low << 8 | payload[at]
                at += 1
            elif num_literals == 0:
                raise LzfseError(f"LZVN opcode {op:#x} is not defined")
        _check_room(out, num_literals, end)
        out += _slice(payload, at, num_literals)
        at += num_literals
        if num_match:
            _copy_match(out, num_match, distance, end)
