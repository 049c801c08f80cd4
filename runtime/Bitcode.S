// The bytes that Bitcode.h declares.

  .section .rodata, "a"

  .globl mezzo_runtime_bitcode_x86_64
  .hidden mezzo_runtime_bitcode_x86_64
  .globl mezzo_runtime_bitcode_x86_64_end
  .hidden mezzo_runtime_bitcode_x86_64_end
  .balign 16
mezzo_runtime_bitcode_x86_64:
  .incbin MEZZO_BITCODE_X86_64
mezzo_runtime_bitcode_x86_64_end:
  .byte 0

  .section .note.GNU-stack, "", %progbits
