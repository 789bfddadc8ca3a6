add_cmocka_test(test_dict LABEL dict TIMEOUT 600 SOURCES dict/test_dict.c LINK base)
add_cmocka_test(test_sample LABEL dict SOURCES dict/test_sample.c LINK base decode)
