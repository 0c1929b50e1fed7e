"""Models as files that run without Keras: ONNX and LiteRT, float and int8, each held against Keras."""
