"""The address of an Ethereum private key, for venues whose API keys are such keys."""

from __future__ import annotations

import re

from cryptography.hazmat.primitives.asymmetric import ec

from venues.errors import BadAccount

_KEY = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_LANES = 25
_RATE = 136
_MASK = (1 << 64) - 1
# Rotations along the path that the lanes of Keccak-f take (FIPS 202, sections 3.2.2 and 3.2.3).
_ROTATIONS = (
    1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
)  # fmt: skip
_PATH = (
    10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
)  # fmt: skip


def address_of(private_key: str) -> str:
    """Return the address, lower case, of a private key in hexadecimal digits.

    Raises BadAccount, which repeats nothing of the key.
    """
    digits = _KEY.fullmatch(private_key.strip())
    try:
        if digits is None:
            raise ValueError
        key = ec.derive_private_key(int(digits[1], 16), ec.SECP256K1())
    except ValueError:
        raise BadAccount("The private key should be 64 hexadecimal digits.") from None
    point = key.public_key().public_numbers()
    public = point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    return "0x" + keccak256(public)[-20:].hex()


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 digest, which pads otherwise than SHA3-256 does."""
    padded = bytearray(data) + b"\x01"
    padded += bytes(-len(padded) % _RATE)
    padded[-1] |= 0x80
    lanes = [0] * _LANES
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(lanes: list[int]) -> list[int]:
    register = 1
    for _ in range(24):
        lanes = _chi(_rho_pi(_theta(lanes)))
        constant, register = _next_constant(register)
        lanes[0] ^= constant
    return lanes


def _theta(lanes: list[int]) -> list[int]:
    columns = [
        lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)
    ]
    parity = [columns[(x - 1) % 5] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
    return [lane ^ parity[at % 5] for at, lane in enumerate(lanes)]


def _rho_pi(lanes: list[int]) -> list[int]:
    moved, carried = list(lanes), lanes[1]
    for rotation, at in zip(_ROTATIONS, _PATH, strict=True):
        moved[at], carried = _rotate(carried, rotation), lanes[at]
    return moved


def _chi(lanes: list[int]) -> list[int]:
    return [
        lane ^ (~lanes[at - at % 5 + (at + 1) % 5] & lanes[at - at % 5 + (at + 2) % 5] & _MASK)
        for at, lane in enumerate(lanes)
    ]


def _next_constant(register: int) -> tuple[int, int]:
    """Return a round's constant and the state of the shift register after it."""
    constant = 0
    for power in range(7):
        if register & 1:
            constant |= 1 << ((1 << power) - 1)
        register = (register << 1) ^ (0x171 if register & 0x80 else 0)
    return constant, register


def _rotate(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK
