# The page in a real browser; skipped where there is none (run.sh says what is
# missing). Not under the sanitizers: the server alone is slow enough there.
if(NOT SANITIZE)
  add_test(NAME test_web COMMAND "${PROJECT_SOURCE_DIR}/tests/web/run.sh")
  set_tests_properties(test_web PROPERTIES LABELS web TIMEOUT 900
    SKIP_RETURN_CODE 77 ENVIRONMENT "SUQIU_BUILD=${PROJECT_BINARY_DIR}")
endif()
