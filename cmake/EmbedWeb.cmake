# embed_web(target): put the supervisors' page into the target.
#
# Every file of server/web/page and the charts of server/web/vendor are taken in
# twice, as they are and as gzip bytes, with a hash for the ETag. Nothing is
# fetched: what comes from npm is kept in server/web/vendor (its README.md).
function(embed_web target)
  set(web "${PROJECT_SOURCE_DIR}/server/web")
  file(GLOB files CONFIGURE_DEPENDS
    "${web}/page/*.html" "${web}/page/*.js" "${web}/page/*.css"
    "${web}/page/*.svg" "${web}/vendor/*.js")
  list(SORT files)
  set(source "${PROJECT_BINARY_DIR}/web/web_embedded.c")
  find_program(GZIP_PROGRAM gzip REQUIRED)
  add_custom_command(
    OUTPUT "${source}"
    COMMAND "${CMAKE_COMMAND}" "-DFILES=${files}" "-DSOURCE=${source}"
      "-DGZIP=${GZIP_PROGRAM}" -P "${PROJECT_SOURCE_DIR}/cmake/EmbedWebRun.cmake"
    DEPENDS ${files} "${PROJECT_SOURCE_DIR}/cmake/EmbedWebRun.cmake"
    COMMENT "Packing the page"
    VERBATIM)
  target_sources(${target} PRIVATE "${source}")
endfunction()
