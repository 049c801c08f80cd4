//===- Shipped.h - files that go into every folder as they are ------------===//

#ifndef MEZZO_TARGETS_HLSC_SHIPPED_H
#define MEZZO_TARGETS_HLSC_SHIPPED_H

extern "C" {

/// Shipped/dataflow.h and Shipped/hls_stream.h: the bytes from the first symbol
/// up to, not including, the second.
extern const char mezzo_hls_dataflow[], mezzo_hls_dataflow_end[];
extern const char mezzo_hls_stream[], mezzo_hls_stream_end[];

} // extern "C"

#endif // MEZZO_TARGETS_HLSC_SHIPPED_H
