# Compiler settings and the helpers that every folder's CMakeLists.txt uses.

set(SP_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes
    -Wmissing-prototypes -Wwrite-strings -Werror)
set(SP_DEFINES _GNU_SOURCE _FILE_OFFSET_BITS=64)
set(SP_HARDENING -fstack-protector-strong -fno-strict-aliasing)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT SP_SANITIZE)
    list(APPEND SP_HARDENING -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
if(SP_SANITIZE)
    add_compile_options(-fsanitize=${SP_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${SP_SANITIZE})
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

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

# sp_test(name LIBS libs... FILES files...): one cmocka program, one ctest entry, with a deadline.
function(sp_test name)
    cmake_parse_arguments(T "" "TIMEOUT" "LIBS;FILES" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    add_executable(${name} ${T_FILES})
    sp_flags(${name})
    target_link_libraries(${name} PRIVATE ${T_LIBS} PkgConfig::CMOCKA)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
endfunction()
