add_cmocka_test(test_dict LABEL dict TIMEOUT 600 SOURCES dict/test_dict.c LINK base)
add_test(NAME rules_agree COMMAND suqiu-bench agree --texts 4000 --slice 2000
  --threads 1 ${PROJECT_SOURCE_DIR}/tests/corpus/read/outage.tsv)
set_tests_properties(rules_agree PROPERTIES LABELS dict TIMEOUT 600)
add_cmocka_test(test_bad_tables LABEL dict SOURCES dict/test_bad_tables.c LINK base decode)
add_cmocka_test(test_sample LABEL dict SOURCES dict/test_sample.c LINK base decode)
