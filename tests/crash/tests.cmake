# kill -9 of the real server, again and again; see crash_feed.c. More of it:
#   build/release/crash_feed --suqiu build/release/suqiu --rounds 10000
add_executable(crash_feed
  crash/crash_feed.c crash/crash_stream.c crash/crash_verify.c crash/model.c
)
target_link_libraries(crash_feed PRIVATE build_flags bench_core base ledger)
target_compile_definitions(crash_feed PRIVATE _GNU_SOURCE)
add_test(NAME crash_feed COMMAND crash_feed --suqiu $<TARGET_FILE:suqiu>)
set_tests_properties(crash_feed PROPERTIES LABELS crash TIMEOUT 600)
