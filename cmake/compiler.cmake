# Flags of every target. -ffp-contract=off: a fused multiply-add would change the bits of exact results.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Werror -ffp-contract=off)
# GCC 12 gives false alarms at -O2 where a std::string lies in a std::variant or std::optional; the
# sanitizers look for the same mistakes without them.
add_compile_options(-Wno-maybe-uninitialized -Wno-stringop-overflow -Wno-array-bounds -Wno-restrict)
add_compile_definitions(_GLIBCXX_ASSERTIONS)
if(LOCKSTEP_SANITIZE)
  add_compile_options(-fsanitize=${LOCKSTEP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${LOCKSTEP_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # The cache may keep a precompiled header and what includes it only when told so.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
  add_compile_options(-fpch-preprocess)
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
