"""A histogram from which percentiles can be read, and that can be added to another.

Buckets grow by 2 %, so a percentile is within 1 % of the value of that rank, whatever the values
(DDSketch: Masson, Rim and Lee, VLDB 2019). A few hundred bytes stand for any number of values.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_LOG_GROWTH = math.log(1.02)
_TO_THE_MIDDLE = math.log(2 / (1 + math.exp(_LOG_GROWTH)))
_SHIFT = 2000  # makes every index of a positive value positive
_TINY = 1e-9  # counts as 0
_LARGEST_EXPONENT = 709.78
_FARTHEST = math.ceil(_LARGEST_EXPONENT / _LOG_GROWTH) + _SHIFT  # from 0, of any bucket

Sketch = dict[int, int]
"""How many values are in which bucket; buckets sort as their values do."""


def bucket_of(value: float) -> int:
    size = abs(value)
    if size < _TINY:
        return 0
    index = math.ceil(math.log(size) / _LOG_GROWTH) + _SHIFT
    return index if value > 0 else -index


def of(values: Iterable[float]) -> Counter[int]:
    return Counter(map(bucket_of, values))


def encode(sketch: Sketch) -> bytes:
    return array("q", [number for pair in sketch.items() for number in pair]).tobytes()


def decode(data: bytes) -> Sketch:
    numbers = array("q", data)
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def together(data: Sequence[bytes]) -> bytes:
    """Several encoded sketches as one.

    Raises:
        ValueError: this is no sketch of anything.
    """
    lowest, counts = _counted(data)
    full = counts.nonzero()[0]
    return np.stack([full + lowest, counts[full]], axis=1).tobytes()


def percentile(data: Sequence[bytes], percent: int, low: float, high: float) -> float:
    """The value of the nearest rank in several encoded sketches together, within 1 % and within
    `low` to `high`, the extremes seen.

    Raises:
        ValueError: this is no sketch of anything.
    """
    lowest, counts = _counted(data)
    up_to = counts.cumsum()
    rank = -(-int(up_to[-1]) * percent // 100)
    return max(low, min(_middle(int(up_to.searchsorted(rank)) + lowest), high))


def _counted(data: Sequence[bytes]) -> tuple[int, NDArray[np.int64]]:
    """The lowest bucket, and how many values are in it and in each after it."""
    numbers = np.frombuffer(b"".join(data), dtype=np.int64)
    buckets, counts = numbers[::2], numbers[1::2]
    if not counts.size or counts.min() < 1:
        raise ValueError("a sketch has a bucket that nothing is in")
    lowest = int(buckets.min())
    if int(buckets.max()) - lowest > 2 * _FARTHEST:
        raise ValueError("a sketch has a bucket that no value falls into")
    return lowest, np.bincount(buckets - lowest, weights=counts).astype(np.int64)


def _middle(bucket: int) -> float:
    if bucket == 0:
        return 0.0
    exponent = (abs(bucket) - _SHIFT) * _LOG_GROWTH + _TO_THE_MIDDLE
    size = math.exp(min(exponent, _LARGEST_EXPONENT))
    return size if bucket > 0 else -size
