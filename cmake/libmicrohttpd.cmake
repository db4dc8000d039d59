# SPDX-License-Identifier: Apache-2.0
#
# libmicrohttpd 1.0.10 or newer, as the static library: from SAC_DEPS_DIR when deploy/deps.sh built
# one there, else the system's.  Static, since server/library_errors.c replaces functions of it with
# the linker's --wrap, which a shared library would not notice.
set(SAC_MHD_MINIMUM 1.0.10)

find_path(SAC_MHD_INCLUDE microhttpd.h HINTS "${SAC_DEPS_DIR}/include" NO_CACHE)
find_library(SAC_MHD_LIBRARY NAMES libmicrohttpd.a HINTS "${SAC_DEPS_DIR}/lib" NO_CACHE)
if(NOT SAC_MHD_INCLUDE OR NOT SAC_MHD_LIBRARY)
    message(FATAL_ERROR "libmicrohttpd.a not found: run deploy/deps.sh")
endif()

file(STRINGS "${SAC_MHD_INCLUDE}/microhttpd.h" sac_mhd_version_line REGEX "#define MHD_VERSION 0x")
string(REGEX REPLACE ".*0x0*([0-9]+)([0-9][0-9])([0-9][0-9])([0-9][0-9]).*" "\\1.\\2.\\3"
       sac_mhd_version "${sac_mhd_version_line}")
string(REGEX REPLACE "\\.0([0-9])" ".\\1" sac_mhd_version "${sac_mhd_version}")
if(sac_mhd_version VERSION_LESS SAC_MHD_MINIMUM)
    message(FATAL_ERROR "libmicrohttpd ${sac_mhd_version} in ${SAC_MHD_LIBRARY} is older than "
                        "${SAC_MHD_MINIMUM}: run deploy/deps.sh")
endif()
message(STATUS "libmicrohttpd ${sac_mhd_version}: ${SAC_MHD_LIBRARY}")

add_library(sac_microhttpd STATIC IMPORTED)
set_target_properties(sac_microhttpd PROPERTIES IMPORTED_LOCATION "${SAC_MHD_LIBRARY}")
target_include_directories(sac_microhttpd SYSTEM INTERFACE "${SAC_MHD_INCLUDE}")
target_link_libraries(sac_microhttpd INTERFACE PkgConfig::GNUTLS Threads::Threads)
