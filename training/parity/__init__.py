"""A fitted estimator as an ONNX model, and the proof that both say the same."""
