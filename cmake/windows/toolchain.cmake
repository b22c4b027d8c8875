# Windows (x86-64) from Debian: the compiler of gcc-mingw-w64-x86-64-win32 (Windows' own threads), and the
# libraries of libraries.sh. SP_WINDOWS_PREFIX says where those are: a cache variable or, for a build by hand,
# the environment's. All is linked into the programs, so that they import system libraries only (imports.py).

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_VERSION 10.0)
set(CMAKE_SYSTEM_PROCESSOR x86_64)

set(triplet x86_64-w64-mingw32)
set(CMAKE_C_COMPILER ${triplet}-gcc-win32)
set(CMAKE_RC_COMPILER ${triplet}-windres)

# The trials of CMake's own checks read this file anew and are to find the same libraries.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SP_WINDOWS_PREFIX)
if(NOT SP_WINDOWS_PREFIX)
    set(SP_WINDOWS_PREFIX $ENV{SP_WINDOWS_PREFIX})
endif()
if(NOT IS_DIRECTORY "${SP_WINDOWS_PREFIX}")
    message(FATAL_ERROR "SP_WINDOWS_PREFIX (\"${SP_WINDOWS_PREFIX}\") is not a folder: ./dev windows builds the "
        "libraries for Windows and says where they are.")
endif()

# Programs of this machine, headers and libraries of the other. pkg-config sees nothing but the libraries' own.
set(CMAKE_FIND_ROOT_PATH /usr/${triplet} ${SP_WINDOWS_PREFIX})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${SP_WINDOWS_PREFIX}/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

# ctest and the switches run the programs for Windows by this.
set(CMAKE_CROSSCOMPILING_EMULATOR ${CMAKE_CURRENT_LIST_DIR}/wine.sh)
