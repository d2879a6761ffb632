# The kernel variants of this processor family: name, source, flags. One row adds a variant to the build; its other row is
# in engine/dispatch/select_isa.cpp (a test compares the two).
set(LANEMAX_VARIANTS all CACHE STRING "Kernel variants that are built: all of this processor family, or a list of names")
set(variant_names "")
function(lanemax_variant name)
  if(NOT LANEMAX_VARIANTS STREQUAL "all" AND NOT name IN_LIST LANEMAX_VARIANTS)
    return()
  endif()
  set(target lanemax_${name})
  add_library(${target} OBJECT ${CMAKE_CURRENT_SOURCE_DIR}/isa/${name}.cpp)
  target_include_directories(${target} SYSTEM PRIVATE ${LANEMAX_XSIMD_INCLUDE_DIR})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  # Optimised in every build type: at -O0 xsimd's inline functions become symbols that the linker may share between
  # variants (kernel code of a wider set would then run on a narrower processor).
  target_compile_options(${target} PRIVATE ${ARGN} -O3 -fno-exceptions -fno-rtti -fno-threadsafe-statics
    -fno-asynchronous-unwind-tables -fno-fast-math -ffp-contract=off -DNDEBUG)
  if(LANEMAX_TINY_BLOCKS)
    target_compile_definitions(${target} PRIVATE LANEMAX_TINY_BLOCKS)
  endif()
  target_link_libraries(${target} PRIVATE lanemax_flags)
  target_sources(lanemax PRIVATE $<TARGET_OBJECTS:${target}>)
  string(TOUPPER ${name} upper)
  target_compile_definitions(lanemax PRIVATE LANEMAX_HAVE_${upper})
  set(variant_names ${variant_names} ${name} PARENT_SCOPE)
endfunction()

# A 32-bit compiler on a 64-bit kernel names the kernel's processor.
if(CMAKE_CXX_BYTE_ORDER STREQUAL "BIG_ENDIAN" OR CMAKE_SIZEOF_VOID_P EQUAL 4)
  message(FATAL_ERROR "lanemax is for little-endian 64-bit machines; ${CMAKE_CXX_COMPILER} compiles for another (${CMAKE_CXX_BYTE_ORDER}, pointers of ${CMAKE_SIZEOF_VOID_P} bytes)")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  lanemax_variant(avx512 -march=x86-64-v4 -mtune=generic -mprefer-vector-width=512
    $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  lanemax_variant(avx2_fma -march=x86-64-v3 -mtune=generic)
  lanemax_variant(sse2 -march=x86-64 -mtune=generic)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  # Pre-register-allocation scheduling spills the accumulators of the widest tiles; it is off by default on x86.
  lanemax_variant(neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
else()
  message(FATAL_ERROR "lanemax has kernels for x86-64 and AArch64, and none for the processor '${CMAKE_SYSTEM_PROCESSOR}' (CMAKE_SYSTEM_PROCESSOR)")
endif()
foreach(name IN LISTS LANEMAX_VARIANTS)
  if(NOT name STREQUAL "all" AND NOT name IN_LIST variant_names)
    message(FATAL_ERROR "LANEMAX_VARIANTS names '${name}', which is no variant of ${CMAKE_SYSTEM_PROCESSOR}")
  endif()
endforeach()
if(NOT variant_names)
  message(FATAL_ERROR "LANEMAX_VARIANTS is empty: must be all, or a list of names")
endif()
