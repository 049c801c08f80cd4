//===- Parser.cpp - PTX tokens to a module --------------------------------===//
//
// A recursive descent over the tokens. Registers and variables are scoped as in
// C (inline assembly opens braces of its own), labels belong to the kernel.
//
//===----------------------------------------------------------------------===//

#include "lib/Ptx/TokenCursor.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mezzo::ptx;
using llvm::Error;
using llvm::StringRef;
using llvm::Twine;

namespace {

class Parser : TokenCursor {
public:
  Parser(std::vector<Token> tokens, StringRef name)
      : TokenCursor(std::move(tokens), name.str()) {
    module.name = name.str();
  }

  llvm::Expected<Module> run() {
    while (peek().kind != Token::End)
      if (Error error = parseModuleItem())
        return std::move(error);
    return std::move(module);
  }

private:
  struct Scope {
    llvm::StringMap<int32_t> registers;
    llvm::StringMap<int32_t> variables;
  };

  Module module;
  Kernel *kernel = nullptr;
  std::vector<Scope> scopes;
  llvm::StringMap<uint64_t> labels;
  std::vector<bool> referenced; ///< Per variable of the kernel.

  // The module.

  Error parseModuleItem() {
    if (accept(".version")) {
      module.version = next().text.str();
      return Error::success();
    }
    if (accept(".target")) {
      module.target = next().text.str();
      while (accept(','))
        next();
      return Error::success();
    }
    if (accept(".address_size")) {
      uint64_t bits;
      if (Error error = expectInteger(bits))
        return error;
      return bits == 64 ? Error::success()
                        : fail("addresses of " + Twine(bits) +
                               " bits are not executed, only of 64");
    }
    if (peek().isDirective(".file") || peek().isDirective(".loc")) {
      skipLine();
      return Error::success();
    }
    if (accept(".section"))
      return skipBraces();
    while (accept(".visible") || accept(".extern") || accept(".weak") ||
           accept(".common"))
      ;
    if (accept(".entry"))
      return parseKernel();
    if (accept(".func"))
      return fail("a function that is not a kernel: only code whose calls are "
                  "inlined is executed");
    Space space;
    if (acceptSpace(space) && space != Space::Param)
      return parseVariables(space, module.variables);
    return fail("expected a kernel or a variable before '" + peek().text + "'");
  }

  bool acceptSpace(Space &space) {
    for (Space s : {Space::Global, Space::Shared, Space::Local, Space::Param,
                    Space::Const})
      if (accept(("." + nameOf(s)).str())) {
        space = s;
        return true;
      }
    return false;
  }

  /// `.align 16 .b8 name[64] = {...}, other;`
  Error parseVariables(Space space, std::vector<Variable> &into) {
    uint64_t align = 0;
    Type type;
    if (Error error = parseTypeAndAlign(type, align))
      return error;
    do {
      Variable variable;
      variable.space = space;
      if (Error error = parseDeclarator(type, align, variable))
        return error;
      if (accept('='))
        if (Error error = parseInitializer(type, variable))
          return error;
      declare(into, std::move(variable));
    } while (accept(','));
    return expect(';');
  }

  void declare(std::vector<Variable> &into, Variable variable) {
    if (kernel) {
      scopes.back().variables[variable.name] = into.size();
      referenced.push_back(variable.space == Space::Param);
    }
    into.push_back(std::move(variable));
  }

  Error parseTypeAndAlign(Type &type, uint64_t &align) {
    while (peek().kind == Token::Directive) {
      if (accept(".align")) {
        if (Error error = expectInteger(align))
          return error;
        if (!llvm::isPowerOf2_64(align))
          return fail("an alignment of " + Twine(align) +
                      " bytes is no power of two");
        continue;
      }
      Space pointee;
      if (accept(".ptr") || acceptSpace(pointee))
        continue;
      type = Type::parse(peek().text.drop_front());
      if (type.kind == Type::None)
        return fail("unknown type '" + peek().text + "'");
      next();
    }
    return type.kind == Type::None ? fail("a declaration without a type")
                                   : Error::success();
  }

  Error parseDeclarator(Type type, uint64_t align, Variable &variable) {
    if (peek().kind != Token::Word)
      return fail("expected a name before '" + peek().text + "'");
    variable.name = next().text.str();
    variable.align = std::max<uint64_t>(align, type.bytes());
    variable.size = type.bytes();
    while (accept('[')) {
      uint64_t extent = 0;
      if (!peek().is(']'))
        if (Error error = expectInteger(extent))
          return error;
      variable.size *= extent;
      if (Error error = expect(']'))
        return error;
    }
    return Error::success();
  }

  Error parseInitializer(Type type, Variable &variable) {
    bool braces = accept('{');
    do {
      bool negative = accept('-');
      const Token &token = next();
      if (token.kind < Token::Integer || token.kind > Token::Float64)
        return fail("an initializer that is no number: '" + token.text + "'");
      uint64_t bits = negative ? -token.bits : token.bits;
      for (unsigned byte = 0; byte < type.bytes(); ++byte)
        variable.init.push_back(uint8_t(bits >> (8 * byte)));
    } while (braces && accept(','));
    if (variable.init.size() > variable.size)
      return fail("more initial values than '" + variable.name + "' holds");
    variable.init.resize(variable.size);
    return braces ? expect('}') : Error::success();
  }

  // A kernel.

  Error parseKernel() {
    module.kernels.emplace_back();
    kernel = &module.kernels.back();
    kernel->line = peek().line;
    kernel->name = next().text.str();
    scopes.assign(1, {});
    labels.clear();
    referenced.clear();
    for (const Variable &variable : module.variables)
      declare(kernel->variables, variable);
    if (Error error = parseParameters())
      return error;
    if (Error error = parseLimits())
      return error;
    if (Error error = expect('{'))
      return error;
    if (Error error = parseBody())
      return error;
    if (Error error = resolveLabels())
      return error;
    placeVariables();
    kernel = nullptr;
    return Error::success();
  }

  Error parseParameters() {
    if (!accept('('))
      return Error::success();
    if (accept(')'))
      return Error::success();
    do {
      if (!accept(".param"))
        return fail("expected '.param' before '" + peek().text + "'");
      Type type;
      uint64_t align = 0;
      if (Error error = parseTypeAndAlign(type, align))
        return error;
      Variable variable;
      variable.space = Space::Param;
      if (Error error = parseDeclarator(type, align, variable))
        return error;
      kernel->params.push_back(kernel->variables.size());
      declare(kernel->variables, std::move(variable));
    } while (accept(','));
    return expect(')');
  }

  Error parseLimits() {
    while (peek().kind == Token::Directive) {
      bool required = peek().isDirective(".reqntid");
      if (required || peek().isDirective(".maxntid")) {
        next();
        unsigned *extents =
            required ? kernel->requiredThreads : kernel->maxThreads;
        std::fill(extents, extents + 3, 1);
        unsigned axis = 0;
        do {
          uint64_t extent;
          if (Error error = expectInteger(extent))
            return error;
          if (axis == 3)
            return fail("more than three extents of a block");
          extents[axis++] = extent;
        } while (accept(','));
        continue;
      }
      if (accept(".minnctapersm") || accept(".maxnreg")) {
        uint64_t ignored; // Hints to the assembler.
        if (Error error = expectInteger(ignored))
          return error;
        continue;
      }
      if (accept(".pragma")) {
        next();
        if (Error error = expect(';'))
          return error;
        continue;
      }
      return fail("'" + peek().text + "' of a kernel is not executed");
    }
    return Error::success();
  }

  Error parseBody() {
    while (true) {
      if (accept('{')) {
        scopes.emplace_back();
        continue;
      }
      if (accept('}')) {
        if (scopes.size() == 1)
          return Error::success();
        scopes.pop_back();
        continue;
      }
      if (Error error = parseStatement())
        return error;
    }
  }

  Error parseStatement() {
    const Token &token = peek();
    if (token.kind == Token::End)
      return fail("kernel '" + kernel->name + "' does not end");
    if (token.kind == Token::Directive)
      return parseDirective();
    if (token.kind == Token::Word && peek(1).is(':') && !peek(2).is(':')) {
      if (!labels.try_emplace(token.text, kernel->instructions.size()).second)
        return fail("label '" + token.text + "' is defined twice");
      next();
      next();
      return Error::success();
    }
    return parseInstruction();
  }

  Error parseDirective() {
    if (peek().isDirective(".loc") || peek().isDirective(".file")) {
      skipLine();
      return Error::success();
    }
    if (accept(".pragma")) {
      next();
      return expect(';');
    }
    if (accept(".reg"))
      return parseRegisters();
    Space space;
    if (acceptSpace(space)) {
      if (space == Space::Param)
        return fail("a parameter of a call: only code whose calls are inlined "
                    "is executed");
      return parseVariables(space, kernel->variables);
    }
    return fail("unknown directive '" + peek().text + "'");
  }

  /// `.reg .b32 %r<12>;` and `.reg .f32 a, b;`
  Error parseRegisters() {
    Type type = Type::parse(peek().text.drop_front());
    if (peek().kind != Token::Directive || type.kind == Type::None)
      return fail("unknown type of registers '" + peek().text + "'");
    next();
    do {
      if (peek().kind != Token::Word)
        return fail("expected a register before '" + peek().text + "'");
      StringRef name = next().text;
      if (accept('<')) {
        uint64_t count;
        if (Error error = expectInteger(count))
          return error;
        if (Error error = expect('>'))
          return error;
        if (count > (1u << 20))
          return fail("too many registers: " + Twine(count));
        for (uint64_t i = 0; i < count; ++i)
          declareRegister((name + Twine(i)).str(), type);
      } else {
        declareRegister(name.str(), type);
      }
    } while (accept(','));
    return expect(';');
  }

  void declareRegister(std::string name, Type type) {
    scopes.back().registers[name] = kernel->registers.size();
    kernel->registers.push_back({std::move(name), type});
  }

  int32_t lookupRegister(StringRef name) const {
    for (const Scope &scope : llvm::reverse(scopes))
      if (auto it = scope.registers.find(name); it != scope.registers.end())
        return it->second;
    return -1;
  }

  int32_t lookupVariable(StringRef name) {
    for (const Scope &scope : llvm::reverse(scopes))
      if (auto it = scope.variables.find(name); it != scope.variables.end()) {
        referenced[it->second] = true;
        return it->second;
      }
    return -1;
  }

  // An instruction.

  Error parseInstruction() {
    Instruction instruction;
    instruction.line = peek().line;
    if (accept('@')) {
      instruction.guardNegated = accept('!');
      instruction.guard = lookupRegister(peek().text);
      if (instruction.guard < 0)
        return fail("unknown predicate '" + peek().text + "'");
      next();
    }
    if (peek().kind != Token::Word)
      return fail("expected an instruction before '" + peek().text + "'");
    StringRef opcode = next().text;
    const char *begin = opcode.data();
    llvm::SmallVector<StringRef, 6> words;
    // mma's shapes follow `::` in some modifiers: .L1::no_allocate is one word.
    opcode.split(words, '.');
    while (peek().is(':') && peek(1).is(':')) {
      next();
      next();
      llvm::SmallVector<StringRef, 6> more;
      next().text.split(more, '.');
      words.append(more.begin(), more.end());
    }
    for (StringRef word : words)
      instruction.words.push_back(word.str());
    if (!peek().is(';'))
      do {
        instruction.operands.emplace_back();
        if (Error error = parseOperand(instruction.operands.back()))
          return error;
      } while (accept(','));
    const Token &semicolon = peek();
    if (Error error = expect(';'))
      return error;
    instruction.text.assign(begin, semicolon.text.data());
    kernel->instructions.push_back(std::move(instruction));
    return Error::success();
  }

  Error parseOperand(Operand &operand) {
    if (accept('!')) {
      if (Error error = parseOperand(operand))
        return error;
      operand.negated = true;
      return Error::success();
    }
    if (accept('{'))
      return parseVector(operand);
    if (accept('['))
      return parseAddress(operand);
    if (peek().kind == Token::Word)
      return parseName(operand);
    return parseLiteral(operand);
  }

  Error parseVector(Operand &operand) {
    operand.kind = Operand::Vector;
    do {
      operand.parts.emplace_back();
      if (Error error = parseOperand(operand.parts.back()))
        return error;
    } while (accept(','));
    return expect('}');
  }

  Error parseLiteral(Operand &operand) {
    operand.kind = Operand::Immediate;
    bool negative = accept('-');
    const Token &token = peek();
    switch (token.kind) {
    case Token::Integer:
      operand.literal = Operand::Integer;
      operand.imm = negative ? -token.bits : token.bits;
      break;
    case Token::Float32:
      operand.literal = Operand::F32;
      operand.imm = token.bits ^ (negative ? 1ull << 31 : 0);
      break;
    case Token::Float64:
      operand.literal = Operand::F64;
      operand.imm = token.bits ^ (negative ? 1ull << 63 : 0);
      break;
    default:
      return fail("expected an operand before '" + token.text + "'");
    }
    next();
    return Error::success();
  }

  Error parseName(Operand &operand) {
    StringRef name = next().text;
    operand.name = name.str();
    if (name == "_") {
      operand.kind = Operand::Sink;
    } else if (int32_t reg = lookupRegister(name); reg >= 0) {
      operand.kind = Operand::Register;
      operand.reg = reg;
    } else if (name == "WARP_SZ") {
      operand.kind = Operand::Immediate;
      operand.imm = 32;
    } else if (name.starts_with("%")) {
      operand.kind = Operand::Special;
    } else if (int32_t variable = lookupVariable(name); variable >= 0) {
      operand.kind = Operand::Symbol;
      operand.variable = variable;
      if (accept('+'))
        return expectInteger(operand.imm);
    } else {
      operand.kind = Operand::Label;
    }
    if (!accept('|'))
      return Error::success();
    Operand pair;
    pair.kind = Operand::Pair;
    pair.parts = {operand, {}};
    if (Error error = parseOperand(pair.parts[1]))
      return error;
    operand = std::move(pair);
    return Error::success();
  }

  /// After the bracket: [reg], [reg+8], [variable+4], [16].
  Error parseAddress(Operand &operand) {
    operand.kind = Operand::Address;
    if (peek().kind == Token::Word) {
      StringRef name = next().text;
      operand.reg = lookupRegister(name);
      operand.hasBase = operand.reg >= 0;
      if (!operand.hasBase && (operand.variable = lookupVariable(name)) < 0)
        return fail("unknown address '" + name + "'");
      if (accept('+') || peek().is('-'))
        if (Error error = expectInteger(operand.imm))
          return error;
    } else if (Error error = expectInteger(operand.imm)) {
      return error;
    }
    return expect(']');
  }

  // After the last brace.

  Error resolveLabels() {
    for (Instruction &instruction : kernel->instructions)
      for (Operand &operand : instruction.operands)
        if (operand.kind == Operand::Label) {
          auto it = labels.find(operand.name);
          if (it == labels.end())
            return errorAt(module.name, instruction.line,
                           "unknown name '" + Twine(operand.name) + "'");
          operand.imm = it->second;
        }
    return Error::success();
  }

  /// Offsets of shared, local and param variables in their frames. What a
  /// kernel does not name takes no room; `extern` shared variables, whose size
  /// is the launch's, all begin where the others end.
  void placeVariables() {
    auto place = [](uint64_t &frame, Variable &variable) {
      variable.offset = llvm::alignTo(frame, variable.align);
      frame = variable.offset + variable.size;
    };
    for (auto [variable, used] : llvm::zip(kernel->variables, referenced)) {
      if (!used)
        continue;
      if (variable.space == Space::Shared && variable.size > 0)
        place(kernel->sharedBytes, variable);
      else if (variable.space == Space::Local)
        place(kernel->localBytes, variable);
      else if (variable.space == Space::Param)
        place(kernel->paramBytes, variable);
    }
    for (auto [variable, used] : llvm::zip(kernel->variables, referenced))
      if (used && variable.space == Space::Shared && variable.size == 0)
        place(kernel->sharedBytes, variable);
  }
};

} // namespace

llvm::Expected<Module> mezzo::ptx::parseModule(StringRef text, StringRef name) {
  llvm::Expected<std::vector<Token>> tokens = tokenize(text, name);
  if (!tokens)
    return tokens.takeError();
  return Parser(std::move(*tokens), name).run();
}
