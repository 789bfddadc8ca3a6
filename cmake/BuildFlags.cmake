# Everything of ours is compiled with these: warnings, hardening, sanitizers.
set(SANITIZE "" CACHE STRING "sanitizers: address,undefined or thread; empty for none")

add_library(build_flags INTERFACE)
target_include_directories(build_flags INTERFACE
  "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
target_compile_definitions(build_flags INTERFACE
  _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE PCRE2_CODE_UNIT_WIDTH=8
  SUQIU_VERSION="${PROJECT_VERSION}")
target_compile_options(build_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wundef -Wvla
  -Wwrite-strings -Wcast-align -Wimplicit-fallthrough -Wdouble-promotion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  $<$<COMPILE_LANG_AND_ID:C,GNU>:-Wlogical-op>
  $<$<COMPILE_LANG_AND_ID:C,GNU>:-Wduplicated-cond>
  -fstack-protector-strong)
target_link_options(build_flags INTERFACE -Wl,-z,relro,-z,now)

if(SANITIZE)
  # gcc loses value ranges in instrumented code and then warns of texts that
  # cannot be that long.
  target_compile_options(build_flags INTERFACE
    -fsanitize=${SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    $<$<COMPILE_LANG_AND_ID:C,GNU>:-Wno-format-truncation>)
  target_link_options(build_flags INTERFACE -fsanitize=${SANITIZE})
else()
  target_compile_definitions(build_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
endif()
