# SPDX-License-Identifier: Apache-2.0
# The Xilinx Runtime: Debian's libxrt-dev, whose pkg-config file names folders that are not there,
# or AMD's own package, for which `source /opt/xilinx/xrt/setup.sh` sets XILINX_XRT.
# Defines the target XRT::coreutil, and XRT_FOUND.
find_path(XRT_INCLUDE_DIR NAMES xrt/xrt_kernel.h PATH_SUFFIXES xrt
          HINTS $ENV{XILINX_XRT}/include /opt/xilinx/xrt/include)
find_library(XRT_COREUTIL_LIBRARY xrt_coreutil HINTS $ENV{XILINX_XRT}/lib /opt/xilinx/xrt/lib)
# XRT's headers include it; Debian's package does not ask for it.
find_path(XRT_UUID_INCLUDE_DIR NAMES uuid/uuid.h)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XRT REQUIRED_VARS XRT_COREUTIL_LIBRARY XRT_INCLUDE_DIR
                                  XRT_UUID_INCLUDE_DIR)
mark_as_advanced(XRT_INCLUDE_DIR XRT_COREUTIL_LIBRARY XRT_UUID_INCLUDE_DIR)
if(XRT_FOUND AND NOT TARGET XRT::coreutil)
  add_library(XRT::coreutil UNKNOWN IMPORTED)
  set_target_properties(XRT::coreutil PROPERTIES IMPORTED_LOCATION ${XRT_COREUTIL_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${XRT_INCLUDE_DIR};${XRT_UUID_INCLUDE_DIR}")
endif()
