//===- Activations.cpp - activation functions -----------------------------===//

#include "passes/Frontend/Pointwise.h"
#include "passes/Frontend/Registry.h"

using namespace mlir;
using namespace mezzo;

namespace {

using Values = ArrayRef<Value>;

template <Value (ScalarBuilder::*Function)(Value)>
LogicalResult importFunction(Node &node) {
  return importPointwise(node, Domain::Float32, [](ScalarBuilder &s, Values x) {
    return (s.*Function)(x[0]);
  });
}

LogicalResult importRelu(Node &node) {
  return importPointwise(node, Domain::Number, [](ScalarBuilder &s, Values x) {
    return s.max(x[0], s.constant(0));
  });
}

LogicalResult importLeakyRelu(Node &node) {
  float alpha = node.real("alpha", 0.01f);
  return importPointwise(node, Domain::Float, [&](ScalarBuilder &s, Values x) {
    return s.select(s.less(x[0], s.constant(0)), s.mul(s.constant(alpha), x[0]),
                    x[0]);
  });
}

LogicalResult importPRelu(Node &node) {
  return importPointwise(node, Domain::Number, [](ScalarBuilder &s, Values x) {
    return s.select(s.less(x[0], s.constant(0)), s.mul(x[1], x[0]), x[0]);
  });
}

/// alpha * (e^x - 1) to the left of 0; the exponential of what is right of it
/// is not used, and must not overflow.
LogicalResult importElu(Node &node) {
  bool isSelu = node.op() == "Selu";
  float alpha = node.real("alpha", isSelu ? 1.67326319217681884765625f : 1.0f);
  float gamma = node.real("gamma", isSelu ? 1.05070102214813232421875f : 1.0f);
  return importPointwise(
      node, Domain::Float32, [&](ScalarBuilder &s, Values x) {
        Value zero = s.constant(0);
        Value left = s.mul(s.constant(alpha),
                           s.sub(s.exp(s.min(x[0], zero)), s.constant(1)));
        Value y = s.select(s.less(x[0], zero), left, x[0]);
        return isSelu ? s.mul(s.constant(gamma), y) : y;
      });
}

/// max(0, x) + min(0, alpha * (e^(x / alpha) - 1)).
LogicalResult importCelu(Node &node) {
  float alpha = node.real("alpha", 1.0f);
  return importPointwise(
      node, Domain::Float32, [&](ScalarBuilder &s, Values x) {
        Value zero = s.constant(0), scale = s.constant(alpha);
        Value power = s.exp(s.div(x[0], scale, ""));
        Value left = s.mul(scale, s.sub(power, s.constant(1)));
        return s.add(s.max(x[0], zero), s.min(left, zero));
      });
}

LogicalResult importThresholdedRelu(Node &node) {
  float alpha = node.real("alpha", 1.0f);
  return importPointwise(node, Domain::Float, [&](ScalarBuilder &s, Values x) {
    return s.select(s.less(s.constant(alpha), x[0]), x[0], s.constant(0));
  });
}

/// x moved toward 0 by `bias` where |x| is above `lambd`, else 0.
LogicalResult importShrink(Node &node) {
  float lambd = node.real("lambd", 0.5f), bias = node.real("bias", 0);
  return importPointwise(node, Domain::Number, [&](ScalarBuilder &s, Values x) {
    Value up = s.add(x[0], s.constant(bias)),
          down = s.sub(x[0], s.constant(bias));
    return s.select(
        s.less(x[0], s.constant(-lambd)), up,
        s.select(s.less(s.constant(lambd), x[0]), down, s.constant(0)));
  });
}

LogicalResult importHardSigmoid(Node &node) {
  float alpha = node.real("alpha", 0.2f), beta = node.real("beta", 0.5f);
  return importPointwise(node, Domain::Float, [&](ScalarBuilder &s, Values x) {
    Value line = s.add(s.mul(s.constant(alpha), x[0]), s.constant(beta));
    return s.max(s.constant(0), s.min(s.constant(1), line));
  });
}

LogicalResult importHardSwish(Node &node) {
  return importPointwise(node, Domain::Float, [](ScalarBuilder &s, Values x) {
    Value line = s.add(s.mul(s.constant(1.0f / 6.0f), x[0]), s.constant(0.5));
    return s.mul(x[0], s.max(s.constant(0), s.min(s.constant(1), line)));
  });
}

LogicalResult importSoftsign(Node &node) {
  return importPointwise(node, Domain::Float, [](ScalarBuilder &s, Values x) {
    return s.div(x[0], s.add(s.constant(1), s.abs(x[0])), "");
  });
}

LogicalResult importMish(Node &node) {
  return importPointwise(node, Domain::Float32, [](ScalarBuilder &s, Values x) {
    return s.mul(x[0], s.tanh(s.softplus(x[0])));
  });
}

/// x * sigmoid(alpha * x); 1.702 approximates Gelu.
LogicalResult importSwish(Node &node) {
  float alpha = node.real("alpha", node.op() == "QuickGelu" ? 1.702f : 1.0f);
  return importPointwise(
      node, Domain::Float32, [&](ScalarBuilder &s, Values x) {
        Value argument = alpha == 1 ? x[0] : s.mul(s.constant(alpha), x[0]);
        return s.mul(x[0], s.sigmoid(argument));
      });
}

LogicalResult importGelu(Node &node) {
  std::string approximate = node.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return node.error() << "its attribute 'approximate' is "
                        << quoted(approximate) << ": use none or tanh";
  if (approximate == "tanh")
    return importFunction<&ScalarBuilder::geluTanh>(node);
  return importFunction<&ScalarBuilder::gelu>(node);
}

/// Gelu of x + bias, where there is one.
template <Value (ScalarBuilder::*Function)(Value)>
LogicalResult importBiasGelu(Node &node) {
  unsigned count = node.has(1) ? 2 : 1;
  return importPointwise(
      node, Domain::Float32,
      [&](ScalarBuilder &s, Values x) {
        return (s.*Function)(count == 2 ? s.add(x[0], x[1]) : x[0]);
      },
      0, count);
}

const OperatorRow rows[] = {
    {OnnxDomain, "Relu", 6, 1, 1, importRelu},
    {OnnxDomain, "LeakyRelu", 6, 1, 1, importLeakyRelu},
    {OnnxDomain, "PRelu", 7, 2, 2, importPRelu},
    {OnnxDomain, "Elu", 6, 1, 1, importElu},
    {OnnxDomain, "Celu", 12, 1, 1, importCelu},
    {OnnxDomain, "ThresholdedRelu", 10, 1, 1, importThresholdedRelu},
    {OnnxDomain, "Shrink", 9, 1, 1, importShrink},
    {OnnxDomain, "Selu", 6, 1, 1, importElu},
    {OnnxDomain, "Sigmoid", 6, 1, 1, importFunction<&ScalarBuilder::sigmoid>},
    {OnnxDomain, "HardSigmoid", 6, 1, 1, importHardSigmoid},
    {OnnxDomain, "HardSwish", 14, 1, 1, importHardSwish},
    {OnnxDomain, "Softplus", 1, 1, 1, importFunction<&ScalarBuilder::softplus>},
    {OnnxDomain, "Softsign", 1, 1, 1, importSoftsign},
    {OnnxDomain, "Mish", 18, 1, 1, importMish},
    {OnnxDomain, "Swish", 24, 1, 1, importSwish},
    {OnnxDomain, "Gelu", 20, 1, 1, importGelu},
    {MicrosoftDomain, "Gelu", 1, 1, 1, importFunction<&ScalarBuilder::gelu>},
    {MicrosoftDomain, "BiasGelu", 1, 2, 2,
     importBiasGelu<&ScalarBuilder::gelu>},
    {MicrosoftDomain, "FastGelu", 1, 1, 2,
     importBiasGelu<&ScalarBuilder::geluTanh>},
    {MicrosoftDomain, "QuickGelu", 1, 1, 1, importSwish},
};

} // namespace

ArrayRef<OperatorRow> mezzo::activationOperators() { return rows; }
