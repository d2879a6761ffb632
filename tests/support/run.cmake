# What the test scripts run.
# Runs a command, which must succeed; what it says is in `said`.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE out RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${out}")
  endif()
  set(said "${out}" PARENT_SCOPE)
endfunction()

# A program that says that all is as it should be. EMULATOR: runs it, if there is one.
function(run_program)
  run(${EMULATOR} ${ARGN})
  if(NOT said STREQUAL "as it should be\n")
    message(FATAL_ERROR "${ARGN} said: ${said}")
  endif()
endfunction()
