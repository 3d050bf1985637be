# `cmake --install BUILD --prefix DIR` gives a tree that can be moved: bin/lockstep, and the Arrow libraries in lib/.
include(GNUInstallDirs)
if(TARGET lockstep)
  install(TARGETS lockstep RUNTIME DESTINATION bin)
  install(FILES ${LOCKSTEP_ARROW_FILES} DESTINATION lib)
  install(FILES LICENSE README.md DESTINATION share/doc/lockstep)
endif()
