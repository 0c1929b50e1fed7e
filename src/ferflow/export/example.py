"""Say which emotion a face shows, with onnxruntime, numpy and Pillow: example.py face.jpg [model.onnx]."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

default = Path(__file__).with_name("model.onnx")
session = onnxruntime.InferenceSession(sys.argv[2] if sys.argv[2:] else default)
metadata = session.get_modelmeta().custom_metadata_map
height, width, _ = json.loads(metadata["image_shape"])
picture = ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("L").resize((width, height))
images = np.asarray(picture, dtype=np.uint8)[None, :, :, None]
(probabilities,) = session.run(["probabilities"], {"image": images})
answer = zip(json.loads(metadata["labels"]), probabilities[0], strict=True)
for emotion, probability in sorted(answer, key=lambda pair: -pair[1]):
    print(f"{emotion:10} {probability:.3f}")
