"""Marks by which samples are known again: in another pass, or in another minibatch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as tree

Marks = np.ndarray | None  # int64, one a sample, or one for all of the minibatch; None where nothing can be seen


def marks(batch: Any) -> Marks:
    """Hash the samples of a minibatch: along the first axis of its arrays, or all together where they do not share one.

    They are Python's hashes of the bytes, 64 bits, other ones in every process.

    Args:
        batch: tensors, NumPy arrays, numbers and words in tuples, lists or dictionaries.

    Returns:
        The marks; None where the minibatch holds something else (sparse or quantized tensors, objects).
    """
    leaves = [_content(leaf) for leaf in tree.tree_leaves(batch)]
    if any(leaf is None for leaf in leaves):
        return None
    lengths = {len(leaf) if isinstance(leaf, np.ndarray) and leaf.size else None for leaf in leaves}
    if len(lengths) == 1 and None not in lengths:
        return np.array([hash(tuple(row.tobytes() for row in rows)) for rows in zip(*leaves, strict=True)])
    return np.array([hash(tuple(leaf if isinstance(leaf, bytes) else leaf.tobytes() for leaf in leaves))])


def repeated(found: Sequence[Marks]) -> tuple[int, int]:
    """Count what is in more than one minibatch.

    Args:
        found: marks of every minibatch.

    Returns:
        How many samples, each minibatch counting each once, were in a minibatch before; how many there are in all.
    """
    each = [np.unique(one) for one in found if one is not None]
    total = sum(map(len, each))
    return total - (len(np.unique(np.concatenate(each))) if each else 0), total


def _content(leaf: Any) -> np.ndarray | bytes | None:
    """Bytes of a leaf: a row a sample of what has a first axis."""
    if isinstance(leaf, Tensor):
        if leaf.layout != torch.strided or leaf.is_nested or leaf.is_quantized:
            return None
        dense = leaf.detach().cpu().resolve_conj().resolve_neg().contiguous()
        leaf = dense.reshape(-1).view(torch.uint8).numpy().reshape(*dense.shape, dense.element_size())
        return leaf if dense.ndim else leaf.tobytes()
    if isinstance(leaf, np.ndarray | np.generic):
        if leaf.dtype.hasobject:
            return None
        return np.ascontiguousarray(leaf)[..., None].view(np.uint8) if leaf.ndim else leaf.tobytes()
    if leaf is None or isinstance(leaf, str | bytes | bool | int | float | complex):
        return f"{type(leaf).__name__} {leaf!r};".encode()
    return None
