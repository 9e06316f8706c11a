"""From a runtime's outputs to the predicted labels; the one rule for gateway and batch."""

import numpy as np
from numpy.typing import NDArray

from mainspring.domain.release import OutputSpec
from mainspring.domain.task import Task


def predicted_classes(outputs: NDArray[np.float64], spec: OutputSpec) -> NDArray[np.int64]:
    """The index of the predicted class of each row [n], from probabilities [n, k].

    A binary model predicts its positive class from the threshold on; any other the most probable class, of
    equally probable ones the first.

    Examples:
        >>> spec = OutputSpec(Task.BINARY, ("no", "yes"), positive="yes", threshold=0.3)
        >>> predicted_classes(np.array([[0.6, 0.4], [0.8, 0.2]]), spec).tolist()
        [1, 0]
    """
    if spec.task is Task.BINARY and spec.positive is not None:
        positive = spec.classes.index(spec.positive)
        return np.where(outputs[:, positive] >= spec.threshold, positive, 1 - positive).astype(np.int64)
    greatest: NDArray[np.int64] = outputs.argmax(axis=1)
    return greatest
