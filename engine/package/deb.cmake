# Debian packages, by `cpack -G DEB`: `lanemax` is the runtime component, `liblanemax-dev` the other one. Configured with
# -DCMAKE_INSTALL_PREFIX=/usr, libraries lie where Debian has them (GNUInstallDirs).
if(TARGET lanemax_command OR BUILD_SHARED_LIBS)
  list(APPEND CPACK_COMPONENTS_ALL lanemax_runtime)
endif()
list(APPEND CPACK_COMPONENTS_ALL lanemax_development)
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_LANEMAX_RUNTIME_PACKAGE_NAME lanemax)
set(CPACK_DEBIAN_LANEMAX_DEVELOPMENT_PACKAGE_NAME liblanemax-dev)
set(CPACK_DEBIAN_LANEMAX_RUNTIME_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LANEMAX_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_VERBATIM_VARIABLES ON)

# Whoever makes packages for others says who he is, as with Debian's own tools.
set(CPACK_PACKAGE_CONTACT "the lanemax authors <lanemax@localhost>")
if(DEFINED ENV{DEBEMAIL})
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has a first line of its own
set(CPACK_DEBIAN_LANEMAX_RUNTIME_DESCRIPTION "softmax linear classifiers on CPUs
Trains softmax (multinomial logistic), hinge and logistic linear classifiers
on IDX and CSV files to the true optimum, evaluates them and predicts with
them. Kernels for SSE2, AVX2, AVX-512 or NEON are chosen at run time, and the
same data gives the same model for any number of threads.")
set(CPACK_DEBIAN_LANEMAX_DEVELOPMENT_DESCRIPTION "softmax linear classifier engine for CPUs (development files)
C++20 headers and the library, with files for CMake and pkg-config, for
programs that train softmax linear classifiers or predict with them.")

find_program(LANEMAX_SHLIBDEPS dpkg-shlibdeps)
find_program(LANEMAX_FILE file)
mark_as_advanced(LANEMAX_SHLIBDEPS LANEMAX_FILE)
if(LANEMAX_SHLIBDEPS AND LANEMAX_FILE)
  set(CPACK_DEBIAN_LANEMAX_RUNTIME_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ${BUILD_SHARED_LIBS})
else()
  set(CPACK_DEBIAN_LANEMAX_RUNTIME_PACKAGE_DEPENDS "libc6, libgcc-s1, libstdc++6, zlib1g")
  if(LANEMAX_THREADS STREQUAL "openmp")
    string(APPEND CPACK_DEBIAN_LANEMAX_RUNTIME_PACKAGE_DEPENDS ", libgomp1")
  endif()
endif()
if(BUILD_SHARED_LIBS)
  set(CPACK_DEBIAN_LANEMAX_DEVELOPMENT_PACKAGE_DEPENDS "lanemax (= ${PROJECT_VERSION})")
endif()
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/deb_files.cmake)
include(CPack)
