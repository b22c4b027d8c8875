# Compiler settings and the helpers that every folder's CMakeLists.txt uses.

set(SP_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Werror)
# gcc guesses at this one: it cannot see that ret_* are written whenever SP_OK is returned, and what it guesses
# changes with every level of optimisation. valgrind and clang's analyzer look after it.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    list(APPEND SP_WARNINGS -Wno-maybe-uninitialized)
endif()
# A folder's CMakeLists.txt lists the files that differ by platform twice, as `posix` and as `win32`, and takes
# ${${SP_PLATFORM}}.
if(WIN32)
    set(SP_PLATFORM win32)
    # Windows 10; printf of the standard, not of the old C library.
    set(SP_DEFINES _WIN32_WINNT=0x0A00 NTDDI_VERSION=0x0A000006 UNICODE _UNICODE WIN32_LEAN_AND_MEAN NOMINMAX
        __USE_MINGW_ANSI_STDIO=1)
else()
    set(SP_PLATFORM posix)
    set(SP_DEFINES _GNU_SOURCE _FILE_OFFSET_BITS=64)
endif()
set(SP_HARDENING -fstack-protector-strong -fno-strict-aliasing)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT SP_SANITIZE)
    list(APPEND SP_HARDENING -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(SP_SANITIZE)
    add_compile_options(-fsanitize=${SP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SP_SANITIZE})
endif()
# All symbols are resolved before the program starts: who may write into it finds no table of functions to bend; and
# the resolver, which saves the registers on the stack, never meets one that holds a key (seen by e2e residue, in 6 of
# 25 runs under load, in the frame of a thread that burn_stack in storage/crypto.c does not reach).
if(NOT WIN32)
    add_link_options(-Wl,-z,relro,-z,now)
endif()
if(SP_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(NOT WIN32)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()

# sp_flags(target): our warnings and definitions. Includes are written from the root: "base/err.h".
function(sp_flags target)
    target_compile_options(${target} PRIVATE ${SP_WARNINGS} ${SP_HARDENING})
    target_compile_definitions(${target} PRIVATE ${SP_DEFINES} SP_VERSION="${PROJECT_VERSION}")
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endfunction()

# sp_library(name files...): a static library of one layer.
function(sp_library name)
    add_library(${name} STATIC ${ARGN})
    sp_flags(${name})
endfunction()

# sp_program(target "what it is"): one of the two programs. Windows wants to be told what it is and what it can do.
function(sp_program target what)
    sp_flags(${target})
    if(WIN32)
        sp_windows_program(${target} ${what})
    endif()
endfunction()

# sp_proto_c(target file.proto): generated C beside the build tree's copy of the folder; compiled
# without our warnings, because the generator's code is not ours.
function(sp_proto_c target file)
    get_filename_component(base ${file} NAME_WE)
    file(RELATIVE_PATH dir ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
    set(out ${PROJECT_BINARY_DIR}/${dir})
    file(MAKE_DIRECTORY ${out})
    add_custom_command(OUTPUT ${out}/${base}.pb-c.c ${out}/${base}.pb-c.h
        COMMAND ${PROTOC_C} --c_out=${out} --proto_path=${CMAKE_CURRENT_SOURCE_DIR}
            ${CMAKE_CURRENT_SOURCE_DIR}/${file}
        DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} VERBATIM)
    add_library(${target} STATIC ${out}/${base}.pb-c.c ${out}/${base}.pb-c.h)
    target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUFC)
    target_include_directories(${target} PUBLIC ${PROJECT_BINARY_DIR})
endfunction()

# What `./dev test` builds in the presets that do not run every test.
if(SP_TESTS)
    add_custom_target(thread-tests)
    add_custom_target(e2e-programs)
    add_custom_target(fuzzers)
endif()

# sp_test_names(target...): on Windows, the names of POSIX that the tests use.
function(sp_test_names)
    if(WIN32)
        foreach(target ${ARGN})
            target_compile_definitions(${target} PRIVATE _GNU_SOURCE _POSIX_THREAD_SAFE_FUNCTIONS)
            target_compile_options(${target} PRIVATE -include ${PROJECT_SOURCE_DIR}/tests/windows/names.h)
            target_link_libraries(${target} PRIVATE sp_test_names)
            if(NOT CMAKE_CROSSCOMPILING) # cmocka's own header knows no %zu there; libraries.sh puts it right
                target_compile_options(${target} PRIVATE -Wno-format)
            endif()
        endforeach()
    endif()
endfunction()

# sp_test(name LIBS libs... FILES files... [LABELS labels...]): one cmocka program, one ctest entry,
# with a deadline. The label `threads` has it run under TSan too. POSIX: it uses more of POSIX than
# tests/windows/names.h has, and is left out on Windows; WIN32: it is for Windows alone. There it runs under Wine
# when this machine is none (CMAKE_CROSSCOMPILING_EMULATOR).
function(sp_test name)
    cmake_parse_arguments(T "POSIX;WIN32" "TIMEOUT" "LIBS;FILES;LABELS" ${ARGN})
    if((T_POSIX AND WIN32) OR (T_WIN32 AND NOT WIN32))
        return()
    endif()
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    add_executable(${name} ${T_FILES})
    sp_flags(${name})
    target_link_libraries(${name} PRIVATE ${T_LIBS} PkgConfig::CMOCKA)
    sp_test_names(${name})
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
    if("threads" IN_LIST T_LABELS)
        add_dependencies(thread-tests ${name})
    endif()
endfunction()

# sp_nomem(program): memory that runs out where the test wants it to (tests/unit/base/nomem.h).
function(sp_nomem program)
    if(TARGET ${program})
        target_link_libraries(${program} PRIVATE sp_nomem)
        target_link_options(${program} PRIVATE LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)
    endif()
endfunction()

# sp_script_test(name FILE script [TIMEOUT s] [LABELS labels...] [ARGS ...]): a ctest that is a shell or
# Python script; it finds this build in SP_BUILD and the sources in SP_SOURCE. Exit 77: skipped.
function(sp_script_test name)
    cmake_parse_arguments(T "" "TIMEOUT;FILE" "LABELS;ARGS" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    # Debian's own interpreter: python3-cryptography belongs to it.
    set(interpreter /bin/bash)
    if(T_FILE MATCHES "\\.py$")
        set(interpreter /usr/bin/python3)
    endif()
    add_test(NAME ${name} COMMAND ${interpreter} ${CMAKE_CURRENT_SOURCE_DIR}/${T_FILE} ${T_ARGS})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
        SKIP_RETURN_CODE 77
        ENVIRONMENT "SP_BUILD=${PROJECT_BINARY_DIR};SP_SOURCE=${PROJECT_SOURCE_DIR}")
endfunction()

# sp_fuzz(name FILE fuzz_name.c DRIVER driver.c LIBS libs...): the file has LLVMFuzzerTestOneInput. With
# SP_FUZZ it becomes a libFuzzer program; everywhere else a ctest in which the driver runs it over
# corpus/name, so that every finding kept there stays found.
function(sp_fuzz name)
    cmake_parse_arguments(T "" "FILE;DRIVER" "LIBS" ${ARGN})
    set(target fuzz_${name})
    add_executable(${target} ${T_FILE})
    sp_flags(${target})
    target_link_libraries(${target} PRIVATE ${T_LIBS})
    if(SP_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
        add_dependencies(fuzzers ${target})
    else()
        target_sources(${target} PRIVATE ${T_DRIVER})
        add_test(NAME ${target} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
        # Fixed keys: not for the witness of tests/secrets.
        set_tests_properties(${target} PROPERTIES TIMEOUT 120 ENVIRONMENT "SP_WITNESS=")
    endif()
endfunction()

# sp_e2e(name [TIMEOUT s]): the end-to-end suite name.sh; only where no sanitizer slows the programs.
function(sp_e2e name)
    if(NOT SP_SANITIZE)
        sp_script_test(e2e_${name} FILE ${name}.sh LABELS e2e ${ARGN})
    endif()
endfunction()
