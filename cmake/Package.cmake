# What is installed: binary, unit, settings, man page, completion. `cpack -G DEB`
# in the build directory makes a Debian package of it (./run package).
#
# The texts are written by the program itself from its tables of commands and
# settings, so they cannot say anything else than it does.
include(GNUInstallDirs)

set(share "${PROJECT_BINARY_DIR}/share")
set(dist "${PROJECT_SOURCE_DIR}/dist")
file(MAKE_DIRECTORY "${share}")
find_program(GZIP_PROGRAM gzip REQUIRED)

add_custom_command(
  OUTPUT "${share}/suqiu.1.gz" "${share}/suqiu.bash" "${share}/suqiu.conf"
  COMMAND suqiu help --man > "${share}/suqiu.1"
  COMMAND "${GZIP_PROGRAM}" -9nc "${share}/suqiu.1" > "${share}/suqiu.1.gz"
  COMMAND suqiu help --completion > "${share}/suqiu.bash"
  COMMAND suqiu help --settings > "${share}/settings"
  # The service's own line; everything else stays as the program has it.
  COMMAND sed "s|^;data =$|data = /var/lib/suqiu|" "${share}/settings" > "${share}/suqiu.conf"
  DEPENDS suqiu
  COMMENT "Writing man page, completion and settings"
  VERBATIM)
add_custom_command(
  OUTPUT "${share}/changelog.gz"
  COMMAND "${GZIP_PROGRAM}" -9nc "${PROJECT_SOURCE_DIR}/CHANGES.md" > "${share}/changelog.gz"
  DEPENDS "${PROJECT_SOURCE_DIR}/CHANGES.md"
  VERBATIM)
add_custom_target(manual ALL DEPENDS
  "${share}/suqiu.1.gz" "${share}/suqiu.bash" "${share}/suqiu.conf" "${share}/changelog.gz")

set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
install(TARGETS suqiu DESTINATION bin)
install(FILES "${dist}/suqiu.service" DESTINATION lib/systemd/system)
install(FILES "${dist}/sysusers.conf" DESTINATION lib/sysusers.d RENAME suqiu.conf)
install(FILES "${share}/suqiu.conf" DESTINATION /etc/suqiu)
install(FILES "${share}/suqiu.1.gz" DESTINATION share/man/man1)
install(FILES "${share}/suqiu.bash" DESTINATION share/bash-completion/completions RENAME suqiu)
install(FILES "${share}/changelog.gz" DESTINATION share/doc/suqiu)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION share/doc/suqiu RENAME copyright)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/docs/monitoring" DESTINATION share/doc/suqiu)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "suqiu <root@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "reads, counts and watches the work orders of a power hotline")
set(CPACK_PACKAGE_DESCRIPTION "Judges each work order of an electricity hotline by tables that people\n can read, finds repeat calls, runs deadline clocks by the Chinese calendar\n and keeps exact counters. One program, one data directory.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# procps has the kill of the unit's reload.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd, procps")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${dist}/debian/conffiles" "${dist}/debian/postinst" "${dist}/debian/prerm" "${dist}/debian/postrm")
include(CPack)
