add_cmocka_test(test_dict LABEL dict TIMEOUT 600 SOURCES dict/test_dict.c LINK base)
