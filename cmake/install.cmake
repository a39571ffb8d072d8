# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where: library, headers, CMake package, pkg-config file, commands,
# recipes, man page, bash completion.
include(CMakePackageConfigHelpers)

install(TARGETS bittern EXPORT bitternTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS bittern_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(TARGET bittern_train_command)
  install(TARGETS bittern_train_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(DIRECTORY recipes DESTINATION ${CMAKE_INSTALL_DATADIR}/bittern
          FILES_MATCHING PATTERN "*.yaml")
endif()
install(DIRECTORY host/include/bittern ${CMAKE_BINARY_DIR}/host/include/bittern
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

set(BITTERN_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/bittern)
install(EXPORT bitternTargets NAMESPACE bittern:: DESTINATION ${BITTERN_PACKAGE_DIR})
configure_package_config_file(cmake/bitternConfig.cmake.in
  ${CMAKE_BINARY_DIR}/bitternConfig.cmake INSTALL_DESTINATION ${BITTERN_PACKAGE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/bitternConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/bitternConfig.cmake ${CMAKE_BINARY_DIR}/bitternConfigVersion.cmake
        DESTINATION ${BITTERN_PACKAGE_DIR})

# Relative to the file itself: the tree may be installed or moved anywhere.
file(RELATIVE_PATH PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/bittern.pc.in ${CMAKE_BINARY_DIR}/bittern.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/bittern.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES docs/man/bittern.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES scripts/completion/bittern.bash RENAME bittern
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
