# What `cmake --install` puts where: the library with its headers, the CMake and pkg-config files, the command.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS lanemax EXPORT lanemax-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/lanemax DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set_target_properties(lanemax PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})

# A static library leaves it to its users to link OpenMP.
set(LANEMAX_LINKS_OPENMP OFF)
set(LANEMAX_PRIVATE_LIBS "-lstdc++ -lm")
if(OpenMP_CXX_FOUND AND NOT BUILD_SHARED_LIBS)
  set(LANEMAX_LINKS_OPENMP ON)
  string(APPEND LANEMAX_PRIVATE_LIBS " ${OpenMP_CXX_FLAGS}")
endif()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lanemax)
install(EXPORT lanemax-targets NAMESPACE lanemax:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lanemax-config.cmake.in ${PROJECT_BINARY_DIR}/lanemax-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lanemax-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lanemax.pc.in ${PROJECT_BINARY_DIR}/lanemax.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lanemax-config.cmake ${PROJECT_BINARY_DIR}/lanemax-config-version.cmake
  DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/lanemax.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET lanemax_command)
  install(TARGETS lanemax_command DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
