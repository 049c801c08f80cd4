//===- WireScan.cpp -------------------------------------------------------===//

#include "lib/Onnx/WireScan.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Endian.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/wire_format.h>

using namespace mezzo;
namespace pb = google::protobuf;
using llvm::ArrayRef;
using llvm::createStringError;
using llvm::Error;
using llvm::Twine;
using pb::internal::WireFormat;
using pb::internal::WireFormatLite;

/// The number of the field that stands for a payload; far above ONNX's.
static constexpr int payloadField = 100000;
/// offset:u64, length:u64, field:u8.
static constexpr size_t payloadBytes = 17;

/// Protobuf's own limit on nested messages.
static constexpr int maxMessageDepth = 100;

namespace {

class Scanner {
public:
  Scanner(ArrayRef<uint8_t> file, const OnnxLimits &limits, ThinMessage &out)
      : file(file), limits(limits), out(out), at(file.begin()) {}

  /// Appends the pieces of the message that ends at `end` and is of type
  /// `type`.
  Error scanMessage(const pb::Descriptor *type, const uint8_t *end, int depth,
                    int graphDepth);

  /// Whether anything was left out so far.
  uint64_t changes = 0;

private:
  Error scanField(const pb::Descriptor *type, const uint8_t *end, int depth,
                  int graphDepth);
  Error scanChild(const pb::FieldDescriptor *field, const uint8_t *start,
                  const uint8_t *end, int depth, int graphDepth);

  Error error(const uint8_t *where, const Twine &what) const {
    return createStringError("byte " + Twine(uint64_t(where - file.begin())) +
                             " of the model: " + what);
  }
  Error countItem() {
    if (++out.items > limits.maxItems)
      return error(at, "the model has more than " + Twine(limits.maxItems) +
                           " messages, strings and unknown fields; store "
                           "lists of numbers as tensors");
    return Error::success();
  }
  bool readVarint(const uint8_t *end, uint64_t &value);

  /// Appends a range of the file, as part of the last piece where they meet.
  void keep(const uint8_t *begin, const uint8_t *end) {
    if (begin == end)
      return;
    auto &pieces = out.pieces;
    if (!pieces.empty() && pieces.back().end() == begin)
      pieces.back() = ArrayRef(pieces.back().begin(), end);
    else
      pieces.emplace_back(begin, end);
  }
  void putPayload(int field, ArrayRef<uint8_t> bytes);

  ArrayRef<uint8_t> file;
  const OnnxLimits &limits;
  ThinMessage &out;
  const uint8_t *at;
};

} // namespace

bool Scanner::readVarint(const uint8_t *end, uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    uint8_t byte = *at++;
    value |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80)
      return true;
  }
  return false;
}

void Scanner::putPayload(int field, ArrayRef<uint8_t> bytes) {
  using pb::io::CodedOutputStream;
  auto *buffer = static_cast<uint8_t *>(out.made.Allocate(payloadBytes + 8, 1));
  uint8_t *p = WireFormatLite::WriteTagToArray(
      payloadField, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, buffer);
  p = CodedOutputStream::WriteVarint32ToArray(payloadBytes, p);
  llvm::support::endian::write64le(p, bytes.begin() - file.begin());
  llvm::support::endian::write64le(p + 8, bytes.size());
  p[16] = uint8_t(field);
  out.pieces.emplace_back(buffer, p + payloadBytes);
}

/// Whether a field of this wire type is what the schema means by `field`;
/// otherwise protobuf treats it as unknown.
static bool isDeclared(const pb::FieldDescriptor *field,
                       WireFormatLite::WireType wire) {
  if (!field)
    return false;
  return wire == WireFormat::WireTypeForFieldType(field->type()) ||
         (field->is_packable() &&
          wire == WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

/// Whether `bytes` of this field are the tensor's dense little-endian data and
/// many enough to stay in the file.
static bool isPayload(const pb::FieldDescriptor *field, size_t bytes) {
  if (bytes <= smallPayload ||
      field->containing_type() != onnx::TensorProto::descriptor())
    return false;
  switch (field->number()) {
  case onnx::TensorProto::kRawDataFieldNumber:
    return true;
  case onnx::TensorProto::kFloatDataFieldNumber:
    return bytes % sizeof(float) == 0;
  case onnx::TensorProto::kDoubleDataFieldNumber:
    return bytes % sizeof(double) == 0;
  default:
    return false;
  }
}

Error Scanner::scanMessage(const pb::Descriptor *type, const uint8_t *end,
                           int depth, int graphDepth) {
  if (depth > maxMessageDepth)
    return error(at,
                 "messages are nested deeper than " + Twine(maxMessageDepth));
  if (type == onnx::GraphProto::descriptor() &&
      ++graphDepth > limits.maxGraphDepth)
    return error(at, "graphs are nested deeper than " +
                         Twine(limits.maxGraphDepth));
  if (type == onnx::NodeProto::descriptor() && ++out.nodes > limits.maxNodes)
    return error(at, "the model has more than " + Twine(limits.maxNodes) +
                         " nodes; fold its constants, or use Loop or Scan "
                         "instead of unrolling");
  while (at != end)
    if (Error error = scanField(type, end, depth, graphDepth))
      return error;
  return Error::success();
}

Error Scanner::scanField(const pb::Descriptor *type, const uint8_t *end,
                         int depth, int graphDepth) {
  const uint8_t *start = at;
  uint64_t tag, length;
  if (!readVarint(end, tag) || tag > UINT32_MAX || tag >> 3 == 0)
    return error(start, "not a field; the file is damaged, or no ONNX model");
  auto wire = WireFormatLite::GetTagWireType(uint32_t(tag));
  const pb::FieldDescriptor *field = type->FindFieldByNumber(int(tag >> 3));
  bool declared = isDeclared(field, wire);
  auto inField = [&] {
    return field ? " (in " + type->name() + "." + field->name() + ")"
                 : " (in " + type->name() + ")";
  };

  switch (wire) {
  case WireFormatLite::WIRETYPE_VARINT:
    if (!readVarint(end, length))
      return error(start, "a number is cut off" + inField());
    break;
  case WireFormatLite::WIRETYPE_FIXED64:
  case WireFormatLite::WIRETYPE_FIXED32: {
    ptrdiff_t bytes = wire == WireFormatLite::WIRETYPE_FIXED64 ? 8 : 4;
    if (end - at < bytes)
      return error(start, "a number is cut off" + inField());
    at += bytes;
    break;
  }
  case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
    if (!readVarint(end, length))
      return error(start, "a length is cut off" + inField());
    if (length > uint64_t(end - at))
      return error(start, "a length of " + Twine(length) + " bytes where " +
                              Twine(uint64_t(end - at)) + " remain" +
                              inField() + "; the file is truncated");
    if (!declared)
      at += length;
    else if (field->message_type())
      return scanChild(field, start, at + length, depth, graphDepth);
    else if (isPayload(field, length)) {
      putPayload(field->number(), ArrayRef(at, length));
      ++changes;
      at += length;
      return Error::success();
    } else {
      at += length;
      bool isString = !field->is_packable();
      if (field->is_repeated() && isString)
        if (Error error = countItem())
          return error;
    }
    break;
  }
  default:
    return error(start, "wire type " + Twine(int(wire)) +
                            " does not occur in ONNX; the file is damaged, "
                            "or no ONNX model");
  }

  if (declared) {
    keep(start, at);
    return Error::success();
  }
  ++changes;
  return countItem();
}

/// Scans the message in the field that began at `start`, whose content is at
/// `at`. If nothing was left out of it, the field remains as it is, as
/// one range; else it gets a new header in front of its pieces.
Error Scanner::scanChild(const pb::FieldDescriptor *field, const uint8_t *start,
                         const uint8_t *end, int depth, int graphDepth) {
  if (Error error = countItem())
    return error;
  uint64_t changesBefore = changes;
  size_t header = out.pieces.size();
  // A range that does not exist keeps the child from growing the last piece.
  out.pieces.emplace_back();
  if (Error error =
          scanMessage(field->message_type(), end, depth + 1, graphDepth))
    return error;
  if (changes == changesBefore) {
    out.pieces.resize(header);
    keep(start, end);
    return Error::success();
  }

  uint64_t length = 0;
  for (ArrayRef<uint8_t> piece : ArrayRef(out.pieces).drop_front(header + 1))
    length += piece.size();
  auto *buffer = static_cast<uint8_t *>(out.made.Allocate(16, 1));
  uint8_t *p = WireFormatLite::WriteTagToArray(
      field->number(), WireFormatLite::WIRETYPE_LENGTH_DELIMITED, buffer);
  p = pb::io::CodedOutputStream::WriteVarint64ToArray(length, p);
  out.pieces[header] = ArrayRef(buffer, p);
  return Error::success();
}

uint64_t ThinMessage::size() const {
  uint64_t bytes = 0;
  for (ArrayRef<uint8_t> piece : pieces)
    bytes += piece.size();
  return bytes;
}

Error mezzo::scanModel(ArrayRef<uint8_t> file, const OnnxLimits &limits,
                       ThinMessage &result) {
  if (file.empty())
    return createStringError("the model is empty (0 bytes)");
  if (file.size() > limits.maxModelBytes)
    return createStringError(
        "the model has " + Twine(file.size()) + " bytes, the limit is " +
        Twine(limits.maxModelBytes) +
        "; save it with external data (save_as_external_data=True)");
  return Scanner(file, limits, result)
      .scanMessage(onnx::ModelProto::descriptor(), file.end(), 1, 0);
}

llvm::Expected<std::optional<Payload>>
mezzo::payloadOf(const onnx::TensorProto &tensor) {
  const pb::UnknownFieldSet &unknown =
      tensor.GetReflection()->GetUnknownFields(tensor);
  std::optional<Payload> payload;
  for (int i = 0; i < unknown.field_count(); ++i) {
    const pb::UnknownField &field = unknown.field(i);
    if (field.number() != payloadField ||
        field.type() != pb::UnknownField::TYPE_LENGTH_DELIMITED ||
        field.length_delimited().size() != payloadBytes)
      continue;
    if (payload)
      return createStringError("its data is stored twice");
    const char *p = field.length_delimited().data();
    payload = Payload{llvm::support::endian::read64le(p),
                      llvm::support::endian::read64le(p + 8), uint8_t(p[16])};
  }
  return payload;
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {

/// Protobuf's view of the pieces.
class PieceStream final : public pb::io::ZeroCopyInputStream {
public:
  explicit PieceStream(ArrayRef<ArrayRef<uint8_t>> pieces) : pieces(pieces) {}

  bool Next(const void **data, int *size) override {
    while (offset == current().size()) {
      if (pieces.empty())
        return false;
      pieces = pieces.drop_front();
      offset = 0;
    }
    // A piece lies in a file of at most 2 GiB - 1.
    *data = current().data() + offset;
    *size = int(current().size() - offset);
    count += *size;
    offset = current().size();
    return true;
  }
  void BackUp(int bytes) override {
    offset -= bytes;
    count -= bytes;
  }
  bool Skip(int bytes) override {
    const void *data;
    for (int size; bytes > 0; bytes -= size) {
      if (!Next(&data, &size))
        return false;
      if (size > bytes) {
        BackUp(size - bytes);
        size = bytes;
      }
    }
    return true;
  }
  int64_t ByteCount() const override { return count; }

private:
  ArrayRef<uint8_t> current() const {
    return pieces.empty() ? ArrayRef<uint8_t>() : pieces.front();
  }

  ArrayRef<ArrayRef<uint8_t>> pieces;
  size_t offset = 0; // in the first piece
  int64_t count = 0;
};

} // namespace

Error mezzo::parseThin(ArrayRef<uint8_t> file, const OnnxLimits &limits,
                       onnx::ModelProto &model) {
  ThinMessage thin;
  if (Error error = scanModel(file, limits, thin))
    return error;
  PieceStream stream(thin.pieces);
  // Protobuf would print to stderr what we report ourselves.
  pb::LogSilencer silent;
  if (!model.ParseFromZeroCopyStream(&stream))
    return createStringError("protobuf cannot parse the model; the file is "
                             "damaged, or no ONNX model");
  return Error::success();
}
