//===- RecurrentActivations.cpp - functions inside of recurrent cells -----===//

#include "passes/Frontend/RecurrentActivations.h"

using namespace mlir;
using namespace mezzo;

Value Activation::apply(ScalarBuilder &f, Value x) const {
  Value zero = f.constant(0), one = f.constant(1), a = f.constant(alpha),
        b = f.constant(beta);
  if (name == "sigmoid")
    return f.sigmoid(x);
  if (name == "tanh")
    return f.tanh(x);
  if (name == "relu")
    return f.max(x, zero);
  if (name == "affine")
    return f.add(f.mul(a, x), b);
  if (name == "leakyrelu")
    return f.select(f.less(x, zero), f.mul(a, x), x);
  if (name == "thresholdedrelu")
    return f.select(f.less(x, a), zero, x);
  if (name == "scaledtanh")
    return f.mul(a, f.tanh(f.mul(b, x)));
  if (name == "hardsigmoid")
    return f.min(f.max(f.add(f.mul(a, x), b), zero), one);
  if (name == "elu")
    return f.select(f.less(x, zero), f.mul(a, f.sub(f.exp(x), one)), x);
  if (name == "softsign")
    return arith::DivFOp::create(f.b, x, f.add(one, f.abs(x)));
  return f.softplus(x);
}

FailureOr<SmallVector<Activation>>
mezzo::readActivations(Node &node, ArrayRef<StringRef> defaults) {
  SmallVector<std::string> names;
  if (const onnx::AttributeProto *given = node.find("activations"))
    for (const std::string &name : given->strings())
      names.push_back(StringRef(name).lower());
  if (names.empty())
    for (StringRef name : defaults)
      names.push_back(name.str());
  if (names.size() != defaults.size())
    return node.error() << "it has " << names.size() << " activations, but "
                        << defaults.size()
                        << " are needed; export the model again";
  using Parameters = std::pair<std::optional<float>, std::optional<float>>;
  static const llvm::StringMap<Parameters> known{
      {"sigmoid", {}},
      {"tanh", {}},
      {"relu", {}},
      {"softsign", {}},
      {"softplus", {}},
      {"affine", {1.0f, 0.0f}},
      {"leakyrelu", {0.01f, std::nullopt}},
      {"thresholdedrelu", {1.0f, std::nullopt}},
      {"scaledtanh", {1.0f, 1.0f}},
      {"hardsigmoid", {0.2f, 0.5f}},
      {"elu", {1.0f, std::nullopt}}};
  auto list = [&](StringRef attribute) {
    const onnx::AttributeProto *given = node.find(attribute);
    return given ? SmallVector<float>(given->floats().begin(),
                                      given->floats().end())
                 : SmallVector<float>();
  };
  // These have entries only for functions that take them.
  SmallVector<float> alphas = list("activation_alpha"),
                     betas = list("activation_beta");
  size_t alpha = 0, beta = 0;
  SmallVector<Activation> activations;
  for (const std::string &name : names) {
    auto found = known.find(name);
    if (found == known.end())
      return node.error() << "its activation " << quoted(name)
                          << " is not supported";
    auto take = [](std::optional<float> absent, ArrayRef<float> given,
                   size_t &next) {
      if (!absent)
        return 0.0f;
      return next < given.size() ? given[next++] : *absent;
    };
    float a = take(found->second.first, alphas, alpha);
    activations.push_back({name, a, take(found->second.second, betas, beta)});
  }
  return activations;
}
