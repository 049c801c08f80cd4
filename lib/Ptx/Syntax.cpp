//===- Syntax.cpp - A PTX module as it is written -------------------------===//

#include "lib/Ptx/Syntax.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mezzo::ptx;
using llvm::StringRef;

StringRef mezzo::ptx::nameOf(Space space) {
  switch (space) {
  case Space::Generic:
    return "generic";
  case Space::Global:
    return "global";
  case Space::Shared:
    return "shared";
  case Space::Local:
    return "local";
  case Space::Param:
    return "param";
  case Space::Const:
    return "const";
  }
  llvm_unreachable("a space without a name");
}

Type Type::parse(StringRef name) {
  if (name == "pred")
    return {Pred, 1, 1};
  unsigned lanes = name.consume_back("x2") ? 2 : 1;
  Kind kind = None;
  if (name.consume_front("bf"))
    kind = BFloat;
  else if (!name.empty())
    kind = llvm::StringSwitch<Kind>(name.take_front(1))
               .Case("b", Bits)
               .Case("u", Unsigned)
               .Case("s", Signed)
               .Case("f", Float)
               .Default(None);
  if (kind != BFloat)
    name = name.drop_front(kind == None ? 0 : 1);
  unsigned bits;
  if (kind == None || name.empty() || name[0] == '0' ||
      name.getAsInteger(10, bits))
    return {};
  bool legal = kind == BFloat ? bits == 16
               : kind == Float
                   ? bits == 16 || bits == 32 || bits == 64
                   : bits == 8 || bits == 16 || bits == 32 || bits == 64;
  // Packed pairs exist of 16-bit floats only.
  if (!legal || (lanes == 2 && (bits != 16 || kind < Float)))
    return {};
  return {kind, uint8_t(bits), uint8_t(lanes)};
}

const Kernel *Module::lookup(StringRef kernel) const {
  for (const Kernel &k : kernels)
    if (k.name == kernel)
      return &k;
  return nullptr;
}

llvm::Error mezzo::ptx::errorAt(StringRef name, unsigned line,
                                const llvm::Twine &message) {
  return llvm::createStringError(name + ":" + llvm::Twine(line) + ": " +
                                 message);
}
