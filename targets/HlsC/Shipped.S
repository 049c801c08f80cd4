// The files that Shipped.h declares.

#define CARRY(name, file)                                                      \
  .globl name;                                                                 \
  .hidden name;                                                                \
  .globl name##_end;                                                           \
  .hidden name##_end;                                                          \
  name:;                                                                       \
  .incbin file;                                                                \
  name##_end:;                                                                 \
  .byte 0

  .section .rodata, "a"
  CARRY(mezzo_hls_dataflow, MEZZO_HLS_DATAFLOW)
  CARRY(mezzo_hls_stream, MEZZO_HLS_STREAM)

  .section .note.GNU-stack, "", %progbits
