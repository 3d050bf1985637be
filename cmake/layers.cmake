# Precompiled headers, one for the layers and one for their tests: a header precompiled in each target costs 60 MB and
# five seconds each time. They are valid only for the same code generation flags in all targets.
# The tests need not be fast, only built fast: -O1 costs no more than -O0 but under the sanitizers, where it doubles it.
set(LOCKSTEP_TEST_OPTIMISATION -O1)
if(LOCKSTEP_SANITIZE)
  set(LOCKSTEP_TEST_OPTIMISATION -O0)
endif()

function(lockstep_precompiled target header)
  add_library(${target} OBJECT EXCLUDE_FROM_ALL "${CMAKE_SOURCE_DIR}/cmake/precompiled.cpp")
  target_link_libraries(${target} PRIVATE fmt::fmt Threads::Threads ${ARGN})
  target_precompile_headers(${target} PRIVATE "${CMAKE_SOURCE_DIR}/cmake/${header}")
endfunction()

lockstep_precompiled(lockstep_pch common_pch.h)
if(LOCKSTEP_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  find_library(RAPIDCHECK rapidcheck REQUIRED)
  add_custom_target(unit_tests)  # all of them, without the program
  lockstep_precompiled(lockstep_test_pch test_pch.h GTest::gtest)
  target_compile_options(lockstep_test_pch PRIVATE ${LOCKSTEP_TEST_OPTIMISATION})
endif()

# Arrow's headers cost more than what is behind them, so files that include them are compiled together. Their
# anonymous namespaces become one: a name stands in one file of a layer only.
function(lockstep_unity target)
  if(LOCKSTEP_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
    # A class of a header that holds one of its file's own: GCC takes the file for a header here.
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# lockstep_layer(NAME [ARROW] [PROGRAM exe] [LINK libraries...])
# A layer is the folder src/NAME as a static library, with its unit tests in tests/NAME as test_NAME.
# ARROW: links Arrow.
# PROGRAM: src/NAME/main.cpp becomes the executable exe.
function(lockstep_layer name)
  cmake_parse_arguments(layer "ARROW" "PROGRAM" "LINK" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${name}/*.cpp")
  list(REMOVE_ITEM sources "${CMAKE_SOURCE_DIR}/src/${name}/main.cpp")
  set(target lockstep_${name})
  if(layer_PROGRAM)
    # The executable takes the program's name; its parts stay a library so that tests can link them.
    set(target lockstep_${name}_layer)
  endif()
  if(NOT sources)
    return()
  endif()
  add_library(${target} STATIC ${sources})
  # One text for each instruction set.
  set(kernels ${sources})
  list(FILTER kernels INCLUDE REGEX "/kernel_[^/]*$")
  set_source_files_properties(${kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(${target} PUBLIC ${layer_LINK} Threads::Threads)
  if(layer_ARROW)
    target_link_libraries(${target} PUBLIC lockstep_arrow)
    lockstep_unity(${target})
  endif()
  target_precompile_headers(${target} REUSE_FROM lockstep_pch)
  if(layer_PROGRAM AND EXISTS "${CMAKE_SOURCE_DIR}/src/${name}/main.cpp")
    add_executable(${layer_PROGRAM} "src/${name}/main.cpp")
    target_link_libraries(${layer_PROGRAM} PRIVATE ${target})
    set_target_properties(${layer_PROGRAM} PROPERTIES BUILD_RPATH "${LOCKSTEP_PYARROW}" INSTALL_RPATH "$ORIGIN/../lib")
  endif()
  lockstep_tests(${name} ${target})
endfunction()

function(lockstep_tests name target)
  if(NOT LOCKSTEP_TESTS)
    return()
  endif()
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${name}/*_test.cpp")
  if(NOT tests)
    return()
  endif()
  add_executable(test_${name} ${tests})
  target_include_directories(test_${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(test_${name} PRIVATE LOCKSTEP_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  # GoogleTest's and rapidcheck's own macros trip over these; the code under test does not.
  target_compile_options(test_${name} PRIVATE -Wno-conversion -Wno-shadow -Wno-pedantic ${LOCKSTEP_TEST_OPTIMISATION})
  target_link_libraries(test_${name} PRIVATE ${target} GTest::gtest GTest::gmock GTest::gtest_main ${RAPIDCHECK})
  set_target_properties(test_${name} PROPERTIES BUILD_RPATH "${LOCKSTEP_PYARROW}")
  target_precompile_headers(test_${name} REUSE_FROM lockstep_test_pch)
  add_dependencies(unit_tests test_${name})
  add_test(NAME ${name} COMMAND test_${name})
endfunction()
