# embed_dict(target): put every table of dict/ into the target.
#
# Writes one C file whose assembler lines take in the bytes (.incbin), and a
# table of names. The object is rebuilt when a table changes; a table that comes
# or goes is noticed at the next build (CONFIGURE_DEPENDS).
function(embed_dict target)
  set(root "${PROJECT_SOURCE_DIR}/dict")
  file(GLOB_RECURSE tables CONFIGURE_DEPENDS RELATIVE "${root}"
    "${root}/*.csv" "${root}/*.tsv")
  list(SORT tables)
  set(bytes "")
  set(symbols "")
  set(rows "")
  set(inputs "")
  set(index 0)
  foreach(table IN LISTS tables)
    set(symbol "dict_embedded_${index}")
    string(APPEND bytes
      "__asm__(\".section .rodata\\n.balign 16\\n${symbol}_start:\\n\"\n"
      "        \".incbin \\\"${root}/${table}\\\"\\n${symbol}_end:\\n.byte 0\\n.previous\\n\");\n")
    string(APPEND symbols
      "extern const char ${symbol}_start[];\nextern const char ${symbol}_end[];\n")
    string(APPEND rows "    {\"${table}\", ${symbol}_start, ${symbol}_end},\n")
    list(APPEND inputs "${root}/${table}")
    math(EXPR index "${index} + 1")
  endforeach()
  set(source "${PROJECT_BINARY_DIR}/dict_embedded.c")
  file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT
"/* Written by cmake/EmbedDict.cmake: the tables of dict/. */
#include \"server/base/dict_embedded.h\"

@bytes@
@symbols@
const struct dict_embedded_file dict_embedded[] = {
@rows@    {0, 0, 0},
};
const size_t dict_embedded_count = @index@;
")
  set_source_files_properties("${source}" PROPERTIES OBJECT_DEPENDS "${inputs}")
  target_sources(${target} PRIVATE "${source}")
endfunction()
