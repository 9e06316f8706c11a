"""Fitted estimators → ONNX graphs that compute in double, one family of estimators a file."""
