# Instructions of each step of a ticket against bench/instructions.tsv; skipped
# without valgrind, and left out where sanitizers would be counted.
if(NOT SANITIZE)
  add_test(NAME count_steps
    COMMAND ${PROJECT_SOURCE_DIR}/bench/count.sh --build ${PROJECT_BINARY_DIR})
  set_tests_properties(count_steps PROPERTIES
    LABELS count SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
