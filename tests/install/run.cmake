# SPDX-License-Identifier: Apache-2.0
# Install into a folder of its own, then build and run a program against it, once through the CMake
# package and once through pkg-config.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(PREFIX ${WORK}/prefix)
set(FLAGS "")
if(SANITIZE)
  set(FLAGS "-fsanitize=address,undefined")
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}\nended with ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX})

run(${CMAKE_COMMAND} -S ${SOURCE}/consumer -B ${WORK}/consumer -DCMAKE_PREFIX_PATH=${PREFIX}
    -DCMAKE_C_FLAGS=${FLAGS} -DVERSION=${VERSION})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/consumer)
if(NOT output MATCHES "bittern ${VERSION}")
  message(FATAL_ERROR "the program built through the CMake package printed: ${output}")
endif()

file(GLOB_RECURSE pc ${PREFIX}/*/bittern.pc)
get_filename_component(pc_folder ${pc} DIRECTORY)
get_filename_component(lib_folder ${pc_folder} DIRECTORY)
set(ENV{PKG_CONFIG_PATH} ${pc_folder})
run(sh -c "cc ${FLAGS} ${SOURCE}/consumer/consumer.c -o ${WORK}/consumer-pc \
  $(pkg-config --cflags --libs bittern) -Wl,-rpath,${lib_folder}")
run(${WORK}/consumer-pc)

foreach(file bin/bittern share/man/man1/bittern.1 share/bash-completion/completions/bittern)
  if(NOT EXISTS ${PREFIX}/${file})
    message(FATAL_ERROR "${file} was not installed")
  endif()
endforeach()
run(${PREFIX}/bin/bittern --version)
if(NOT output MATCHES "bittern ${VERSION}")
  message(FATAL_ERROR "the installed command printed: ${output}")
endif()
if(TRAINER)
  if(NOT EXISTS ${PREFIX}/bin/bittern-train)
    message(FATAL_ERROR "bin/bittern-train was not installed")
  endif()
  run(${CMAKE_COMMAND} -E chdir ${WORK} ${PREFIX}/bin/bittern train --list)
  if(NOT output MATCHES "/share/bittern/recipes:" OR
     NOT output MATCHES "mnist-lenet5-sq.yaml")
    message(FATAL_ERROR "the installed trainer does not find the installed recipes: ${output}")
  endif()
endif()
