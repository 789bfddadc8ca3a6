# The real program on ports of its own choice.
add_library(test_process STATIC lib/server_process.c lib/feed_client.c)
target_link_libraries(test_process PRIVATE build_flags PkgConfig::CMOCKA PUBLIC ledger base)
target_compile_definitions(test_process PRIVATE SUQIU_BINARY="$<TARGET_FILE:suqiu>")
add_dependencies(test_process suqiu)

add_cmocka_test(test_feed LABEL integration TIMEOUT 300 SOURCES integration/test_feed.c LINK test_process)
add_cmocka_test(test_commands LABEL integration TIMEOUT 300 SOURCES integration/test_commands.c LINK test_process)
add_cmocka_test(test_records LABEL integration TIMEOUT 300 SOURCES integration/test_records.c LINK test_process ingest)
add_cmocka_test(test_start LABEL integration TIMEOUT 300 SOURCES integration/test_start.c LINK test_process)
add_cmocka_test(test_access LABEL integration TIMEOUT 300 SOURCES integration/test_access.c LINK test_process serve)
add_cmocka_test(test_full_store LABEL integration TIMEOUT 300 SOURCES integration/test_full_store.c LINK test_process)
add_cmocka_test(test_import LABEL integration TIMEOUT 300 SOURCES integration/test_import.c LINK test_process PkgConfig::MINIZIP)
add_cmocka_test(test_imports LABEL integration TIMEOUT 300 SOURCES integration/test_imports.c LINK test_process imports PkgConfig::MINIZIP)
add_cmocka_test(test_list LABEL integration TIMEOUT 300 SOURCES integration/test_list.c LINK test_process)

# Workbooks are read back by another program's parser.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_cmocka_test(test_export LABEL integration TIMEOUT 300 SOURCES integration/test_export.c LINK test_process decode)
  target_compile_definitions(test_export PRIVATE _GNU_SOURCE PYTHON_PROGRAM="${Python3_EXECUTABLE}")
endif()
add_cmocka_test(test_reload LABEL integration TIMEOUT 300 SOURCES integration/test_reload.c LINK test_process ledger)
add_cmocka_test(test_reclassify LABEL integration TIMEOUT 300 SOURCES integration/test_reclassify.c LINK test_process rulebook ledger)
