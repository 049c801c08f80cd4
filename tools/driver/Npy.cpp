//===- Npy.cpp - Tensors in NumPy's file format ---------------------------===//

#include "tools/driver/Npy.h"

#include "lib/Number/Half.h"
#include "lib/Support/AtomicFile.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/FileOpen.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace mezzo;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static constexpr StringRef Magic("\x93NUMPY", 6);

/// A type in NumPy's words and in ours.
struct NamedType {
  StringRef descr, dtype;
};
static constexpr NamedType types[] = {
    {"<f4", "f32"}, {"<f2", "f16"}, {"<f8", "f64"}, {"|b1", "bool"},
    {"|i1", "i8"},  {"<i2", "i16"}, {"<i4", "i32"}, {"<i8", "i64"},
    {"|u1", "u8"},  {"<u2", "u16"}, {"<u4", "u32"}, {"<u8", "u64"},
};

namespace {

/// The header is a literal of Python with three fixed keys. It is read as just
/// that, never evaluated.
class HeaderParser {
public:
  HeaderParser(StringRef text) : rest(text) {}

  struct Header {
    std::string descr;
    bool fortranOrder = false;
    std::vector<int64_t> shape;
  };

  /// Error: what was expected, and what stands there.
  Expected<Header> parse() {
    Header header;
    bool hasDescr = false, hasOrder = false, hasShape = false;
    if (!consume("{"))
      return expected("'{'");
    while (!consume("}")) {
      std::string key;
      if (!string(key) || !consume(":"))
        return expected("a key");
      bool fine;
      if (key == "descr") {
        // A record type is a list; only its beginning matters to the message.
        if (rest.ltrim().starts_with("["))
          return llvm::createStringError("it holds records, not numbers");
        fine = hasDescr = string(header.descr);
      } else if (key == "fortran_order") {
        fine = hasOrder = boolean(header.fortranOrder);
      } else if (key == "shape") {
        fine = hasShape = shape(header.shape);
      } else {
        return expected("'descr', 'fortran_order' or 'shape'");
      }
      if (!fine)
        return expected("the value of '" + key + "'");
      if (!consume(",") && !rest.ltrim().starts_with("}"))
        return expected("',' or '}'");
    }
    if (!hasDescr || !hasOrder || !hasShape)
      return llvm::createStringError(
          "its header lacks 'descr', 'fortran_order' or 'shape'");
    return header;
  }

private:
  Error expected(const Twine &what) {
    return llvm::createStringError("its header has " +
                                   quoted(rest.ltrim().take_front(20)) +
                                   " where " + what + " is expected");
  }
  bool consume(StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }
  bool string(std::string &value) {
    rest = rest.ltrim();
    if (!rest.starts_with("'") && !rest.starts_with("\""))
      return false;
    size_t end = rest.find(rest.front(), 1);
    if (end == StringRef::npos)
      return false;
    value = rest.slice(1, end).str();
    rest = rest.drop_front(end + 1);
    return true;
  }
  bool boolean(bool &value) {
    value = consume("True");
    return value || consume("False");
  }
  bool shape(std::vector<int64_t> &sizes) {
    if (!consume("("))
      return false;
    while (!consume(")")) {
      int64_t size;
      rest = rest.ltrim();
      if (rest.consumeInteger(10, size) || size < 0)
        return false;
      rest.consume_front("L"); // Python 2
      sizes.push_back(size);
      if (!consume(",") && !rest.ltrim().starts_with(")"))
        return false;
    }
    return true;
  }

  StringRef rest;
};

} // namespace

static Expected<StringRef> dtypeOf(StringRef descr) {
  for (const NamedType &type : types)
    // One byte has no order: "<i1", "=i1" and "|i1" are the same.
    if (descr == type.descr || (descr.drop_front() == type.descr.drop_front() &&
                                (descr.front() == '=' || descr.ends_with("1"))))
      return type.dtype;
  if (descr.starts_with(">"))
    return llvm::createStringError(
        "its numbers are big-endian (" + toPrintable(descr) +
        "): save x.astype(x.dtype.newbyteorder('<'))");
  if (descr.contains('V'))
    return llvm::createStringError(
        "its type is " + quoted(descr) +
        ", which does not say what the bytes mean (ml_dtypes saves bfloat16 "
        "so): save x.astype('float32')");
  return llvm::createStringError(
      "its type is " + quoted(descr) +
      ": save floats (f2, f4, f8), integers or bools");
}

Expected<HostTensor> mezzo::parseNpy(ArrayRef<uint8_t> bytes, StringRef name) {
  auto fail = [&](const Twine &why) {
    return llvm::createStringError("cannot read " + quoted(name) + ": " + why);
  };
  StringRef text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  if (!text.starts_with(Magic) || text.size() < 12)
    return fail("it is no .npy file; numpy.save makes one");
  unsigned version = bytes[6];
  if (version < 1 || version > 3)
    return fail("it has version " + Twine(version) +
                " of the format, which ends at 3");
  size_t begin = version == 1 ? 10 : 12;
  uint64_t length = version == 1 ? llvm::support::endian::read16le(&bytes[8])
                                 : llvm::support::endian::read32le(&bytes[8]);
  if (length > text.size() - begin)
    return fail("its header has " + Twine(length) + " bytes, and only " +
                Twine(text.size() - begin) + " are there");
  auto header = HeaderParser(text.substr(begin, length)).parse();
  if (!header)
    return fail(llvm::toString(header.takeError()));
  if (header->descr.empty())
    return fail("its type is empty");
  Expected<StringRef> dtype = dtypeOf(header->descr);
  if (!dtype)
    return fail(llvm::toString(dtype.takeError()));
  if (header->fortranOrder && header->shape.size() > 1)
    return fail("it is in Fortran order: save numpy.ascontiguousarray(x)");

  StringRef data = text.drop_front(begin + length);
  CheckedInt size =
      CheckedInt::product(header->shape) * (elementBits(*dtype) / 8);
  if (!size.isValid() || *size != int64_t(data.size()))
    return fail(
        "its shape [" +
        llvm::join(
            llvm::map_range(header->shape,
                            [](int64_t dim) { return std::to_string(dim); }),
            ", ") +
        "] of " + *dtype + " asks for " +
        (size.isValid() ? Twine(*size).str() : std::string("too many")) +
        " bytes, and " + Twine(data.size()) + " are there");
  return HostTensor{dtype->str(), std::move(header->shape),
                    std::vector<uint8_t>(data.bytes_begin(), data.bytes_end())};
}

Expected<HostTensor> mezzo::readNpy(StringRef path) {
  Expected<MappedFile> file = openFile(path);
  if (!file)
    return file.takeError();
  return parseNpy(file->bytes(), path);
}

/// bf16 to f32, exactly.
static std::vector<uint8_t> widen(ArrayRef<uint8_t> halves) {
  std::vector<uint8_t> result(halves.size() * 2);
  for (size_t i = 0; i + 1 < halves.size(); i += 2) {
    float value = bf16ToF32(llvm::support::endian::read16le(halves.data() + i));
    llvm::support::endian::write32le(result.data() + 2 * i, bitsOf(value));
  }
  return result;
}

Error mezzo::writeNpy(StringRef path, const HostTensor &tensor) {
  bool widened = tensor.dtype == "bf16";
  StringRef wanted = widened ? StringRef("f32") : StringRef(tensor.dtype);
  const NamedType *type = llvm::find_if(
      types, [&](const NamedType &type) { return type.dtype == wanted; });
  if (type == std::end(types))
    return llvm::createStringError("cannot write " + quoted(path) +
                                   ": NumPy has no type " + tensor.dtype);
  std::string header =
      ("{'descr': '" + type->descr + "', 'fortran_order': False, 'shape': (")
          .str();
  for (int64_t size : tensor.shape)
    header += std::to_string(size) + ",";
  // A tuple of one keeps its comma, a longer one may.
  header += "), }";
  size_t before = Magic.size() + 4;
  header.resize(llvm::alignTo(before + header.size() + 1, 64) - before - 1,
                ' ');
  header += '\n';
  Expected<AtomicFile> file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  char prefix[4] = {1, 0};
  llvm::support::endian::write16le(prefix + 2, header.size());
  file->stream() << Magic << StringRef(prefix, 4) << header;
  std::vector<uint8_t> wide;
  if (widened)
    wide = widen(tensor.bytes);
  ArrayRef<uint8_t> data = widened ? wide : tensor.bytes;
  file->stream().write(reinterpret_cast<const char *>(data.data()),
                       data.size());
  return file->commit();
}
