"""Does one network start to overfit sooner than another? A permutation test that knows censoring."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tasks.results.training import Onset


def onset_order_p(first: Sequence[Onset], second: Sequence[Onset]) -> float:
    """Return the two-sided p-value of "both start to overfit at the same time"; 1 where nothing can be said.

    Gehan's scores (1965): of each seed, how many others are known to start earlier, less how many later. Their
    sums are compared over all ways to deal the seeds to the two networks, so the error is held exactly, whatever
    the number of seeds; with n seeds each, p is at least 2 / (2n over n): 1/3, 1/10, 1/35, 1/126 from two on.
    """
    if min(len(first), len(second)) < 2:
        return 1.0
    scores = gehan_scores([*first, *second])
    groups = scores[: len(first)], scores[len(first) :]
    test = stats.permutation_test(groups, _difference, vectorized=True, n_resamples=9_999, rng=0)
    return float(test.pvalue)


def gehan_scores(onsets: Sequence[Onset]) -> NDArray[np.int64]:
    """Return of each training how many others are known to start earlier, less how many later: shape (n,).

    A training without an onset is known to have none up to the epoch of its lowest loss; and none is followed
    further than the shortest, or networks with more epochs would seem to start later.
    """
    last = min(onset.epochs for onset in onsets)
    seen = [onset.epoch if onset.status.shows_onset else None for onset in onsets]
    free = [
        onset.lowest_at or 0 if epoch is None else epoch for onset, epoch in zip(onsets, seen, strict=True)
    ]
    time = np.minimum(free, last)
    event = np.array([epoch is not None and epoch <= last for epoch in seen])
    earlier = event[:, None] & (
        (time[:, None] < time) | ((time[:, None] == time) & ~event)
    )  # row before column
    return np.asarray(earlier.sum(axis=0) - earlier.sum(axis=1), dtype=np.int64)


def _difference(first: NDArray[np.int64], second: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
    return np.asarray(first.mean(axis=axis) - second.mean(axis=axis))
