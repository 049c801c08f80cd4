/* How processes are started and FIFOs read: in synthesis, and in a simulation
 * where every process is a thread and FIFOs are as deep as they are. */
#ifndef MEZZO_DATAFLOW_H
#define MEZZO_DATAFLOW_H

#include "hls_stream.h"

#ifdef MEZZO_SIMULATION
#define DATAFLOW_REGION hls::simulation::Dataflow dataflow
#define PROCESS(...) dataflow.start(#__VA_ARGS__, [&] { __VA_ARGS__; })
#else
#define DATAFLOW_REGION
#define PROCESS(...) __VA_ARGS__
#endif

template <typename T>
T pop(hls::stream<T> &fifo) {
#pragma HLS INLINE
  return fifo.read();
}

template <typename T, typename Value>
void push(hls::stream<T> &fifo, const Value &value) {
#pragma HLS INLINE
  fifo.write(T(value));
}

#endif
