// The bytes that Bitcode.h declares.

#define CARRY(name, file)                                                      \
  .globl name;                                                                 \
  .hidden name;                                                                \
  .globl name##_end;                                                           \
  .hidden name##_end;                                                          \
  .balign 16;                                                                  \
  name:;                                                                       \
  .incbin file;                                                                \
  name##_end:;                                                                 \
  .byte 0

  .section .rodata, "a"
  CARRY(mezzo_runtime_bitcode_x86_64, MEZZO_BITCODE_X86_64)
  CARRY(mezzo_runtime_bitcode_aarch64, MEZZO_BITCODE_AARCH64)

  .section .note.GNU-stack, "", %progbits
