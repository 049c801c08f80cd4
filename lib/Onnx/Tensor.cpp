//===- Tensor.cpp - From every storage form to dense bytes ----------------===//
//
// The one check "declared size equals bytes present" is in this file, and
// nothing is allocated before it passed.
//
//===----------------------------------------------------------------------===//

#include "lib/Onnx/Model.h"
#include "lib/Onnx/WireScan.h"
#include "lib/Support/CheckedInt.h"
#include "lib/Support/Sanitize.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mezzo;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using onnx::TensorProto;

static Error bad(const TensorProto &proto, const Twine &what) {
  return createStringError("tensor " + quoted(proto.name()) + ": " + what);
}

//===----------------------------------------------------------------------===//
// Typed fields
//===----------------------------------------------------------------------===//

/// The typed field that holds elements of `type`.
static int typedField(ElementType type) {
  switch (type) {
  case ElementType::F32:
  case ElementType::Complex64:
    return TensorProto::kFloatDataFieldNumber;
  case ElementType::F64:
  case ElementType::Complex128:
    return TensorProto::kDoubleDataFieldNumber;
  case ElementType::I64:
    return TensorProto::kInt64DataFieldNumber;
  case ElementType::U32:
  case ElementType::U64:
    return TensorProto::kUint64DataFieldNumber;
  case ElementType::String:
    return TensorProto::kStringDataFieldNumber;
  default:
    return TensorProto::kInt32DataFieldNumber;
  }
}

static const char *fieldName(int field) {
  return TensorProto::descriptor()->FindFieldByNumber(field)->name().c_str();
}

/// Bytes that one entry of the typed field contributes to dense storage: a
/// whole number, or half a complex number, or one byte of packed small ones.
static unsigned bytesPerEntry(ElementType type) {
  switch (type) {
  case ElementType::Complex64:
    return 4;
  case ElementType::Complex128:
    return 8;
  default:
    return std::max(1u, bitWidth(type) / 8);
  }
}

/// Whether an int32_data entry is a value of `type`. An entry of 300 in an i8
/// tensor would be truncated by everybody, in silence.
static bool isEntryOf(ElementType type, int32_t entry) {
  unsigned bits = bitWidth(type);
  if (bits < 8) // packed; writers disagree on the sign of the byte
    return entry >= -128 && entry <= 255;
  if (type == ElementType::Bool)
    return entry == 0 || entry == 1;
  if (isSignedInteger(type))
    return llvm::isIntN(bits, entry);
  return llvm::isUIntN(bits, uint64_t(int64_t(entry)));
}

/// Writes `entries` as dense little-endian numbers of `width` bytes.
template <typename Entries>
static std::vector<uint8_t> pack(const Entries &entries, unsigned width) {
  std::vector<uint8_t> bytes(size_t(entries.size()) * width);
  uint8_t *at = bytes.data();
  for (auto entry : entries) {
    std::memcpy(at, &entry, width); // the low bytes: the host is little-endian
    at += width;
  }
  return bytes;
}

/// The number of entries in each typed field, and in raw_data, that a message
/// carries.
static int entriesOf(const TensorProto &proto, int field) {
  switch (field) {
  case TensorProto::kFloatDataFieldNumber:
    return proto.float_data_size();
  case TensorProto::kDoubleDataFieldNumber:
    return proto.double_data_size();
  case TensorProto::kInt32DataFieldNumber:
    return proto.int32_data_size();
  case TensorProto::kInt64DataFieldNumber:
    return proto.int64_data_size();
  case TensorProto::kUint64DataFieldNumber:
    return proto.uint64_data_size();
  case TensorProto::kStringDataFieldNumber:
    return proto.string_data_size();
  default:
    return int(proto.raw_data().size());
  }
}

static constexpr int storageFields[] = {
    TensorProto::kFloatDataFieldNumber,  TensorProto::kDoubleDataFieldNumber,
    TensorProto::kInt32DataFieldNumber,  TensorProto::kInt64DataFieldNumber,
    TensorProto::kUint64DataFieldNumber, TensorProto::kStringDataFieldNumber,
    TensorProto::kRawDataFieldNumber};

/// The one field in which the message carries its data, or 0 where it has none.
static Expected<int> storageField(const TensorProto &proto,
                                  const std::optional<Payload> &payload) {
  int found = payload ? payload->field : 0;
  for (int field : storageFields) {
    if (entriesOf(proto, field) == 0)
      continue;
    if (found == field)
      return bad(proto, Twine("its ") + fieldName(field) +
                            " is stored in several parts; write it as one");
    if (found != 0)
      return bad(proto, Twine("it has both ") + fieldName(found) + " and " +
                            fieldName(field) + "; only one can hold the data");
    found = field;
  }
  return found;
}

static Expected<std::vector<uint8_t>> packTyped(const TensorProto &proto,
                                                ElementType type, int field) {
  unsigned width = bytesPerEntry(type);
  switch (field) {
  case TensorProto::kFloatDataFieldNumber:
    return pack(proto.float_data(), width);
  case TensorProto::kDoubleDataFieldNumber:
    return pack(proto.double_data(), width);
  case TensorProto::kInt64DataFieldNumber:
    return pack(proto.int64_data(), width);
  case TensorProto::kUint64DataFieldNumber:
    if (type == ElementType::U32)
      for (uint64_t entry : proto.uint64_data())
        if (entry > UINT32_MAX)
          return bad(proto, "the entry " + Twine(entry) +
                                " of uint64_data does not fit in u32");
    return pack(proto.uint64_data(), width);
  default:
    for (int32_t entry : proto.int32_data())
      if (!isEntryOf(type, entry))
        return bad(proto, "the entry " + Twine(entry) +
                              " of int32_data does not fit in " + name(type));
    return pack(proto.int32_data(), width);
  }
}

//===----------------------------------------------------------------------===//
// External data
//===----------------------------------------------------------------------===//

namespace {
struct ExternalData {
  StringRef location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};
} // namespace

/// Reads the four keys of the standard. `checksum` is accepted and not
/// verified: it would mean reading all of a file that is otherwise mapped and
/// paged in on use.
static Expected<ExternalData> parseExternal(const TensorProto &proto) {
  ExternalData data;
  llvm::SmallVector<StringRef, 4> seen;
  for (const onnx::StringStringEntryProto &entry : proto.external_data()) {
    StringRef key = entry.key(), value = entry.value();
    if (llvm::is_contained(seen, key))
      return bad(proto,
                 "the external data key " + quoted(key) + " is given twice");
    seen.push_back(key);
    // Digits only: getAsInteger would also take "0x10" with another radix, and
    // signs; 63 bits, so that sums of two fit in 64.
    uint64_t number = 0;
    bool isNumber = !value.empty() && llvm::all_of(value, llvm::isDigit) &&
                    !value.getAsInteger(10, number) &&
                    number <= uint64_t(INT64_MAX);
    if (key == "location")
      data.location = value;
    else if ((key == "offset" || key == "length") && !isNumber)
      return bad(proto, "the " + key + " of its external data is " +
                            quoted(value) +
                            "; a decimal number below 2^63 is needed");
    else if (key == "offset")
      data.offset = number;
    else if (key == "length")
      data.length = number;
    else if (key != "checksum")
      return bad(proto, "unknown external data key " + quoted(key) +
                            "; location, offset, length and checksum exist");
  }
  if (!llvm::is_contained(seen, "location"))
    return bad(proto, "its external data has no location");
  return data;
}

Expected<TensorView> OnnxModel::externalTensor(const TensorProto &proto,
                                               TensorView view,
                                               int64_t bytes) const {
  Expected<ExternalData> data = parseExternal(proto);
  if (!data)
    return data.takeError();
  if (data->length && *data->length != uint64_t(bytes))
    return bad(proto, "it declares " + Twine(bytes) +
                          " bytes by its dims and type, but " +
                          Twine(*data->length) + " as external length");

  std::lock_guard<std::mutex> lock(externalMutex);
  auto known = externalFiles.find(data->location);
  if (known == externalFiles.end()) {
    FileRules rules;
    rules.allowHardLinks = limits.allowHardLinks;
    Expected<MappedFile> opened = roots.open(data->location, rules);
    if (!opened)
      return bad(proto, llvm::toString(opened.takeError()));
    known = externalFiles
                .emplace(data->location.str(),
                         std::make_shared<MappedFile>(std::move(*opened)))
                .first;
  }
  ArrayRef<uint8_t> content = known->second->bytes();
  if (data->offset > content.size() ||
      uint64_t(bytes) > content.size() - data->offset)
    return bad(proto, "it needs " + Twine(bytes) + " bytes at offset " +
                          Twine(data->offset) + " of " +
                          quoted(data->location) + ", which has " +
                          Twine(content.size()) +
                          "; the file is truncated, or of another model");
  view.bytes = content.slice(data->offset, bytes);
  view.owner = known->second;
  return view;
}

//===----------------------------------------------------------------------===//
// OnnxModel
//===----------------------------------------------------------------------===//

/// The type, dims and byte count that a tensor declares.
static Expected<std::pair<TensorView, int64_t>>
declaration(const TensorProto &proto) {
  Expected<ElementType> type = elementType(proto.data_type());
  if (!type)
    return bad(proto, llvm::toString(type.takeError()));
  if (proto.has_segment())
    return bad(proto, "it is a segment of a tensor, which nothing writes; "
                      "store the tensor whole");
  TensorView view;
  view.name = proto.name();
  view.type = *type;
  view.dims.assign(proto.dims().begin(), proto.dims().end());
  CheckedInt bits = CheckedInt::product(view.dims) * bitWidth(*type);
  if (!bits.isValid())
    return bad(proto,
               "its dims [" +
                   llvm::join(llvm::map_range(view.dims,
                                              [](int64_t dim) {
                                                return std::to_string(dim);
                                              }),
                              ", ") +
                   "] are negative, or their product overflows");
  return std::make_pair(std::move(view), *bits.ceilDiv(8));
}

Error OnnxModel::checkStrings(const TensorProto &proto) const {
  auto declared = declaration(proto);
  if (!declared)
    return declared.takeError();
  if (proto.data_location() == TensorProto::EXTERNAL ||
      proto.external_data_size() != 0)
    return bad(proto, "strings cannot be external data");
  Expected<int> field = storageField(proto, std::nullopt);
  if (!field)
    return field.takeError();
  int64_t elements = declared->first.elements();
  if ((*field != 0 && *field != TensorProto::kStringDataFieldNumber) ||
      proto.string_data_size() != elements)
    return bad(proto, "it declares " + Twine(elements) + " strings, but has " +
                          Twine(proto.string_data_size()) + " in string_data");
  return Error::success();
}

Expected<TensorView> OnnxModel::tensor(const TensorProto &proto) const {
  auto declared = declaration(proto);
  if (!declared)
    return declared.takeError();
  auto &[view, bytes] = *declared;
  if (view.type == ElementType::String)
    return bad(proto, "it holds strings, which are not supported");

  Expected<std::optional<Payload>> payload = payloadOf(proto);
  if (!payload)
    return bad(proto, llvm::toString(payload.takeError()));
  Expected<int> field = storageField(proto, *payload);
  if (!field)
    return field.takeError();

  if (proto.data_location() == TensorProto::EXTERNAL) {
    if (*field != 0)
      return bad(proto,
                 Twine("it is external and also has ") + fieldName(*field));
    return externalTensor(proto, std::move(view), bytes);
  }
  if (proto.external_data_size() != 0)
    return bad(proto, "it has keys of external data, but its data_location is "
                      "not EXTERNAL");

  // Some writers leave the data of an empty tensor out, others write it empty.
  bool raw = *field == TensorProto::kRawDataFieldNumber;
  if (*field != 0 && !raw && *field != typedField(view.type))
    return bad(proto, Twine("its data is in ") + fieldName(*field) +
                          ", but type " + name(view.type) + " belongs in " +
                          fieldName(typedField(view.type)) + " or raw_data");
  CheckedInt present = 0;
  if (*payload)
    present = int64_t((*payload)->length);
  else if (*field != 0)
    present = CheckedInt(entriesOf(proto, *field)) *
              (raw ? 1 : bytesPerEntry(view.type));
  if (!present.isValid() || *present != bytes)
    return bad(proto, "it declares " + Twine(bytes) +
                          " bytes by its dims and type, but " +
                          Twine(present.isValid() ? *present : INT64_MAX) +
                          " are present");

  if (*payload) {
    // The scan made the payload and no model can; but the caller may ask with a
    // tensor of another model.
    if ((*payload)->offset > file.size() ||
        (*payload)->length > file.size() - (*payload)->offset)
      return bad(proto, "it belongs to another model");
    view.bytes = file.slice((*payload)->offset, (*payload)->length);
    view.owner = fileOwner;
    return std::move(view);
  }
  auto buffer = std::make_shared<std::vector<uint8_t>>();
  if (raw) {
    buffer->assign(proto.raw_data().begin(), proto.raw_data().end());
  } else if (*field != 0) {
    Expected<std::vector<uint8_t>> packed = packTyped(proto, view.type, *field);
    if (!packed)
      return packed.takeError();
    *buffer = std::move(*packed);
  }
  view.bytes = *buffer;
  view.owner = buffer;
  return std::move(view);
}
