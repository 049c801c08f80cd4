//===- ModelHeader.cpp - the C header beside a compiled model -------------===//

#include "tools/driver/ModelHeader.h"

#include "lib/Support/Sanitize.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mezzo;
using llvm::StringRef;

/// The C type of an element; half floats and bool have none in C99 that all
/// compilers agree on.
static StringRef cType(StringRef dtype) {
  return llvm::StringSwitch<StringRef>(dtype)
      .Case("f32", "float")
      .Case("f64", "double")
      .Cases({"f16", "bf16"}, "uint16_t")
      .Case("bool", "uint8_t")
      .Case("i8", "int8_t")
      .Case("i16", "int16_t")
      .Case("i32", "int32_t")
      .Case("i64", "int64_t")
      .Case("u8", "uint8_t")
      .Case("u16", "uint16_t")
      .Case("u32", "uint32_t")
      .Case("u64", "uint64_t")
      .Default("");
}

static StringRef dtypeCode(StringRef dtype) {
  if (dtype == "bool")
    return "MEZZO_BOOL";
  if (dtype.starts_with("bf"))
    return "MEZZO_BFLOAT";
  if (dtype.starts_with("f"))
    return "MEZZO_FLOAT";
  return dtype.starts_with("u") ? "MEZZO_UINT" : "MEZZO_INT";
}

static unsigned dtypeBits(StringRef dtype) {
  unsigned bits = 8;
  dtype.drop_while([](char c) { return !llvm::isDigit(c); })
      .getAsInteger(10, bits);
  return bits;
}

/// Names of parameters, apart from each other and from what else the function
/// mentions.
static std::string parameter(UniqueIdentifiers &names, StringRef tensor) {
  std::string name = toIdentifier(tensor);
  bool isOurs = name == "context" || StringRef(name).starts_with("mezzo") ||
                StringRef(name).starts_with("MEZZO") ||
                StringRef(name).ends_with("_t");
  return names.get(isOurs ? "tensor_" + name : name);
}

std::string mezzo::modelHeader(const ModelSignature &signature,
                               StringRef prefix) {
  std::string text, guard = prefix.upper();
  llvm::raw_string_ostream os(text);
  os << "/* A compiled model: written by mezzo, not by hand. */\n#ifndef "
     << guard << "_MODEL_H\n#define " << guard
     << "_MODEL_H\n\n#include <mezzo/model.h>\n\n#ifdef __cplusplus\nextern "
        "\"C\" {\n#endif\n\n"
     << "const mezzo_api *" << prefix << "_api(uint32_t version);\n\n";
  for (auto [kind, tensors] : {std::pair("input", &signature.inputs),
                               std::pair("output", &signature.outputs)})
    for (const TensorSignature &tensor : *tensors) {
      os << "/* " << kind << " " << toComment(tensor.name) << ": "
         << tensor.dtype << "[";
      for (size_t dim = 0; dim < tensor.dims.size(); ++dim) {
        os << (dim ? ", " : "");
        if (tensor.dims[dim] >= 0)
          os << tensor.dims[dim];
        else
          os << (tensor.dimNames[dim].empty()
                     ? "?"
                     : toIdentifier(tensor.dimNames[dim]));
      }
      os << "] */\n";
    }
  bool typed = true;
  for (auto *tensors : {&signature.inputs, &signature.outputs})
    for (const TensorSignature &tensor : *tensors)
      typed &=
          !cType(tensor.dtype).empty() &&
          llvm::all_of(tensor.dims, [](int64_t size) { return size >= 0; });
  if (typed) {
    UniqueIdentifiers names;
    std::vector<std::string> parameters;
    os << "\n/* Runs the model on dense arrays of the shapes above; returns a "
          "mezzo_status. */\nMEZZO_INLINE int "
       << prefix << "_run(mezzo_context *context";
    for (const TensorSignature &tensor : signature.inputs)
      os << ", const " << cType(tensor.dtype) << " *"
         << parameters.emplace_back(parameter(names, tensor.name));
    for (const TensorSignature &tensor : signature.outputs)
      os << ", " << cType(tensor.dtype) << " *"
         << parameters.emplace_back(parameter(names, tensor.name));
    os << ") {\n";
    size_t next = 0;
    for (auto [kind, tensors] : {std::pair("in", &signature.inputs),
                                 std::pair("out", &signature.outputs)}) {
      os << "  mezzo_tensor mezzo_" << kind << "["
         << std::max<size_t>(1, tensors->size()) << "];\n";
      for (size_t i = 0; i < tensors->size(); ++i)
        if (!(*tensors)[i].dims.empty()) {
          os << "  int64_t mezzo_" << kind << i << "[] = {";
          llvm::interleaveComma((*tensors)[i].dims, os);
          os << "};\n";
        }
    }
    for (auto [kind, tensors] : {std::pair("in", &signature.inputs),
                                 std::pair("out", &signature.outputs)})
      for (size_t i = 0; i < tensors->size(); ++i) {
        const TensorSignature &tensor = (*tensors)[i];
        os << "  mezzo_" << kind << "[" << i << "] = mezzo_dense((void *)"
           << parameters[next++] << ", " << dtypeCode(tensor.dtype) << ", "
           << dtypeBits(tensor.dtype) << ", " << tensor.dims.size() << ", "
           << (tensor.dims.empty()
                   ? std::string("0")
                   : "mezzo_" + std::string(kind) + std::to_string(i))
           << ");\n";
      }
    os << "  return mezzo_run(context, mezzo_in, " << signature.inputs.size()
       << ", mezzo_out, " << signature.outputs.size() << ");\n}\n";
  }
  os << "\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
  return text;
}
