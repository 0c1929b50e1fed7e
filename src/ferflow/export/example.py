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
height, width, channels = json.loads(metadata["image_shape"])
picture = ImageOps.exif_transpose(Image.open(sys.argv[1]))
if picture.mode.startswith("I"):  # of 16 bits the upper 8
    picture = picture.convert("I").point(lambda level: level * (1 / 256))
elif picture.has_transparency_data:
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
picture = picture.convert("L")
if picture.size != (width, height):
    picture = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
images = np.repeat(np.asarray(picture)[None, :, :, None], channels, axis=3)
(probabilities,) = session.run(["probabilities"], {"image": images})
answer = zip(json.loads(metadata["labels"]), probabilities[0], strict=True)
for emotion, probability in sorted(answer, key=lambda pair: -pair[1]):
    print(f"{emotion:10} {probability:.3f}")
