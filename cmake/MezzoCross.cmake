# What the build and the tests need of another machine: its C headers, which the runtime is compiled against, and, for
# the tests, programs for it and an emulator that runs them.

find_program(MEZZO_CLANG NAMES clang-22 clang HINTS ${LLVM_TOOLS_BINARY_DIR} REQUIRED)

# Where Debian's libc6-dev-arm64-cross puts them. On such a machine itself they are where they always are.
find_path(MEZZO_AARCH64_HEADERS bits/hwcap.h PATHS /usr/aarch64-linux-gnu/include /usr/include/aarch64-linux-gnu
  NO_DEFAULT_PATH)
if(NOT MEZZO_AARCH64_HEADERS)
  message(FATAL_ERROR "the C headers of aarch64 are missing, which the runtime is compiled against: "
    "install libc6-dev-arm64-cross (./dev setup does)")
endif()

find_program(MEZZO_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(NOT MEZZO_QEMU_AARCH64)
  message(WARNING "there is no qemu-aarch64: the tests of code for aarch64 will be skipped "
    "(./dev setup installs it: qemu-user)")
  set(MEZZO_QEMU_AARCH64 "")
endif()

# mezzo_aarch64_program(NAME file.c): a C program for aarch64 Linux, CMAKE_BINARY_DIR/aarch64/NAME, and a target that
# makes it.
function(mezzo_aarch64_program name source)
  set(program ${CMAKE_BINARY_DIR}/aarch64/${name})
  add_custom_command(OUTPUT ${program}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/aarch64
    COMMAND ${MEZZO_CLANG} --target=aarch64-linux-gnu -fuse-ld=lld -std=c11 -Wall -Wextra -O1 -I${CMAKE_SOURCE_DIR}
            ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${program} -ldl
    DEPENDS ${source} ${CMAKE_SOURCE_DIR}/include/mezzo/model.h VERBATIM)
  add_custom_target(${name} DEPENDS ${program})
endfunction()

# mezzo_emulated_test(NAME MACRO=program ...): a GoogleTest binary that runs these programs of mezzo_aarch64_program
# under the emulator. Carries the label `arm`.
function(mezzo_emulated_test name)
  cmake_path(GET MEZZO_AARCH64_HEADERS PARENT_PATH sysroot)
  target_compile_definitions(${name} PRIVATE
    MEZZO_QEMU_AARCH64="${MEZZO_QEMU_AARCH64}" MEZZO_AARCH64_SYSROOT="${sysroot}")
  foreach(entry ${ARGN})
    string(REPLACE "=" ";" entry ${entry})
    list(GET entry 0 macro)
    list(GET entry 1 program)
    target_compile_definitions(${name} PRIVATE ${macro}="${CMAKE_BINARY_DIR}/aarch64/${program}")
    add_dependencies(${name} ${program})
  endforeach()
  set_tests_properties(${name} PROPERTIES LABELS arm)
endfunction()
