"""All models by name. A name says what is in the model: its kind, bits, block length and zero points."""

from functools import partial

from . import integer
from .qdq import moved_codes, shared_codes, static_activations, weight_only
from .small import embedding, level_four, perceptron, reserved_names, scalar_arithmetic, static_product
from .transformer import attention_projections, feed_forward

ZEROS = {"none": "", "packed": "-zp", "float": "-fzp"}


def _quantized(catalogue, kind, build, bits, block, zeros="none", **sizes):
    seed = 1000 * bits + block + len(catalogue)
    name = f"{kind}-b{bits}-g{block}{ZEROS[zeros]}"
    catalogue[name] = partial(build, seed, bits, block, zeros, **sizes)


def _make():
    catalogue = {}
    for bits in range(1, 9):
        for block in (32, 128):
            for zeros in ("none", "packed"):
                _quantized(catalogue, "feed-forward", feed_forward, bits, block, zeros)
        _quantized(catalogue, "attention", attention_projections, bits, 32, "packed")
        _quantized(catalogue, "attention", attention_projections, bits, 128, "float")
        # Nothing divides anything: prime and odd extents, a last block that K ends in.
        sizes = dict(width=130, heads_width=67)
        _quantized(catalogue, "odd", attention_projections, bits, 32, "packed", **sizes)
        _quantized(catalogue, "odd", attention_projections, bits, 16, "float", **sizes)
        _quantized(catalogue, "odd", attention_projections, bits, 128, "none", **sizes)
    # The columns of a group anywhere in a row; K in whole blocks, and with a rest.
    for bits in (2, 3, 4, 8):
        _quantized(catalogue, "permuted", attention_projections, bits, 32, "packed", width=96, permute=True)
    _quantized(catalogue, "permuted", attention_projections, 4, 32, "none", width=96, permute=True)
    _quantized(catalogue, "permuted", attention_projections, 4, 16, "float", width=130, heads_width=67, permute=True)
    _quantized(catalogue, "permuted", attention_projections, 5, 128, "none", width=576, permute=True)
    for dtype in ("int8", "uint8", "int4", "uint4", "int2", "uint2"):
        for granularity in ("tensor", "channel", 32):
            label = f"g{granularity}" if isinstance(granularity, int) else granularity
            for gemm in (False, True):
                zero_point = dtype.startswith("uint")
                catalogue[f"{'gemm' if gemm else 'matmul'}-{dtype}-{label}"] = partial(
                    weight_only, 7000 + len(catalogue), dtype, granularity, zero_point, gemm=gemm
                )
    catalogue["matmul-int4-g16-odd"] = partial(weight_only, 7100, "int4", 16, True, width=75, rows=33)
    catalogue["static-activations"] = partial(static_activations, 7200)
    catalogue["shared-codes"] = partial(shared_codes, 7250)
    catalogue["moved-codes"] = partial(moved_codes, 7260)
    for dtype in ("int8", "uint8"):
        for per_channel in (False, True):
            label = f"{dtype}-{'channel' if per_channel else 'tensor'}"
            catalogue[f"dynamic-{label}"] = partial(integer.dynamic, 7800 + len(catalogue), dtype, per_channel)
            for a_type in ("int8", "uint8"):
                catalogue[f"qlinear-{a_type}-{label}"] = partial(
                    integer.qlinear, 7800 + len(catalogue), a_type, dtype, per_channel
                )
    catalogue["fused-dynamic"] = partial(integer.fused_dynamic, 7901)
    catalogue["qlinear-run-time"] = partial(integer.qlinear_weights_at_run_time, 7902)
    catalogue["qlinear-functions"] = partial(integer.qlinear_functions, 7903)
    catalogue["row-zeros"] = partial(integer.row_zeros, 7904)
    catalogue["qgemm-codes"] = partial(integer.qgemm, 7905, False)
    catalogue["qgemm-numbers"] = partial(integer.qgemm, 7906, True)
    for a_type in ("int8", "uint8"):
        for transposed in (False, True):
            name = f"qdq-{a_type}-{'gemm' if transposed else 'matmul'}"
            catalogue[name] = partial(integer.quantize_dequantize, 7907, a_type, "int8", transposed)
    catalogue["narrowed"] = partial(integer.narrowed, 7911)
    catalogue["embedding"] = partial(embedding, 7300)
    catalogue["reserved-names"] = partial(reserved_names, 7350)
    catalogue["static-product"] = partial(static_product, 7400)
    catalogue["other-static-product"] = partial(static_product, 7500, rows=3, width=32, columns=40)
    catalogue["level-four"] = partial(level_four, 7450)
    catalogue["float-perceptron"] = partial(perceptron, 5)
    catalogue["scalar-arithmetic"] = partial(scalar_arithmetic, 7600)
    return catalogue


CATALOGUE = _make()
