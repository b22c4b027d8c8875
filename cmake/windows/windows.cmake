# What only Windows needs, built there (MSYS2) or here (toolchain.cmake).

# Programs are whole: no DLL but the system's. The libraries are wanted static, also where others lie beside them.
set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
set(OPENSSL_USE_STATIC_LIBS ON)
# The second brings the library of the stack protector and of _FORTIFY_SOURCE.
add_link_options(-static -fstack-protector-strong)
# The first thread's stack: as much as on Linux, and as sp_thread_start gives the others.
add_link_options(-Wl,--stack,8388608)

# Loaded anywhere, in all of the address space, data not executable. What nobody calls is left out; no time of day, so
# that the same sources give the same program.
# https://learn.microsoft.com/en-us/windows/win32/debug/pe-format#dll-characteristics
add_link_options(-Wl,--dynamicbase,--high-entropy-va,--nxcompat -Wl,--gc-sections,--no-insert-timestamp)
add_compile_options(-ffunction-sections -fdata-sections)

# What the static libraries call of the system: behind them on the linker's line.
function(sp_windows_libraries)
    target_link_libraries(PkgConfig::UV INTERFACE psapi user32 advapi32 iphlpapi userenv ws2_32 dbghelp ole32
        shell32)
    target_link_libraries(OpenSSL::Crypto INTERFACE ws2_32 gdi32 crypt32 advapi32 user32)
endfunction()

# sp_windows_program(target what): version, manifest, and the symbols in a file of their own beside it.
function(sp_windows_program target what)
    set(SP_RC_NAME ${target})
    set(SP_RC_WHAT ${what})
    foreach(file rc manifest)
        configure_file(${PROJECT_SOURCE_DIR}/cmake/windows/stillpoint.${file}.in
            ${PROJECT_BINARY_DIR}/windows/${target}.${file} @ONLY)
    endforeach()
    # What the Event Log shows: a table of messages, taken into the .rc as events.rc.
    find_program(WINDMC NAMES x86_64-w64-mingw32-windmc windmc REQUIRED)
    execute_process(COMMAND ${WINDMC} -h ${PROJECT_BINARY_DIR}/windows -r ${PROJECT_BINARY_DIR}/windows
        ${PROJECT_SOURCE_DIR}/cmake/windows/events.mc COMMAND_ERROR_IS_FATAL ANY)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/windows/events.mc)
    target_sources(${target} PRIVATE ${PROJECT_BINARY_DIR}/windows/${target}.rc)
    target_include_directories(${target} PRIVATE $<$<COMPILE_LANGUAGE:RC>:${PROJECT_BINARY_DIR}/windows>)
    add_custom_command(TARGET ${target} POST_BUILD
        COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:${target}> $<TARGET_FILE:${target}>.debug
        COMMAND ${CMAKE_OBJCOPY} --strip-all --add-gnu-debuglink=$<TARGET_FILE:${target}>.debug
            $<TARGET_FILE:${target}>
        VERBATIM)
endfunction()
