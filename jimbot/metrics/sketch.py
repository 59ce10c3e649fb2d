"""A histogram from which percentiles can be read, and that can be added to another.

Buckets grow by 2 %, so a percentile is within 1 % of the value of that rank, whatever the values
(DDSketch: Masson, Rim and Lee, VLDB 2019). A few hundred bytes stand for any number of values.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np

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


def add(sketch: Sketch, values: Iterable[float]) -> None:
    for bucket, count in Counter(map(bucket_of, values)).items():
        sketch[bucket] = sketch.get(bucket, 0) + count


def percentile(sketch: Sketch, percent: int, low: float, high: float) -> float:
    """The value of the nearest rank, within 1 % and within `low` to `high`, the extremes seen."""
    left = -(-sum(sketch.values()) * percent // 100)
    for bucket in sorted(sketch):
        left -= sketch[bucket]
        if left <= 0:
            return max(low, min(_middle(bucket), high))
    raise ValueError("a sketch of nothing has no percentiles")


def encode(sketch: Sketch) -> bytes:
    return array("q", [number for pair in sketch.items() for number in pair]).tobytes()


def decode(data: bytes) -> Sketch:
    numbers = array("q", data)
    return dict(zip(numbers[::2], numbers[1::2], strict=True))


def decode_all(data: Iterable[bytes]) -> Sketch:
    """Several sketches as one, its buckets in order.

    Raises:
        ValueError: this is no sketch of anything.
    """
    numbers = np.frombuffer(b"".join(data), dtype=np.int64)
    if not numbers.size or int(numbers[1::2].min()) < 1:
        raise ValueError("a sketch has a bucket that nothing is in")
    buckets = numbers[::2]
    lowest = int(buckets.min())
    if int(buckets.max()) - lowest > 2 * _FARTHEST:
        raise ValueError("a sketch has a bucket that no value falls into")
    counts = np.bincount(buckets - lowest, weights=numbers[1::2])
    full = counts.nonzero()[0]
    return dict(zip((full + lowest).tolist(), counts[full].astype(int).tolist(), strict=True))


def _middle(bucket: int) -> float:
    if bucket == 0:
        return 0.0
    exponent = (abs(bucket) - _SHIFT) * _LOG_GROWTH + _TO_THE_MIDDLE
    size = math.exp(min(exponent, _LARGEST_EXPONENT))
    return size if bucket > 0 else -size
