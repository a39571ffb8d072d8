# SPDX-License-Identifier: Apache-2.0
# Toolchain file for 64-bit ARM hosts (KV260, ZCU104): Debian's cross compiler, libraries from
# BITTERN_AARCH64_SYSROOT (made by scripts/aarch64-sysroot.sh), programs run by qemu-aarch64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
# For a backend in C++, where one is built.
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(BITTERN_AARCH64_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64-sysroot CACHE PATH
    "Folder with the arm64 libraries")
# CMake's own checks read this file, too, in projects of their own.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BITTERN_AARCH64_SYSROOT)
get_filename_component(CMAKE_SYSROOT ${BITTERN_AARCH64_SYSROOT} ABSOLUTE)
if(NOT EXISTS ${CMAKE_SYSROOT}/usr/include)
  message(FATAL_ERROR "${CMAKE_SYSROOT} has no libraries: run scripts/aarch64-sysroot.sh, or set "
                      "BITTERN_AARCH64_SYSROOT to the sysroot of your board's system")
endif()
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Libraries that are linked need theirs: the linker finds them there too.
foreach(folder /lib/aarch64-linux-gnu /usr/lib/aarch64-linux-gnu)
  string(APPEND CMAKE_EXE_LINKER_FLAGS_INIT " -Wl,-rpath-link,${CMAKE_SYSROOT}${folder}")
  string(APPEND CMAKE_SHARED_LINKER_FLAGS_INIT " -Wl,-rpath-link,${CMAKE_SYSROOT}${folder}")
endforeach()

# Programs that run at build time are this machine's; everything else is the board's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
    ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

find_program(QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_AARCH64} -L ${CMAKE_SYSROOT})
endif()
