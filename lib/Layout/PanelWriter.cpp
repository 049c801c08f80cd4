//===- PanelWriter.cpp - Merging code bytes into the fields of a panel ----===//

#include "lib/Layout/PanelWriter.h"
#include <algorithm>
#include <cstring>

using namespace mezzo;

// Vectors of 16 bytes: what every machine that compiles models has.
using Words = uint32_t __attribute__((vector_size(16)));
using Halves = uint16_t __attribute__((vector_size(16)));

static Words load(const uint8_t *p) {
  Words v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// Four rows of four int32 become four columns.
static void transpose(Words (&m)[4]) {
  Words a = __builtin_shufflevector(m[0], m[1], 0, 4, 1, 5);
  Words b = __builtin_shufflevector(m[2], m[3], 0, 4, 1, 5);
  Words c = __builtin_shufflevector(m[0], m[1], 2, 6, 3, 7);
  Words d = __builtin_shufflevector(m[2], m[3], 2, 6, 3, 7);
  m[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  m[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  m[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  m[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

namespace {

/// A field as the inner loop wants it. Shifting 16-bit lanes lets bits cross
/// between the two bytes of a lane, but never into [shift, shift + width) of
/// either: code bits end at 8, and the mask removes the rest.
struct Move {
  int64_t offset; ///< Byte offset of the vector in its step.
  uint16_t left, right;
  uint16_t mask;
};

} // namespace

static Move moveOf(const Field &f) {
  uint16_t mask = uint16_t(((1u << f.width) - 1) << f.shift);
  return {int64_t(f.unit) * PanelFields::VectorBytes,
          uint16_t(f.shift > f.codeBit ? f.shift - f.codeBit : 0),
          uint16_t(f.codeBit > f.shift ? f.codeBit - f.shift : 0),
          uint16_t(mask | mask << 8)};
}

// ORs a field of `count` consecutive steps into place.
static void orInto(uint8_t *out, int64_t stepBytes, const Words *codes,
                   int64_t count, const Move &move) {
  for (int64_t s = 0; s < count; ++s, out += stepBytes) {
    Halves v = (Halves)codes[s];
    v = ((v << move.left) >> move.right) & move.mask;
    Halves old;
    std::memcpy(&old, out, sizeof old);
    old |= v;
    std::memcpy(out, &old, sizeof old);
  }
}

void mezzo::writePanelSteps(const PanelFields &panel, const uint8_t *codes,
                            int64_t stride, int64_t rows, int64_t steps,
                            uint8_t *out) {
  int64_t stepBytes = panel.stepBytes();
  for (unsigned group = 0; group < panel.fields.size(); ++group) {
    llvm::SmallVector<Move, 8> moves;
    for (const Field &field : panel.fields[group])
      moves.push_back(moveOf(field));
    for (int64_t half = 0; half < 2; ++half) {
      int64_t row = group * 8 + half * 4;
      int64_t present = std::min<int64_t>(4, rows - row);
      for (int64_t first = 0; first < steps && present > 0; first += 4) {
        const uint8_t *at = codes + row * stride + first * 4;
        Words m[4] = {};
        if (present == 4) // The common case, without a loop.
          for (int64_t i = 0; i < 4; ++i)
            m[i] = load(at + i * stride);
        else
          for (int64_t i = 0; i < present; ++i)
            m[i] = load(at + i * stride);
        transpose(m);
        uint8_t *outStep = out + first * stepBytes + half * 16;
        int64_t count = std::min<int64_t>(4, steps - first);
        for (const Move &move : moves)
          if (count == 4)
            orInto(outStep + move.offset, stepBytes, m, 4, move);
          else
            orInto(outStep + move.offset, stepBytes, m, count, move);
      }
    }
  }
}
