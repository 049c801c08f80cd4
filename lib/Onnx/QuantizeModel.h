//===- QuantizeModel.h - a float model with quantized products --*- C++ -*-===//

#ifndef MEZZO_LIB_ONNX_QUANTIZEMODEL_H
#define MEZZO_LIB_ONNX_QUANTIZEMODEL_H

#include "lib/Number/Spec.h"
#include "lib/Onnx/FloatProducts.h"

namespace mezzo {

/// What a tensor held when the model ran on samples.
struct ValueRange {
  float low = 0, high = 0;
};

struct ModelQuantization {
  /// Of weights: integers of 2, 4 or 8 bits, groups of any kind, f32 scales,
  /// without offset or with a zero point.
  QuantSpec weights;
  /// Of activations, static: int8/t, or uint8/t with a zero point. None: f32.
  std::optional<QuantSpec> activations;
  /// By name of the tensor; needed where there are activations.
  std::map<std::string, ValueRange> ranges;
};

struct QuantizedModel {
  onnx::ModelProto proto;
  int64_t products = 0, weightBytes = 0, floatBytes = 0;
};

/// The model with its products quantized, in the standard's own terms: weights
/// as DequantizeLinear of their codes, or, where the model's opset has no type
/// or no blocks for them, as com.microsoft's MatMulNBits; activations as
/// QuantizeLinear and DequantizeLinear. It runs wherever ONNX does.
///
/// Errors name what ONNX cannot say and what can be used instead; a model
/// without any product to quantize; a range that is missing.
llvm::Expected<QuantizedModel> quantizeModel(const OnnxModel &model,
                                             const ModelQuantization &how);

/// Whether ONNX has a way to write weights or activations so; an error
/// otherwise. What quantizeModel asks first.
llvm::Error checkExpressible(const ModelQuantization &how);

} // namespace mezzo

#endif // MEZZO_LIB_ONNX_QUANTIZEMODEL_H
