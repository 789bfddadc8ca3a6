# Run at build time by EmbedWeb.cmake: FILES, SOURCE, GZIP.
cmake_minimum_required(VERSION 3.25)
get_filename_component(folder "${SOURCE}" DIRECTORY)
file(MAKE_DIRECTORY "${folder}")
set(bytes "")
set(symbols "")
set(rows "")
set(index 0)
foreach(path IN LISTS FILES)
  get_filename_component(name "${path}" NAME)
  set(packed "${folder}/${name}.gz")
  execute_process(COMMAND "${GZIP}" -9nc "${path}"
    OUTPUT_FILE "${packed}" COMMAND_ERROR_IS_FATAL ANY)
  file(SHA256 "${path}" hash)
  string(SUBSTRING "${hash}" 0 16 hash)
  foreach(form IN ITEMS plain packed)
    set(symbol "web_${form}_${index}")
    set(from "${path}")
    if(form STREQUAL "packed")
      set(from "${packed}")
    endif()
    string(APPEND bytes
      "__asm__(\".section .rodata\\n.balign 16\\n${symbol}_start:\\n\"\n"
      "        \".incbin \\\"${from}\\\"\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n")
    string(APPEND symbols
      "extern const char ${symbol}_start[];\nextern const char ${symbol}_end[];\n")
  endforeach()
  string(APPEND rows
    "    {\"${name}\", \"${hash}\", web_plain_${index}_start, web_plain_${index}_end,\n"
    "     web_packed_${index}_start, web_packed_${index}_end},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE "${SOURCE}"
"/* Written by cmake/EmbedWebRun.cmake: the files of the page. */
#include \"server/web/web_embedded.h\"

${bytes}
${symbols}
const struct web_file web_files[] = {
${rows}    {0, 0, 0, 0, 0, 0},
};
const size_t web_file_count = ${index};
")
