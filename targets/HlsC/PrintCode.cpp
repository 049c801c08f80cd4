//===- PrintCode.cpp - EmitC ops as C that one can read -------------------===//

#include "targets/HlsC/PrintCode.h"

#include "lib/Support/Sanitize.h"
#include "targets/HlsC/CodeBuilder.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace mezzo;
using namespace mezzo::hlsc;

namespace {

/// Text, and how tightly its outermost operator binds.
struct Text {
  enum Binding {
    Choice,
    Logical,
    Compare,
    Bits,
    Shift,
    Sum,
    Product,
    Unary,
    Primary
  };
  std::string text;
  Binding binding = Primary;
};

class Printer {
public:
  explicit Printer(raw_ostream &os) : os(os) {}
  void print(ModuleOp module);

private:
  void printFunction(emitc::FuncOp function);
  void printBlock(Block &block);
  void printStatement(Operation &op);
  void printFor(emitc::ForOp loop);
  void printIf(emitc::IfOp op);
  void printAssign(emitc::AssignOp op);
  void printVariable(emitc::VariableOp op);
  std::string verbatim(emitc::VerbatimOp op);

  Text expression(Value value);
  Text expressionOf(Operation *op);
  std::string operand(Value value, Text::Binding context);
  std::string argumentsOf(ValueRange values);

  bool isInline(Operation *op);
  const std::string &name(Value value);

  raw_ostream &os;
  unsigned depth = 0;
  llvm::DenseMap<Value, std::string> names;
  llvm::StringSet<> visible;
  raw_ostream &indent() { return os.indent(2 * depth); }
};

/// Names that are handed out in a block are free again behind it.
struct Scope {
  explicit Scope(llvm::StringSet<> &visible)
      : visible(visible), before(visible) {}
  ~Scope() { visible = before; }
  llvm::StringSet<> &visible;
  llvm::StringSet<> before;
};

/// What reads or writes nothing and costs nothing: named nowhere.
bool isAtom(Operation *op) {
  return isa<emitc::ConstantOp, emitc::LiteralOp, emitc::GetGlobalOp,
             emitc::SubscriptOp>(op);
}

/// Functions with effects; all others only read.
bool isStreamAccess(Operation *op) {
  auto call = dyn_cast<emitc::CallOpaqueOp>(op);
  return call && (call.getCallee() == "pop" || call.getCallee() == "push");
}

bool writes(Operation &op) {
  if (isa<emitc::CallOpaqueOp, emitc::CallOp>(op))
    return op.getNumResults() == 0 || isStreamAccess(&op);
  return isa<emitc::AssignOp, emitc::VerbatimOp, emitc::ForOp, emitc::IfOp>(op);
}

/// A value that nobody needs, or only others of that kind.
bool isDead(Operation *op) {
  return op->getNumResults() == 1 && !isStreamAccess(op) &&
         !isa<emitc::VariableOp>(op) && llvm::all_of(op->getUsers(), isDead);
}

/// The op that prints the line in which the value of `op` stands, if it stands
/// inside of its only user.
Operation *onlyUser(Operation *op) {
  if (op->getNumResults() != 1 || !op->getResult(0).hasOneUse())
    return nullptr;
  Operation *user = *op->getResult(0).user_begin();
  return user->getBlock() == op->getBlock() ? user : nullptr;
}

} // namespace

bool Printer::isInline(Operation *op) {
  if (isAtom(op))
    return true;
  if (op->hasAttr("mezzo.let"))
    return false;
  // A subscript stands inside what loads or stores through it.
  Operation *user = onlyUser(op);
  while (user &&
         (isAtom(user) || (user->getNumResults() == 1 &&
                           !isa<emitc::VariableOp>(user) && isInline(user)))) {
    Operation *next = onlyUser(user);
    if (!next)
      return false;
    user = next;
  }
  if (!user)
    return false;
  for (Operation *between = op->getNextNode(); between != user;
       between = between->getNextNode())
    if (writes(*between))
      return false;
  return true;
}

const std::string &Printer::name(Value value) {
  std::string &given = names[value];
  if (!given.empty())
    return given;
  StringRef wanted = "t";
  if (auto named = dyn_cast<NameLoc>(value.getLoc()))
    wanted = named.getName();
  std::string stem = toIdentifier(wanted);
  given = stem;
  for (unsigned count = 2; !visible.insert(given).second; ++count)
    given = stem + "_" + std::to_string(count);
  return given;
}

std::string Printer::operand(Value value, Text::Binding context) {
  Text text = expression(value);
  // Compilers warn of `a & b + c` and its like: only sums and products stand
  // in each other without parentheses.
  bool plain = text.binding >= Text::Unary ||
               (text.binding >= Text::Sum && context >= Text::Sum &&
                text.binding >= context) ||
               (context == Text::Compare && text.binding >= Text::Sum) ||
               context == Text::Choice;
  return plain ? text.text : "(" + text.text + ")";
}

std::string Printer::argumentsOf(ValueRange values) {
  SmallVector<std::string> texts;
  for (Value value : values)
    texts.push_back(expression(value).text);
  return "(" + llvm::join(texts, ", ") + ")";
}

Text Printer::expression(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<emitc::VariableOp>(op) || !isInline(op))
    return {name(value), Text::Primary};
  return expressionOf(op);
}

static std::string floatText(APFloat value) {
  if (value.isInfinity())
    return value.isNegative() ? "-INFINITY" : "INFINITY";
  if (value.isNaN())
    return "NAN";
  SmallString<32> text;
  llvm::raw_svector_ostream(text)
      << llvm::format("%.9g", value.convertToDouble());
  if (text.find_first_of(".e") == StringRef::npos)
    text += ".0";
  return (text + "f").str();
}

static std::string constantText(emitc::ConstantOp op) {
  if (auto opaque = dyn_cast<emitc::OpaqueAttr>(op.getValue()))
    return opaque.getValue().str();
  if (auto real = dyn_cast<FloatAttr>(op.getValue()))
    return floatText(real.getValue());
  auto integer = cast<IntegerAttr>(op.getValue());
  bool isUnsigned = integer.getType().isUnsignedInteger();
  SmallString<16> text;
  integer.getValue().toString(text, 10, !isUnsigned);
  bool isLong = integer.getType().getIntOrFloatBitWidth() > 32;
  if (!isUnsigned && isLong)
    text += "ll"; // a shift is as wide as what is shifted
  if (isUnsigned)
    text += isLong ? "ull" : "u";
  return text.str().str();
}

/// The operator of a binary op, and how it binds.
static std::optional<std::pair<StringRef, Text::Binding>>
operatorOf(Operation *op) {
  using Result = std::optional<std::pair<StringRef, Text::Binding>>;
  static const StringRef comparisons[] = {
      "==", "!=", "<", "<=", ">", ">=", "<=>"};
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([](emitc::AddOp) { return Result({"+", Text::Sum}); })
      .Case([](emitc::SubOp) { return Result({"-", Text::Sum}); })
      .Case([](emitc::MulOp) { return Result({"*", Text::Product}); })
      .Case([](emitc::DivOp) { return Result({"/", Text::Product}); })
      .Case([](emitc::RemOp) { return Result({"%", Text::Product}); })
      .Case([](emitc::BitwiseAndOp) { return Result({"&", Text::Bits}); })
      .Case([](emitc::BitwiseOrOp) { return Result({"|", Text::Bits}); })
      .Case([](emitc::BitwiseXorOp) { return Result({"^", Text::Bits}); })
      .Case(
          [](emitc::BitwiseLeftShiftOp) { return Result({"<<", Text::Shift}); })
      .Case([](emitc::BitwiseRightShiftOp) {
        return Result({">>", Text::Shift});
      })
      .Case([](emitc::LogicalAndOp) { return Result({"&&", Text::Logical}); })
      .Case([](emitc::LogicalOrOp) { return Result({"||", Text::Logical}); })
      .Case([](emitc::CmpOp compare) {
        return Result(
            {comparisons[int(compare.getPredicate())], Text::Compare});
      })
      .Default([](Operation *) { return std::nullopt; });
}

Text Printer::expressionOf(Operation *op) {
  if (auto binary = operatorOf(op)) {
    auto [symbol, binding] = *binary;
    // The right operand of a difference binds tighter than the left one.
    auto right = binding == Text::Sum || binding == Text::Product
                     ? Text::Binding(binding + 1)
                     : binding;
    return {operand(op->getOperand(0), binding) + " " + symbol.str() + " " +
                operand(op->getOperand(1), right),
            binding};
  }
  return llvm::TypeSwitch<Operation *, Text>(op)
      .Case([](emitc::ConstantOp constant) -> Text {
        std::string text = constantText(constant);
        bool negative = text[0] == '-';
        return {text, negative ? Text::Unary : Text::Primary};
      })
      .Case([](emitc::LiteralOp literal) -> Text {
        return {literal.getValue().str()};
      })
      .Case([](emitc::GetGlobalOp global) -> Text {
        return {global.getName().str()};
      })
      .Case([&](emitc::LoadOp load) { return expression(load.getOperand()); })
      .Case([&](emitc::SubscriptOp subscript) -> Text {
        std::string text = expression(subscript.getValue()).text;
        for (Value index : subscript.getIndices())
          text += "[" + expression(index).text + "]";
        return {text};
      })
      .Case([&](emitc::CastOp cast) -> Text {
        return {"(" + CodeBuilder::spell(cast.getType()) + ")" +
                    operand(cast.getOperand(), Text::Unary),
                Text::Unary};
      })
      .Case([&](emitc::UnaryMinusOp minus) -> Text {
        Text inner = expression(minus.getOperand());
        bool plain = inner.binding == Text::Primary;
        return {plain ? "-" + inner.text : "-(" + inner.text + ")",
                Text::Unary};
      })
      .Case([&](emitc::LogicalNotOp invert) -> Text {
        return {"!" + operand(invert.getOperand(), Text::Unary), Text::Unary};
      })
      .Case([&](emitc::ConditionalOp choice) -> Text {
        return {operand(choice.getCondition(), Text::Compare) + " ? " +
                    operand(choice.getTrueValue(), Text::Compare) + " : " +
                    operand(choice.getFalseValue(), Text::Compare),
                Text::Choice};
      })
      .Case([&](emitc::CallOpaqueOp call) -> Text {
        return {call.getCallee().str() + argumentsOf(call.getOperands())};
      })
      .Case([&](emitc::CallOp call) -> Text {
        return {call.getCallee().str() + argumentsOf(call.getOperands())};
      })
      .Default([](Operation *other) -> Text {
        llvm::report_fatal_error("cannot print " +
                                 other->getName().getStringRef());
      });
}

/// `float x[4][2]` or `float x`.
static std::string declaration(Type type, StringRef name) {
  auto array = dyn_cast<emitc::ArrayType>(type);
  if (!array) {
    std::string text = CodeBuilder::spell(type);
    return text + (StringRef(text).ends_with("&") ? "" : " ") + name.str();
  }
  std::string text =
      CodeBuilder::spell(array.getElementType()) + " " + name.str();
  for (int64_t size : array.getShape())
    text += "[" + std::to_string(size) + "]";
  return text;
}

/// The assignment that follows a variable without a value: it is declared with
/// that one.
static emitc::AssignOp firstValue(emitc::VariableOp op) {
  auto opaque = dyn_cast<emitc::OpaqueAttr>(op.getValue());
  auto assign = dyn_cast_or_null<emitc::AssignOp>(op->getNextNode());
  bool isFirst = opaque && opaque.getValue().empty() && assign &&
                 assign.getVar() == op.getResult();
  return isFirst ? assign : emitc::AssignOp();
}

void Printer::printVariable(emitc::VariableOp op) {
  Type type = op.getType();
  if (auto lvalue = dyn_cast<emitc::LValueType>(type))
    type = lvalue.getValueType();
  std::string initial;
  if (auto opaque = dyn_cast<emitc::OpaqueAttr>(op.getValue()))
    initial = opaque.getValue();
  std::string text = declaration(type, name(op.getResult()));
  if (emitc::AssignOp first = firstValue(op))
    initial = expression(first.getValue()).text;
  indent() << text << (initial.empty() ? "" : " = " + initial) << ";\n";
}

void Printer::printAssign(emitc::AssignOp op) {
  if (auto variable = op.getVar().getDefiningOp<emitc::VariableOp>())
    if (firstValue(variable) == op)
      return;
  std::string target = expression(op.getVar()).text;
  // x = x + y is x += y, and so with minus.
  Operation *sum = op.getValue().getDefiningOp();
  if (sum && isa<emitc::AddOp, emitc::SubOp>(sum) && isInline(sum) &&
      expression(sum->getOperand(0)).text == target) {
    indent() << target << (isa<emitc::AddOp>(sum) ? " += " : " -= ")
             << operand(sum->getOperand(1), Text::Product) << ";\n";
    return;
  }
  indent() << target << " = " << expression(op.getValue()).text << ";\n";
}

void Printer::printFor(emitc::ForOp loop) {
  Scope scope(visible);
  std::string variable = name(loop.getInductionVar());
  indent() << "for (" << CodeBuilder::spell(loop.getInductionVar().getType())
           << " " << variable << " = " << expression(loop.getLowerBound()).text
           << "; " << variable << " < "
           << operand(loop.getUpperBound(), Text::Compare) << "; ++" << variable
           << ") {\n";
  printBlock(*loop.getBody());
  indent() << "}\n";
}

void Printer::printIf(emitc::IfOp op) {
  indent() << "if (" << expression(op.getCondition()).text << ") {\n";
  printBlock(op.getThenRegion().front());
  if (!op.getElseRegion().empty()) {
    indent() << "} else {\n";
    printBlock(op.getElseRegion().front());
  }
  indent() << "}\n";
}

std::string Printer::verbatim(emitc::VerbatimOp op) {
  if (op.getFmtArgs().empty())
    return op.getValue().str();
  std::string text;
  unsigned argument = 0;
  SmallVector<emitc::ReplacementItem> items = *op.parseFormatString();
  for (emitc::ReplacementItem &item : items) {
    if (auto *piece = std::get_if<StringRef>(&item))
      text += *piece;
    else
      text += expression(op.getFmtArgs()[argument++]).text;
  }
  return text;
}

void Printer::printStatement(Operation &op) {
  llvm::TypeSwitch<Operation *>(&op)
      .Case([&](emitc::VariableOp variable) { printVariable(variable); })
      .Case([&](emitc::AssignOp assign) { printAssign(assign); })
      .Case([&](emitc::ForOp loop) { printFor(loop); })
      .Case([&](emitc::IfOp branch) { printIf(branch); })
      .Case([&](emitc::VerbatimOp lines) {
        std::string text = verbatim(lines);
        bool atMargin = text.empty() || text[0] == '#';
        (atMargin ? os : indent()) << text << "\n";
      })
      .Case([&](emitc::ReturnOp give) {
        if (give.getOperand())
          indent() << "return " << expression(give.getOperand()).text << ";\n";
      })
      .Case<emitc::YieldOp>([](auto) {})
      .Default([&](Operation *other) {
        if (other->getNumResults() == 0) {
          indent() << expressionOf(other).text << ";\n";
        } else if (!isInline(other) && !isDead(other)) {
          std::string text = expressionOf(other).text;
          indent() << "const "
                   << declaration(other->getResult(0).getType(),
                                  name(other->getResult(0)))
                   << " = " << text << ";\n";
        }
      });
}

void Printer::printBlock(Block &block) {
  Scope scope(visible);
  ++depth;
  for (Operation &op : block)
    printStatement(op);
  --depth;
}

/// Scalars, and arrays that are not written; but C99 has no way from an array
/// of arrays to one of constant arrays.
static bool isConst(emitc::FuncOp function, BlockArgument argument) {
  if (auto array = dyn_cast<emitc::ArrayType>(argument.getType()))
    return array.getRank() == 1 &&
           function.getArgAttr(argument.getArgNumber(), constAttrName());
  auto opaque = dyn_cast<emitc::OpaqueType>(argument.getType());
  return !opaque || !opaque.getValue().ends_with("&");
}

void Printer::printFunction(emitc::FuncOp function) {
  Scope scope(visible);
  if (ArrayAttr specifiers = function.getSpecifiersAttr())
    for (auto word : specifiers.getAsRange<StringAttr>())
      os << word.getValue() << " ";
  ArrayRef<Type> results = function.getFunctionType().getResults();
  os << (results.empty() ? "void" : CodeBuilder::spell(results[0])) << " "
     << function.getName() << "(";
  for (BlockArgument argument : function.getArguments()) {
    if (argument.getArgNumber())
      os << ", ";
    if (isConst(function, argument))
      os << "const ";
    os << declaration(argument.getType(), name(argument));
  }
  os << (function.getNumArguments() ? ") {\n" : "void) {\n");
  printBlock(function.getBody().front());
  os << "}\n";
}

void Printer::print(ModuleOp module) {
  for (Operation &op : *module.getBody()) {
    if (isa<emitc::GlobalOp>(op))
      continue;
    names.clear();
    if (auto function = dyn_cast<emitc::FuncOp>(op))
      printFunction(function);
    else
      os << verbatim(cast<emitc::VerbatimOp>(op)) << "\n";
  }
}

void mezzo::hlsc::printCode(ModuleOp module, raw_ostream &os) {
  Printer(os).print(module);
}
