"""Simulated prices: a seeded jump-diffusion in whole numbers.

Every step of every process draws from a counter-based generator (Philox) at the counter `step`,
so step k is the same whoever computes it, whenever, and after whichever restart. From the raw
words on, all is integer arithmetic: no rounding of a processor or a library can move a price.

One step is one second on the wall and SPEED seconds in the simulation, so that a page moves
while somebody looks at it. Source: docs/venues/reference.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

STEP_S = 1
SPEED = 60
PPB = 10**9
# The factor that all assets share: a crash is seldom of one coin alone.
COMMON_STREAM = 0

_WORDS = 4
_PIECES = 12
# The sum of 12 uniform numbers below 2^16: mean, and (within 1e-9) the standard deviation.
_SUM_MEAN = _PIECES * ((1 << 16) - 1) // 2
_SUM_DEVIATION = 1 << 16
_HALF_WORD = 32
_HALF_MASK = (1 << _HALF_WORD) - 1

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Process:
    """A price in units of 10**-digits that wanders about its anchor.

    stream       number of its random stream; never given to another process
    anchor       where it starts and what it is drawn back to, in units
    digits       decimals of the unit
    deviation    standard deviation of one step, parts per billion
    shared       correlation of its steps with the common factor, parts per thousand
    jump_within  a jump comes once in so many steps on average; 0 for never
    jump         the largest jump, parts per billion
    pull         share of the way back to the anchor that one step goes, parts per billion
    """

    stream: int
    anchor: int
    digits: int
    deviation: int
    shared: int = 0
    jump_within: int = 0
    jump: int = 0
    pull: int = 90_000

    def exact(self, value: int) -> Fraction:
        """Return a value counted in units as the number it stands for."""
        return Fraction(value, 10**self.digits)


def draw_words(*, seed: int, stream: int, first: int, count: int) -> Words:
    """Return the random words of steps first .. first + count - 1, shape (count, 4)."""
    bits = np.random.Philox(
        key=np.array([seed, stream], dtype=np.uint64),
        counter=np.array([first, 0, 0, 0], dtype=np.uint64),
    )
    words: Words = bits.random_raw(_WORDS * count).reshape(count, _WORDS)
    return words


def draw_returns(*, process: Process, seed: int, first: int, count: int) -> list[int]:
    """Return the relative moves of steps first .. first + count - 1, parts per billion."""
    shared = draw_words(seed=seed, stream=COMMON_STREAM, first=first, count=count)
    own = draw_words(seed=seed, stream=process.stream, first=first, count=count)
    moves = zip(_normals(shared), _normals(own), own[:, -1].tolist(), strict=True)
    return [_diffuse(process, theirs, ours) + _jump(process, word) for theirs, ours, word in moves]


def draw_path(
    *, process: Process, seed: int, value: int, first: int, count: int
) -> tuple[int, ...]:
    """Return the values after steps first .. first + count - 1, starting from `value`.

    Values are in the process's units and never fall below 1.
    """
    path: list[int] = []
    for move in draw_returns(process=process, seed=seed, first=first, count=count):
        back = (process.anchor - value) * process.pull // PPB
        value = max(1, value + back + value * move // PPB)
        path.append(value)
    return tuple(path)


def draw_premiums(
    *, process: Process, seed: int, premium: int, first: int, count: int
) -> tuple[int, ...]:
    """Return a market's premium over its index after each step, parts per billion.

    The premium wanders about zero: only the deviation and the pull of the process are used.
    """
    path: list[int] = []
    for move in draw_returns(process=process, seed=seed, first=first, count=count):
        premium += move - premium * process.pull // PPB
        path.append(premium)
    return tuple(path)


def round_to_ticks(*, price: Fraction, tick: Fraction) -> int:
    """Return the nearest whole number of ticks, at least one."""
    return max(1, round(price / tick))


def _normals(words: Words) -> list[int]:
    """Return normal deviates of mean 0 and standard deviation 2^16, within 6 deviations."""
    pieces = np.ascontiguousarray(words[:, :3]).astype("<u8").view("<u2")
    deviates: list[int] = (pieces.sum(axis=1, dtype=np.int64) - _SUM_MEAN).tolist()
    return deviates


def _diffuse(process: Process, shared: int, own: int) -> int:
    weight = _other_leg(process.shared)
    mixed = process.shared * shared + weight * own
    return process.deviation * mixed // (1000 * _SUM_DEVIATION)


def _jump(process: Process, word: int) -> int:
    """Return a jump of between 30 % and 100 % of the largest, either way, or mostly 0."""
    chance, size = word & _HALF_MASK, word >> _HALF_WORD
    if not process.jump_within or chance * process.jump_within >= 1 << _HALF_WORD:
        return 0
    sign = 1 if size & 1 else -1
    permille = 300 + 700 * size // _HALF_MASK
    return sign * process.jump * permille // 1000


def _other_leg(permille: int) -> int:
    """Return the weight that, beside `permille`, keeps the sum's deviation at 1000."""
    return math.isqrt(1_000_000 - permille * permille)
