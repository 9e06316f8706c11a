"""From raw scores to probabilities, as the original computes them."""

import numpy as np

from mainspring.release.compile.table import Compilation


def binary_probabilities(compilation: Compilation, raw: str) -> str:
    """[rows, 1] log odds → [rows, 2]: 1 - p and p."""
    return with_complement(compilation, compilation.graph.op("Sigmoid", raw, width=1))


def with_complement(compilation: Compilation, positive: str) -> str:
    """[rows, 1] p → [rows, 2]: 1 - p and p."""
    graph = compilation.graph
    return graph.op("Concat", graph.op("Sub", graph.constant(1.0), positive, width=1), positive, width=2, axis=1)


def softmax(compilation: Compilation, raw: str) -> str:
    """[rows, k] scores → probabilities that add up to 1.

    In parts: `Softmax` itself answers a row alone and the same row among others with different last bits.
    """
    graph = compilation.graph
    width = graph.width_of(raw)
    greatest = graph.op("ReduceMax", raw, graph.vector(1), width=1, keepdims=1)
    raised = graph.op("Exp", graph.op("Sub", raw, greatest, width=width), width=width)
    return graph.op("Div", raised, row_sums(compilation, raised), width=width)


def normalised(compilation: Compilation, shares: str) -> str:
    """[rows, k] shares → shares that add up to 1; equal ones where all are 0."""
    graph = compilation.graph
    width = graph.width_of(shares)
    total = row_sums(compilation, shares)
    nothing = graph.op("Equal", total, graph.constant(0.0), width=1)
    total = graph.op("Where", nothing, graph.constant(float(width)), total, width=1)
    shares = graph.op("Where", nothing, graph.constant(1.0), shares, width=width)
    return graph.op("Div", shares, total, width=width)


def row_sums(compilation: Compilation, tensor: str) -> str:
    """[rows, k] → [rows, 1]. As a product, since `ReduceSum` adds in another order when there is one row only."""
    graph = compilation.graph
    return graph.op("MatMul", tensor, graph.constant(np.ones((graph.width_of(tensor), 1))), width=1)


def one_hot_of_scores(compilation: Compilation, scores: str) -> str:
    """Decision values → 1 for the predicted class: [rows, 1] by sign (class 1 above 0), [rows, k] the greatest."""
    graph = compilation.graph
    width = graph.width_of(scores)
    if width == 1:
        above = graph.op("Greater", scores, graph.constant(0.0), width=1)
        return with_complement(compilation, graph.op("Cast", above, width=1, to=11))
    best = graph.op("ArgMax", scores, width=1, axis=1, keepdims=1)
    equal = graph.op("Equal", best, graph.constant(np.arange(width), np.int64), width=width)
    return graph.op("Cast", equal, width=width, to=11)
