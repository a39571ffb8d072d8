# SPDX-License-Identifier: Apache-2.0
# ONNX's own schema as C: onnx.pb-c.{h,c} made by protoc-c in the build tree.
find_program(PROTOC_C protoc-c)
if(NOT PROTOC_C)
  message(FATAL_ERROR "protoc-c is missing; install the package protobuf-c-compiler")
endif()
find_file(ONNX_PROTO onnx.proto PATH_SUFFIXES onnx PATHS /usr/include /usr/local/include)
if(NOT ONNX_PROTO)
  message(FATAL_ERROR "onnx.proto is missing; install the package libonnx-dev")
endif()
get_filename_component(ONNX_PROTO_FOLDER ${ONNX_PROTO} DIRECTORY)
set(ONNX_SCHEMA ${CMAKE_CURRENT_BINARY_DIR}/onnx_schema)
file(MAKE_DIRECTORY ${ONNX_SCHEMA})
add_custom_command(
  OUTPUT ${ONNX_SCHEMA}/onnx.pb-c.c ${ONNX_SCHEMA}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${ONNX_SCHEMA} --proto_path=${ONNX_PROTO_FOLDER} ${ONNX_PROTO}
  DEPENDS ${ONNX_PROTO}
  COMMENT "Generating ONNX's schema")
target_sources(bittern_objects PRIVATE ${ONNX_SCHEMA}/onnx.pb-c.c ${ONNX_SCHEMA}/onnx.pb-c.h)
# Generated code is not held to our warnings.
set_source_files_properties(${ONNX_SCHEMA}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
target_include_directories(bittern_objects SYSTEM PUBLIC ${ONNX_SCHEMA})
