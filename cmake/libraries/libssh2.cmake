# libssh2 as PkgConfig::LIBSSH2. SP_LIBSSH2 says which:
#   patched  the default: 1.11.1 with Debian's security patches and our own (cmake/libraries/versions, patches/libssh2),
#            built here, linked static
#   system   what pkg-config finds. Debian 12's own is 1.10: no AES-GCM, no login with RSA keys to OpenSSH 8.8 and
#            newer, no strict key exchange (CVE-2023-48795). See docs/sftp.md.
# For Windows pkg-config finds the one of cmake/windows/libraries.sh, which is the patched one too, or MSYS2's.
set(SP_LIBSSH2 patched CACHE STRING "libssh2: patched (built from Debian's source package) or system")
set_property(CACHE SP_LIBSSH2 PROPERTY STRINGS patched system)
set(SP_LIBRARIES ${PROJECT_SOURCE_DIR}/build/libraries CACHE PATH "where libraries are built, once for all builds")
if(WIN32 OR SP_LIBSSH2 STREQUAL "system")
    pkg_check_modules(LIBSSH2 REQUIRED IMPORTED_TARGET libssh2)
elseif(SP_LIBSSH2 STREQUAL "patched")
    execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/libssh2.sh ${SP_LIBRARIES} ${CMAKE_C_COMPILER}
        OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE code)
    if(NOT code EQUAL 0)
        message(FATAL_ERROR "libssh2 could not be built from Debian's source package (see above, and "
            "${SP_LIBRARIES}/libssh2.log). On a machine that cannot fetch it, install libssh2-1-dev and configure "
            "with -DSP_LIBSSH2=system: that takes the machine's own libssh2; docs/sftp.md says what is missing in "
            "an old one.")
    endif()
    add_library(PkgConfig::LIBSSH2 STATIC IMPORTED GLOBAL)
    set_target_properties(PkgConfig::LIBSSH2 PROPERTIES IMPORTED_LOCATION ${prefix}/lib/libssh2.a
        INTERFACE_INCLUDE_DIRECTORIES ${prefix}/include INTERFACE_LINK_LIBRARIES OpenSSL::Crypto
        INTERFACE_COMPILE_DEFINITIONS SP_LIBSSH2_PATCHED)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${CMAKE_CURRENT_LIST_DIR}/libssh2.sh ${CMAKE_CURRENT_LIST_DIR}/versions)
else()
    message(FATAL_ERROR "SP_LIBSSH2 is \"${SP_LIBSSH2}\"; it takes patched or system.")
endif()
