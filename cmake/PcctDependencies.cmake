# Everything pcct needs, all from the distribution's packages (jobs/install-dependencies.sh).
find_package(MPI REQUIRED COMPONENTS C)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)

# A serial HDF5 that is also installed would be picked without this, silently.
set(HDF5_PREFER_PARALLEL ON)
find_package(HDF5 1.10 REQUIRED COMPONENTS C HL)
if(NOT HDF5_IS_PARALLEL)
  message(FATAL_ERROR "pcct needs a parallel HDF5 (package libhdf5-openmpi-dev), found a serial one: "
                      "${HDF5_C_LIBRARIES}")
endif()
add_library(pcct_hdf5 INTERFACE)
target_include_directories(pcct_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(pcct_hdf5 INTERFACE ${HDF5_C_HL_LIBRARIES} ${HDF5_C_LIBRARIES})

# Packages without a CMake or pkg-config file.
function(pcct_find_library target library header package)
  find_library(${target}_LIBRARY ${library})
  find_path(${target}_INCLUDE ${header})
  if(NOT ${target}_LIBRARY OR NOT ${target}_INCLUDE)
    message(FATAL_ERROR "pcct needs ${header} and lib${library} (package ${package})")
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE})
  target_link_libraries(${target} INTERFACE ${${target}_LIBRARY})
endfunction()
pcct_find_library(pcct_xxhash xxhash xxhash.h libxxhash-dev)
pcct_find_library(pcct_csv csv csv.h libcsv-dev)
pcct_find_library(pcct_lapacke lapacke lapacke.h liblapacke-dev)
# Matern covariances of any smoothness. GSL is under the GPL, and so is a binary made with it.
if(PCCT_GSL)
  pcct_find_library(pcct_gsl gsl gsl/gsl_sf_bessel.h libgsl-dev)
  target_compile_definitions(pcct_gsl INTERFACE PCCT_GSL)
endif()

find_path(PCCT_RANDOM123 Random123/philox.h)
if(NOT PCCT_RANDOM123)
  message(FATAL_ERROR "pcct needs Random123/philox.h (package librandom123-dev)")
endif()

# pcct_config.h: the version, and the commit as of every build.
add_custom_target(pcct_version
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DOUTPUT=${PROJECT_BINARY_DIR}/generated/pcct_config.h
          -P ${PROJECT_SOURCE_DIR}/cmake/WriteVersion.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/pcct_config.h VERBATIM)
