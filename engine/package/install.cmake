# What `cmake --install` puts where, in two components:
#   lanemax_runtime      the command, a shared library
#   lanemax_development  headers, a static library or the shared one's name to link, the CMake and pkg-config files
include(CMakePackageConfigHelpers)

install(TARGETS lanemax EXPORT lanemax-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT lanemax_development
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT lanemax_runtime NAMELINK_COMPONENT lanemax_development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/lanemax DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT lanemax_development)
# The number of C's version node, LANEMAX_1: C programs stay with it. C++ programs of another minor version lack their node.
set_target_properties(lanemax PROPERTIES VERSION 1.${PROJECT_VERSION} SOVERSION 1)

# A static library leaves it to its users to link what its threads need.
set(LANEMAX_LINKS "")
set(LANEMAX_PRIVATE_LIBS "-lstdc++ -lm")
if(NOT BUILD_SHARED_LIBS AND LANEMAX_THREADS STREQUAL "own")
  set(LANEMAX_LINKS "find_dependency(Threads)")
  string(APPEND LANEMAX_PRIVATE_LIBS " -pthread")
elseif(NOT BUILD_SHARED_LIBS AND LANEMAX_THREADS STREQUAL "openmp")
  set(LANEMAX_LINKS "find_dependency(OpenMP COMPONENTS CXX)")
  string(APPEND LANEMAX_PRIVATE_LIBS " ${OpenMP_CXX_FLAGS}")
endif()
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/lanemax)
install(EXPORT lanemax-targets NAMESPACE lanemax:: DESTINATION ${package_dir} COMPONENT lanemax_development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/lanemax-config.cmake.in ${PROJECT_BINARY_DIR}/lanemax-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/lanemax-config-version.cmake COMPATIBILITY SameMinorVersion)
# Paths in the pkg-config file start from where it is: an installation may be moved. Not so where the directories are absolute.
set(LANEMAX_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(LANEMAX_PC_PREFIX "/")
  cmake_path(RELATIVE_PATH LANEMAX_PC_PREFIX BASE_DIRECTORY "/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  string(PREPEND LANEMAX_PC_PREFIX "\${pcfiledir}/")
endif()
cmake_path(APPEND LANEMAX_PC_LIBDIR "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
cmake_path(APPEND LANEMAX_PC_INCLUDEDIR "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}")
foreach(path PREFIX LIBDIR INCLUDEDIR)
  string(REPLACE " " "\\ " LANEMAX_PC_${path} "${LANEMAX_PC_${path}}")  # ${pcfiledir} comes with its blanks escaped
endforeach()
set(LANEMAX_PC_LIBS "")
if(NOT BUILD_SHARED_LIBS)
  set(LANEMAX_PC_LIBS "${LANEMAX_PRIVATE_LIBS}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/lanemax.pc.in ${PROJECT_BINARY_DIR}/lanemax.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/lanemax-config.cmake ${PROJECT_BINARY_DIR}/lanemax-config-version.cmake
  DESTINATION ${package_dir} COMPONENT lanemax_development)
install(FILES ${PROJECT_BINARY_DIR}/lanemax.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT lanemax_development)

if(TARGET lanemax_command)
  install(TARGETS lanemax_command DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT lanemax_runtime)
  set(completions ${CMAKE_CURRENT_LIST_DIR}/completions)
  install(FILES ${completions}/lanemax.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME lanemax COMPONENT lanemax_runtime)
  install(FILES ${completions}/_lanemax DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT lanemax_runtime)
  install(FILES ${completions}/lanemax.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT lanemax_runtime)
  # The manual page is the command's own help.
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(STATUS "lanemax: no manual page, as this machine cannot run the command that is built")
  else()
    set(manual ${CMAKE_CURRENT_LIST_DIR}/manual.cmake)
    add_custom_command(TARGET lanemax_command POST_BUILD BYPRODUCTS ${PROJECT_BINARY_DIR}/lanemax.1 VERBATIM
      COMMAND ${CMAKE_COMMAND} -DLANEMAX=$<TARGET_FILE:lanemax_command> "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}"
        -DOUTPUT=${PROJECT_BINARY_DIR}/lanemax.1 -P ${manual})
    set_property(TARGET lanemax_command APPEND PROPERTY LINK_DEPENDS ${manual})
    install(FILES ${PROJECT_BINARY_DIR}/lanemax.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT lanemax_runtime)
  endif()
endif()

if(PROJECT_IS_TOP_LEVEL)
  include(${CMAKE_CURRENT_LIST_DIR}/deb.cmake)
endif()
