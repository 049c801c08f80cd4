//===- SourceFiles.cpp - kernel, weights and test bench -------------------===//

#include "targets/HlsC/Project.h"

#include "lib/Number/Half.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::raw_ostream;
using llvm::raw_string_ostream;
using llvm::StringRef;

int64_t Project::scaleMultiplies() const {
  int64_t count = 0;
  for (const Stage &stage : plan().stages)
    if (stage.kind == Stage::Kind::Product) { // the others have no scales
      ProductShape shape =
          llvm::cantFail(ProductShape::of(stage, kernel.knobs));
      count += shape.blocks * shape.parallelN * shape.groups;
    }
  return count * plan().rows;
}

/// The text of `write`.
static std::string text(llvm::function_ref<void(raw_ostream &)> write) {
  std::string result;
  raw_string_ostream os(result);
  write(os);
  return result;
}

static StringRef generated = "/* Written by mezzo. */\n";

static std::string guard(const Project &p, StringRef what) {
  return StringRef(p.plan().name).upper() + "_" + what.str() + "_H";
}

/// An argument list of the kernel, `float name[...]` or streams.
static std::string signature(const Project &p) {
  bool isStream =
      p.isHls() && p.kernel.knobs.interface == Knobs::Interface::AxiStream;
  llvm::SmallVector<std::string> parameters;
  auto add = [&](int wire, StringRef type) {
    const Wire &w = p.plan().wires[wire];
    parameters.push_back(
        isStream ? "hls::stream<float> &" + w.name
                 : type.str() + w.name + "[" +
                       std::to_string(p.plan().rows * w.columns) + "]");
  };
  for (int input : p.plan().inputs)
    add(input, "const float ");
  for (int output : p.plan().outputs)
    add(output, "float ");
  return "void " + p.plan().name + "_kernel(" + llvm::join(parameters, ", ") +
         ")";
}

std::string mezzo::hlsc::headerFile(const Project &p) {
  return text([&](raw_ostream &os) {
    os << generated << "#ifndef " << guard(p, "KERNEL") << "\n#define "
       << guard(p, "KERNEL") << "\n\n";
    if (p.isHls())
      os << "#include \"dataflow.h\"\n\n";
    else
      os << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
    os << "/* The model, " << p.plan().rows << " rows of";
    auto list = [&](StringRef what, const std::vector<int> &wires) {
      os << " " << what;
      for (int wire : wires)
        os << " " << p.plan().wires[wire].name << " ("
           << p.plan().wires[wire].columns << " columns)";
    };
    list("inputs", p.plan().inputs);
    list("to outputs", p.plan().outputs);
    os << ", row-major.";
    if (!p.isHls())
      os << " Buffers are static: one call at a time.";
    os << " */\n" << signature(p) << ";\n";
    if (!p.isHls())
      os << "\n#ifdef __cplusplus\n}\n#endif\n";
    os << "\n#endif\n";
  });
}

std::string mezzo::hlsc::kernelFile(const Project &p) {
  return text([&](raw_ostream &os) {
    StringRef code = p.code;
    os << generated << "#include \"kernel.h\"\n\n#include \"weights.h\"\n\n"
       << (p.isHls() ? "#include \"ap_int.h\"\n\n" : "")
       << "#include <math.h>\n#include <stdint.h>\n\n";
    os << "/* The test bench counts the multiplications of scales. */\n"
          "#ifdef MEZZO_COUNT\nextern long "
       << p.plan().name
       << "_scale_multiplies;\n#define COUNT_SCALE() "
          "((void)__sync_add_and_fetch(&"
       << p.plan().name
       << "_scale_multiplies, 1))\n#else\n#define COUNT_SCALE() "
          "((void)0)\n#endif\n\n";
    if (code.contains("bits_of("))
      os << "/* The 32 bits of a float. */\n"
            "static uint32_t bits_of(const float x) {\n"
            "  union {\n    float real;\n    uint32_t bits;\n  } u;\n"
            "  u.real = x;\n  return u.bits;\n}\n\n";
    if (code.contains("float_of("))
      os << "/* The float of 32 bits. */\n"
            "static float float_of(const uint32_t bits) {\n"
            "  union {\n    float real;\n    uint32_t bits;\n  } u;\n"
            "  u.bits = bits;\n  return u.real;\n}\n\n";
    os << code;
  });
}

/// One element per call of `put`, in lines of modest length.
static void list(raw_ostream &os, size_t count,
                 llvm::function_ref<std::string(size_t)> element) {
  size_t column = 0;
  for (size_t index = 0; index < count; ++index) {
    std::string word = element(index) + (index + 1 < count ? "," : "");
    if (column + word.size() > 78) {
      os << "\n";
      column = 0;
    }
    os << word;
    column += word.size();
  }
}

static std::string floatText(float value) {
  if (std::isnan(value))
    return "NAN";
  if (std::isinf(value))
    return value < 0 ? "-INFINITY" : "INFINITY";
  std::string result =
      text([&](raw_ostream &os) { os << llvm::format("%.9g", double(value)); });
  if (StringRef(result).find_first_of(".e") == StringRef::npos)
    result += ".0";
  return result + "f";
}

/// The initializer with a brace for every dimension, as strict compilers want
/// it.
static void initializer(raw_ostream &os, const ConstantArray &array,
                        size_t dimension, size_t &at) {
  size_t size = array.shape[dimension];
  os << "{";
  if (dimension + 1 < array.shape.size()) {
    for (size_t index = 0; index < size; ++index) {
      initializer(os, array, dimension + 1, at);
      os << (index + 1 < size ? ",\n" : "");
    }
  } else {
    list(os, size, [&](size_t) -> std::string {
      size_t index = at++;
      if (!array.floats.empty())
        return floatText(array.floats[index]);
      if (!array.integers.empty())
        return std::to_string(array.integers[index]);
      return "0x" + llvm::utohexstr(array.words[index], /*LowerCase=*/true) +
             (array.element == "uint64_t" ? "ull" : "u");
    });
  }
  os << "}";
}

std::string mezzo::hlsc::weightsFile(const Project &p) {
  return text([&](raw_ostream &os) {
    os << generated << "#ifndef " << guard(p, "WEIGHTS") << "\n#define "
       << guard(p, "WEIGHTS") << "\n\n#include <math.h>\n#include <stdint.h>\n";
    for (const ConstantArray &array : p.kernel.constants) {
      os << "\nstatic const " << array.element << " " << array.name;
      for (int64_t size : array.shape)
        os << "[" << size << "]";
      os << " =\n";
      size_t at = 0;
      initializer(os, array, 0, at);
      os << ";\n";
    }
    os << "\n#endif\n";
  });
}

std::string mezzo::hlsc::vectorsFile(const Project &p) {
  return text([&](raw_ostream &os) {
    os << generated << "#ifndef " << guard(p, "VECTORS") << "\n#define "
       << guard(p, "VECTORS")
       << "\n\n#include <stdint.h>\n\n/* Inputs, and what the reference "
          "arithmetic makes of them: the bits of floats. */\n";
    auto arrays = [&](const std::vector<int> &wires,
                      const std::vector<std::vector<float>> &all) {
      for (size_t index = 0; index < wires.size(); ++index) {
        const std::vector<float> &values = all[index];
        os << "\nstatic const uint32_t bits_of_"
           << p.plan().wires[wires[index]].name << "[" << values.size()
           << "] = {\n";
        list(os, values.size(), [&](size_t at) {
          return "0x" + llvm::utohexstr(bitsOf(values[at]), true) + "u";
        });
        os << "};\n";
      }
    };
    arrays(p.plan().inputs, p.vectors.inputs);
    arrays(p.plan().outputs, p.vectors.outputs);
    os << "\n#endif\n";
  });
}

static const char checkText[] = R"(
/* Bit for bit; a NaN is as good as another. */
static long differences(const char *name, const float *got,
                        const uint32_t *wanted, long count) {
  long i, wrong = 0;
  for (i = 0; i < count; ++i) {
    uint32_t bits;
    float want;
    memcpy(&bits, &got[i], sizeof bits);
    memcpy(&want, &wanted[i], sizeof want);
    if (bits == wanted[i] || (want != want && got[i] != got[i]))
      continue;
    if (wrong++ == 0)
      printf("%s: element %ld is %.9g, not %.9g\n", name, i, (double)got[i],
             (double)want);
  }
  return wrong;
}
)";

/// Feeders and collectors: what a bench does at the ends of the streams.
static void streamProcesses(raw_ostream &os, const Project &p) {
  for (int input : p.plan().inputs) {
    const std::string &name = p.plan().wires[input].name;
    os << "\nstatic void feed_" << name << "(hls::stream<float> &fifo) {\n"
       << "  for (long i = 0; i < "
       << p.plan().rows * p.plan().wires[input].columns
       << "; ++i)\n    fifo.write(value_of_" << name << "[i]);\n}\n";
  }
  for (int output : p.plan().outputs) {
    const std::string &name = p.plan().wires[output].name;
    os << "\nstatic void collect_" << name << "(hls::stream<float> &fifo) {\n"
       << "  for (long i = 0; i < "
       << p.plan().rows * p.plan().wires[output].columns
       << "; ++i)\n    value_of_" << name << "[i] = fifo.read();\n}\n";
  }
}

std::string mezzo::hlsc::benchFile(const Project &p) {
  const Plan &plan = p.plan();
  bool isStream =
      p.isHls() && p.kernel.knobs.interface == Knobs::Interface::AxiStream;
  llvm::SmallVector<std::string> names, values;
  for (const std::vector<int> &wires : {plan.inputs, plan.outputs})
    for (int wire : wires) {
      names.push_back(plan.wires[wire].name);
      values.push_back("value_of_" + plan.wires[wire].name);
    }
  auto sizeOf = [&](int wire) {
    return std::to_string(plan.rows * plan.wires[wire].columns);
  };
  return text([&](raw_ostream &os) {
    os << generated
       << "#include \"kernel.h\"\n#include \"vectors.h\"\n\n#include "
          "<stdio.h>\n#include <string.h>\n\n"
       << "long " << plan.name << "_scale_multiplies = 0;\n\n";
    for (const std::vector<int> &wires : {plan.inputs, plan.outputs})
      for (int wire : wires)
        os << "static float value_of_" << plan.wires[wire].name << "["
           << sizeOf(wire) << "];\n";
    os << checkText;
    if (isStream)
      streamProcesses(os, p);
    os << "\nint main(void) {\n  long wrong = 0;\n";
    for (int input : plan.inputs)
      os << "  memcpy(value_of_" << plan.wires[input].name << ", bits_of_"
         << plan.wires[input].name << ", sizeof value_of_"
         << plan.wires[input].name << ");\n";
    // What is not written is NaN.
    for (int output : plan.outputs)
      os << "  memset(value_of_" << plan.wires[output].name
         << ", 0xff, sizeof value_of_" << plan.wires[output].name << ");\n";
    if (isStream) {
      os << "  {\n";
      for (const std::string &name : names)
        os << "    hls::stream<float, 2> " << name << "(\"" << name << "\");\n";
      os << "    DATAFLOW_REGION;\n";
      for (int input : plan.inputs)
        os << "    PROCESS(feed_" << plan.wires[input].name << "("
           << plan.wires[input].name << "));\n";
      os << "    PROCESS(" << plan.name << "_kernel(" << llvm::join(names, ", ")
         << "));\n";
      for (int output : plan.outputs)
        os << "    PROCESS(collect_" << plan.wires[output].name << "("
           << plan.wires[output].name << "));\n";
      os << "  }\n";
    } else {
      os << "  " << plan.name << "_kernel(" << llvm::join(values, ", ")
         << ");\n";
    }
    for (int output : plan.outputs) {
      const std::string &name = plan.wires[output].name;
      os << "  wrong += differences(\"" << name << "\", value_of_" << name
         << ", bits_of_" << name << ", " << sizeOf(output) << ");\n";
    }
    os << "#ifdef MEZZO_COUNT\n  printf(\"multiplications of scales: %ld, "
          "expected "
       << p.scaleMultiplies() << "\\n\", " << plan.name
       << "_scale_multiplies);\n  wrong += " << plan.name
       << "_scale_multiplies != " << p.scaleMultiplies()
       << ";\n#endif\n  printf(\"%s\\n\", wrong ? \"FAIL\" : \"PASS\");\n"
          "  return wrong != 0;\n}\n";
  });
}
