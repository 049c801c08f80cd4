# The verbs in which test/ describes itself: how ctest comes to run what is not a GoogleTest binary. (Those lie beside
# the code, and mezzo_unittest makes them.)

# The tools of the build come first on the PATH, its Python module on the PYTHONPATH, and the sources stay clean.
function(mezzo_test_environment)
  set_tests_properties(${ARGN} PROPERTIES
    ENVIRONMENT "MEZZO_SOURCE_DIR=${CMAKE_SOURCE_DIR};MEZZO_BUILD_DIR=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1"
    ENVIRONMENT_MODIFICATION
    "PATH=path_list_prepend:${CMAKE_BINARY_DIR}/bin;PYTHONPATH=path_list_prepend:${CMAKE_BINARY_DIR}/python")
endfunction()

# mezzo_lint_test(NAME rule.py): a rule of the house, checked over the whole repository. Carries the label `lint`.
function(mezzo_lint_test name script)
  add_test(NAME lint-${name}
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${CMAKE_SOURCE_DIR}
                   --build ${CMAKE_BINARY_DIR})
  mezzo_test_environment(lint-${name})
  set_tests_properties(lint-${name} PROPERTIES LABELS lint)
endfunction()

# mezzo_pytest(NAME [folder or file ...]): pytest over the given paths, or over the folder that says so.
function(mezzo_pytest name)
  set(paths ${ARGN})
  if(NOT paths)
    set(paths ${CMAKE_CURRENT_SOURCE_DIR})
  endif()
  add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -m pytest -q -p no:cacheprovider ${paths}
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  mezzo_test_environment(${name})
  set_tests_properties(${name} PROPERTIES LABELS pytest)
endfunction()

# mezzo_lit(): the lit suites, as one test. MEZZO_ROUNDTRIP makes every run of mezzo-opt a round-trip test as well.
function(mezzo_lit)
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/lit.site.cfg.py.in ${CMAKE_CURRENT_BINARY_DIR}/lit.site.cfg.py @ONLY)
  if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/dialects)
    add_test(NAME lit COMMAND ${LLVM_TOOLS_BINARY_DIR}/lit -sv ${CMAKE_CURRENT_BINARY_DIR})
    mezzo_test_environment(lit)
    set_property(TEST lit APPEND PROPERTY ENVIRONMENT MEZZO_ROUNDTRIP=1)
    set_tests_properties(lit PROPERTIES LABELS lit)
  endif()
endfunction()
