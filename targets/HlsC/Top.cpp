//===- Top.cpp - the function of the whole model --------------------------===//
//
// In C, a loop over rows that calls the stages one after the other, with an
// array of one row between two of them. In HLS, a region of processes that run
// at the same time, with FIFOs between them; what is read by several is copied
// by a process of its own, since a FIFO has one reader.
//
//===----------------------------------------------------------------------===//

#include "targets/HlsC/Fifos.h"
#include "targets/HlsC/Kernel.h"

#include "llvm/ADT/StringExtras.h"

#include <map>

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;
using llvm::Twine;

static std::string topName(Kernel &k) { return k.plan.name + "_kernel"; }

//===----------------------------------------------------------------------===//
// C
//===----------------------------------------------------------------------===//

static void writeRowLoop(Kernel &k) {
  CodeBuilder &c = k.c;
  const Plan &plan = k.plan;
  c.comment("The model: " + std::to_string(plan.rows) +
            " rows, one after the other.");
  SmallVector<CodeBuilder::Parameter> parameters;
  for (int input : plan.inputs)
    parameters.push_back(
        {plan.wires[input].name,
         c.array(c.f32(), {plan.rows * plan.wires[input].columns}), true});
  for (int output : plan.outputs)
    parameters.push_back(
        {plan.wires[output].name,
         c.array(c.f32(), {plan.rows * plan.wires[output].columns})});
  llvm::StringMap<std::string> steps;
  auto isOutside = [&](const Wire &wire) {
    return wire.producer < 0 || wire.isOutput;
  };
  auto function =
      c.function(topName(k), parameters, Type(), [&](ArrayRef<Value>) {
        for (const Wire &wire : plan.wires) {
          if (isOutside(wire))
            continue;
          std::string shape;
          for (int64_t size : k.rowShape(wire))
            shape += "[" + std::to_string(size) + "]";
          c.line("static " + CodeBuilder::spell(k.elementType(wire)) + " " +
                 wire.name + shape + ";");
          if (wire.hasStep())
            c.line(
                "static float " +
                steps.try_emplace(wire.name, k.names.get(wire.name + "_step"))
                    .first->second +
                "[1];");
        }
        c.loop("row", plan.rows, [&](Expr row) {
          for (auto [stage, called] : llvm::zip(plan.stages, k.functions)) {
            SmallVector<std::string> arguments;
            SmallVector<Value> rows;
            auto pass = [&](const Wire &wire) {
              if (isOutside(wire)) {
                arguments.push_back("&" + wire.name + "[{} * " +
                                    std::to_string(wire.columns) + "]");
                rows.push_back(row.value);
                return;
              }
              arguments.push_back(wire.name);
              if (wire.hasStep())
                arguments.push_back(steps[wire.name]);
            };
            for (int input : stage.inputs)
              pass(plan.wires[input]);
            pass(plan.wires[stage.output]);
            c.line(called.getName() + "(" + llvm::join(arguments, ", ") + ");",
                   rows);
          }
        });
      });
  function.removeSpecifiersAttr();
}

//===----------------------------------------------------------------------===//
// HLS
//===----------------------------------------------------------------------===//

namespace {

/// The two FIFOs that a wire is, at one of its ends: rows, and their scales.
struct End {
  std::string rows, steps;
};

class RegionWriter {
public:
  explicit RegionWriter(Kernel &k) : k(k), c(k.c), plan(k.plan) {}
  void run();

private:
  bool isMemory() const { return k.knobs.interface == Knobs::Interface::MAxi; }
  /// Who reads a wire: stages, and -1 for the output of the model.
  SmallVector<int> readersOf(int wire) const;
  /// The FIFO at the producer's end of a wire, and at that of a reader.
  const End &producerEnd(int wire);
  const End &readerEnd(int wire, int reader);
  /// Hands out names that nothing else has.
  const End &end(int wire, int which, const Twine &name);
  void declare(int wire, const End &end, int64_t rows);
  void pass(SmallVectorImpl<std::string> &arguments, int wire, const End &end);
  void declareFifos();
  void callStage(unsigned index);
  void callSplit(int wire);

  void writeSplit(int wire);
  void writeMover(int wire, bool isRead);

  Kernel &k;
  CodeBuilder &c;
  const Plan &plan;
  llvm::DenseMap<int, emitc::FuncOp> splits, movers;
  std::map<std::pair<int, int>, End> ends; ///< by wire; reader or -2
};

} // namespace

SmallVector<int> RegionWriter::readersOf(int wire) const {
  SmallVector<int> readers(ArrayRef<int>(plan.wires[wire].consumers));
  if (plan.wires[wire].isOutput)
    readers.push_back(-1);
  return readers;
}

const End &RegionWriter::end(int wire, int which, const Twine &name) {
  End &end = ends[{wire, which}];
  if (!end.rows.empty())
    return end;
  const Wire &w = plan.wires[wire];
  end.rows = name.str() == w.name ? w.name : k.names.get(name.str());
  if (w.hasStep())
    end.steps = k.names.get(end.rows + "_step");
  return end;
}

const End &RegionWriter::producerEnd(int wire) {
  const Wire &w = plan.wires[wire];
  bool isPort = w.producer < 0 || (w.isOutput && readersOf(wire).size() == 1);
  return end(wire, -2,
             w.name + (isPort && isMemory()    ? "_rows"
                       : !isPort && w.isOutput ? "_made"
                                               : ""));
}

const End &RegionWriter::readerEnd(int wire, int reader) {
  const Wire &w = plan.wires[wire];
  if (readersOf(wire).size() == 1)
    return producerEnd(wire);
  if (reader < 0)
    return end(wire, -1, w.name + (isMemory() ? "_rows" : ""));
  return end(wire, reader, w.name + "_to_" + plan.stages[reader].name);
}

void RegionWriter::declare(int wire, const End &end, int64_t rows) {
  const Wire &w = plan.wires[wire];
  int64_t depth = std::max<int64_t>(2, rows * k.rowElements(w));
  auto one = [&](Type element, const std::string &fifo, int64_t depth) {
    c.line("hls::stream<" + CodeBuilder::spell(element) + ", " + Twine(depth) +
           "> " + fifo + "(\"" + fifo + "\");");
  };
  one(k.elementType(w), end.rows, depth);
  if (!end.steps.empty())
    one(c.f32(), end.steps, 2 + rows);
}

void RegionWriter::pass(SmallVectorImpl<std::string> &arguments, int wire,
                        const End &end) {
  arguments.push_back(end.rows);
  if (!end.steps.empty())
    arguments.push_back(end.steps);
}

void RegionWriter::declareFifos() {
  for (int wire = 0; wire < int(plan.wires.size()); ++wire) {
    const Wire &w = plan.wires[wire];
    SmallVector<int> readers = readersOf(wire);
    auto depthOf = [&](int reader) {
      return reader < 0 ? 0 : rowsHeld(plan, wire, reader);
    };
    bool isPort =
        !isMemory() && (w.producer < 0 || (w.isOutput && readers.size() == 1));
    if (!isPort)
      declare(wire, producerEnd(wire),
              readers.size() == 1 ? depthOf(readers[0]) : 0);
    if (readers.size() == 1)
      continue;
    for (int reader : readers)
      if (reader >= 0 || isMemory())
        declare(wire, readerEnd(wire, reader), depthOf(reader));
  }
}

/// A process that copies what it reads to every reader.
void RegionWriter::writeSplit(int wire) {
  const Wire &w = plan.wires[wire];
  unsigned copies = readersOf(wire).size();
  c.comment("One copy of " + w.name + " for every reader.");
  SmallVector<CodeBuilder::Parameter> parameters;
  k.addParameters(parameters, w, "x", /*isInput=*/true);
  for (unsigned copy = 0; copy < copies; ++copy)
    k.addParameters(parameters, w, "copy" + std::to_string(copy),
                    /*isInput=*/false);
  bool hasStep = w.hasStep();
  splits[wire] = c.function(k.names.get("split_" + w.name), parameters, Type(),
                            [&](ArrayRef<Value> in) {
                              unsigned stride = hasStep ? 2 : 1;
                              auto copy = [&](unsigned offset) {
                                Expr value = c.let("value", c.pop(in[offset]));
                                for (unsigned to = 1; to <= copies; ++to)
                                  c.push(in[to * stride + offset], value);
                              };
                              k.forRows([&] {
                                if (hasStep)
                                  copy(1);
                                c.loop("i", k.rowElements(w), [&](Expr) {
                                  c.pipeline();
                                  copy(0);
                                });
                              });
                            });
  c.blank();
}

/// A process between memory and a FIFO.
void RegionWriter::writeMover(int wire, bool isRead) {
  const Wire &w = plan.wires[wire];
  int64_t count = plan.rows * w.columns;
  c.comment((isRead ? "Memory to FIFO: " : "FIFO to memory: ") + w.name + ".");
  CodeBuilder::Parameter memory{"memory", c.array(c.f32(), {count}), isRead},
      fifo{"fifo", c.stream(c.f32())};
  movers[wire] = c.function(k.names.get((isRead ? "read_" : "write_") + w.name),
                            {memory, fifo}, Type(), [&](ArrayRef<Value> in) {
                              c.loop("i", count, [&](Expr i) {
                                c.pipeline();
                                if (isRead)
                                  c.push(in[1], c.element(in[0], {i}));
                                else
                                  c.element(in[0], {i}) = c.pop(in[1]);
                              });
                            });
  c.blank();
}

void RegionWriter::callStage(unsigned index) {
  const Stage &stage = plan.stages[index];
  SmallVector<std::string> arguments;
  for (int input : stage.inputs)
    pass(arguments, input, readerEnd(input, index));
  pass(arguments, stage.output, producerEnd(stage.output));
  c.line("PROCESS(" + k.functions[index].getName() + "(" +
         llvm::join(arguments, ", ") + "));");
  callSplit(stage.output);
}

void RegionWriter::callSplit(int wire) {
  auto found = splits.find(wire);
  if (found == splits.end())
    return;
  SmallVector<std::string> arguments;
  pass(arguments, wire, producerEnd(wire));
  for (int reader : readersOf(wire))
    pass(arguments, wire, readerEnd(wire, reader));
  c.line("PROCESS(" + found->second.getName() + "(" +
         llvm::join(arguments, ", ") + "));");
}

void RegionWriter::run() {
  for (int wire = 0; wire < int(plan.wires.size()); ++wire)
    if (readersOf(wire).size() > 1)
      writeSplit(wire);
  SmallVector<CodeBuilder::Parameter> parameters;
  auto port = [&](int wire, bool isInput) {
    const Wire &w = plan.wires[wire];
    if (isMemory())
      writeMover(wire, isInput);
    parameters.push_back({w.name,
                          isMemory() ? c.array(c.f32(), {plan.rows * w.columns})
                                     : c.stream(c.f32()),
                          isInput && isMemory()});
  };
  for (int input : plan.inputs)
    port(input, true);
  for (int output : plan.outputs)
    port(output, false);

  c.comment("The model: " + std::to_string(plan.rows) +
            " rows through processes that run at the same time.");
  auto top = c.function(topName(k), parameters, Type(), [&](ArrayRef<Value>) {
    for (auto [index, parameter] : llvm::enumerate(parameters))
      c.line("#pragma HLS INTERFACE mode=" +
             (isMemory() ? "m_axi port=" + Twine(parameter.name) +
                               " offset=slave bundle=gmem" + Twine(index)
                         : "axis port=" + Twine(parameter.name)));
    c.line("#pragma HLS INTERFACE mode=s_axilite port=return");
    c.line("#pragma HLS DATAFLOW");
    declareFifos();
    c.line("DATAFLOW_REGION;");
    for (int input : plan.inputs) {
      if (isMemory())
        c.line("PROCESS(" + movers[input].getName() + "(" +
               plan.wires[input].name + ", " + producerEnd(input).rows + "));");
      callSplit(input);
    }
    for (unsigned index = 0; index < plan.stages.size(); ++index)
      callStage(index);
    if (isMemory())
      for (int output : plan.outputs)
        c.line("PROCESS(" + movers[output].getName() + "(" +
               plan.wires[output].name + ", " + readerEnd(output, -1).rows +
               "));");
  });
  top.removeSpecifiersAttr();
}

void mezzo::hlsc::writeTop(Kernel &k) {
  if (k.c.isHls())
    RegionWriter(k).run();
  else
    writeRowLoop(k);
}
