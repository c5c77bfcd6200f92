# Adds kernels/cuda/ to the native library where nvcc is found and belongs to the CUDA that libtorch was built with. Included by CMakeLists.txt.
# Other cards than those of compute capability 8.x and 9.0: set CUDAARCHS (CMake's own environment variable) before the first build.
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "CUDA kernels: not built, nvcc was not found")
  return()
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND NOT DEFINED ENV{CUDAARCHS})
  # Code for 8.0 runs on every 8.x; what 9.0 leaves beside its code is compiled for newer cards when it is loaded.
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
enable_language(CUDA)
find_package(CUDAToolkit)

# Two runtimes of different major versions in one process do not share their state.
file(STRINGS "${LIBRARY_c10_cuda}" CUDART_NAME REGEX "libcudart[^ ]*\\.so\\.[0-9]+" LIMIT_COUNT 1)
string(REGEX MATCH "libcudart[^ ]*\\.so\\.([0-9]+)" _ "${CUDART_NAME}")
set(TORCH_CUDA_MAJOR "${CMAKE_MATCH_1}")
if(NOT CUDAToolkit_FOUND OR (TORCH_CUDA_MAJOR AND NOT TORCH_CUDA_MAJOR EQUAL CUDAToolkit_VERSION_MAJOR))
  message(STATUS "CUDA kernels: not built, libtorch is for CUDA ${TORCH_CUDA_MAJOR} and the toolkit is ${CUDAToolkit_VERSION}")
  return()
endif()

# The kernels know nothing of libtorch, so nvcc reads none of its headers and none of its flags.
file(GLOB CUDA_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/kernels/cuda/*.cu")
add_library(lorabuild_cuda STATIC ${CUDA_SOURCES})
set_target_properties(lorabuild_cuda PROPERTIES
  CUDA_STANDARD 17
  CUDA_STANDARD_REQUIRED ON
  CUDA_RUNTIME_LIBRARY Shared
  CUDA_VISIBILITY_PRESET hidden
  POSITION_INDEPENDENT_CODE ON)
target_compile_options(lorabuild_cuda PRIVATE -O3 --Werror all-warnings -Xcompiler=-Wall,-Wextra,-Werror)

file(GLOB CUDA_GLUE CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/kernels/cuda/*.cpp")
target_sources(lorabuild_torch PRIVATE ${CUDA_GLUE})
set_target_properties(lorabuild_torch PROPERTIES CUDA_RUNTIME_LIBRARY Shared LINKER_LANGUAGE CXX)
target_compile_definitions(lorabuild_torch PRIVATE LB_HAS_CUDA)
target_include_directories(lorabuild_torch SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_link_libraries(lorabuild_torch PRIVATE lorabuild_cuda CUDA::cudart)
message(STATUS "CUDA kernels: built with ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
