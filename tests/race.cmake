# Race detection: unit tests built anew by clang with ThreadSanitizer; skipped where that is missing.
find_program(PCCT_CLANG NAMES clang-14 clang)
if(PCCT_CLANG AND NOT PCCT_SANITIZE)
  foreach(name version_race)
    pcct_test(race_${name} THREADS 2 COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/checkers/race.sh
              ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}/race/${name} ${name})
    set_tests_properties(race_${name} PROPERTIES LABELS race SKIP_RETURN_CODE 77)
  endforeach()
endif()
