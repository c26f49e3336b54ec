"""Classifiers of Keras, exported by tf2onnx, read by saligate.

usage: foreign_keras.py SALIGATE FOLDER [NET ...]

Needs keras-requirements.txt; no network access: all weights are random, with seed 0. FOLDER gets NET.onnx (opset 15, dynamic
batch) and NET.model (`saligate import`), and one row of the table of docs/import.md is printed: the largest difference of the
scores over the largest score, between ONNX Runtime on the input of the file's last softmax and on the model's logits. The nets
`small` and `flat` are those that foreign.py packs.
"""

import os
import subprocess
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

layers = keras.layers


def small() -> keras.Model:
    x = image = layers.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.Activation("swish")(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Concatenate()([x, layers.Conv2D(8, 1, activation="relu")(x)])
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    x = layers.SeparableConv2D(16, 3, padding="same", activation="hard_sigmoid")(x)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


def flat() -> keras.Model:
    x = image = layers.Input((28, 28, 1))
    x = layers.AveragePooling2D(2)(layers.Conv2D(4, 5, activation="relu")(x))
    x = layers.Dense(16, activation="tanh")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


APPLICATIONS = ["MobileNet", "MobileNetV2", "MobileNetV3Small", "ResNet50", "EfficientNetB0", "DenseNet121", "Xception"]


def build(name: str) -> keras.Model:
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    if name in ("small", "flat"):
        return {"small": small, "flat": flat}[name]()
    size = 299 if name == "Xception" else 224
    return getattr(keras.applications, name)(weights=None, classes=10, input_shape=(size, size, 3))


def scores(model: onnx.ModelProto, image: np.ndarray, output: str) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {"image": image, "target": np.zeros((1, model.graph.output[0].type.tensor_type.shape.dim[1].dim_value), np.float32)}
    return session.run([output], {i.name: feeds[i.name] for i in session.get_inputs()})[0]


def row(program: str, folder: Path, name: str) -> str:
    net = build(name)
    shape = net.input.shape[1:]
    source, made = folder / f"{name}.onnx", folder / f"{name}.model"
    call = tf.function(lambda image: net(image, training=False))
    signature = [tf.TensorSpec([None, *shape], tf.float32, name="image")]
    tf2onnx.convert.from_function(call, input_signature=signature, opset=15, output_path=str(source))
    subprocess.run([program, "import", str(source), "-o", str(made)], check=True, stdout=subprocess.DEVNULL)
    image = np.random.default_rng(0).random((1, *shape), np.float32)
    bare = onnx.load(source)
    del bare.graph.input[1:]  # tf2onnx lists constants that it has folded away
    bare.graph.output[0].name = next(node for node in bare.graph.node if node.op_type == "Softmax").input[0]
    expected = scores(bare, image, bare.graph.output[0].name)
    found = scores(onnx.load(made), image.transpose(0, 3, 1, 2), "logits")
    return f"| {name} | {' x '.join(map(str, shape))} | {np.abs(found - expected).max() / np.abs(expected).max():.0e} |"


def main() -> None:
    program, folder, *names = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    print("| network of Keras | image | logits |\n|---|---|---|")
    for name in names or ["small", "flat", *APPLICATIONS]:
        print(row(program, Path(folder), name), flush=True)


if __name__ == "__main__":
    main()
