# Fuzz targets. Without a fuzzer each one replays its regression corpus in
# ctest. To fuzz:
#   cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang \
#     -DCMAKE_CXX_COMPILER=clang++ -DFUZZ=ON -DSANITIZE=address,undefined \
#     -DCMAKE_C_FLAGS=-fsanitize=fuzzer-no-link
#   build/fuzz/fuzz_json WORKING_FOLDER tests/fuzz/regression/json
option(FUZZ "link the fuzz targets with libFuzzer (clang)" OFF)

# add_fuzz_target(json LINK decode): fuzz/fuzz_json.c, fuzz/regression/json/
function(add_fuzz_target name)
  cmake_parse_arguments(TARGET "" "" "LINK" ${ARGN})
  add_executable(fuzz_${name} fuzz/fuzz_${name}.c)
  target_link_libraries(fuzz_${name} PRIVATE build_flags ${TARGET_LINK})
  if(FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${name} PRIVATE fuzz/replay_main.c)
    add_test(NAME fuzz_${name}
      COMMAND fuzz_${name} "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/regression/${name}")
    set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  endif()
endfunction()

add_fuzz_target(json LINK decode)
add_fuzz_target(csv LINK decode)
