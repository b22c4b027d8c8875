# Switches: each takes one barrier, one flush or one check out of the product, and the suite named in it has to
# turn red. A suite that stays green without the check does not test it. The format is told by
# tests/switches/mutate.py; what counts as red by tests/switches/red.py.

# sp_switch(folder/name...): the switches tests/<folder>/switches/<name>.switch. Those with `program:` break
# stillpoint or stillpointd under an end-to-end suite, so they are built where those run.
function(sp_switch)
    foreach(switch ${ARGN})
        get_filename_component(folder ${switch} DIRECTORY)
        get_filename_component(name ${switch} NAME)
        set(file ${PROJECT_SOURCE_DIR}/tests/${folder}/switches/${name}.switch)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
        foreach(key rule suite file program platform args hangs seed)
            set(S_${key} "")
            file(STRINGS ${file} line REGEX "^${key}: " LIMIT_COUNT 1)
            if(line)
                string(REGEX REPLACE "^${key}: *" "" S_${key} "${line}")
            endif()
        endforeach()
        if(NOT S_rule OR NOT S_suite OR NOT S_file)
            message(FATAL_ERROR "${file}: rule, suite and file must be said.")
        endif()
        # What only Windows has is taken away there; the rest here, where the sanitizers are.
        if(NOT S_platform)
            set(S_platform posix)
            if(S_file MATCHES "_win32\\.c$")
                set(S_platform win32)
            endif()
        endif()
        if(NOT S_platform STREQUAL SP_PLATFORM)
            continue()
        endif()
        if(S_program AND NOT SP_SANITIZE)
            sp_switch_build(switch_${name} ${S_program} ${S_file} ${file})
            add_dependencies(e2e-programs switch_${name})
            set(run /bin/bash ${PROJECT_SOURCE_DIR}/tests/${S_suite})
            set(label e2e)
        elseif(NOT S_program AND (SP_SANITIZE MATCHES "address" OR WIN32))
            sp_switch_build(switch_${name} ${S_suite} ${S_file} ${file})
            set(run ${CMAKE_CROSSCOMPILING_EMULATOR})
            if(SP_RUN_${S_suite}) # something else has to start it
                set(run ${SP_RUN_${S_suite}})
            endif()
            list(APPEND run $<TARGET_FILE:switch_${name}>)
            set(label unit)
        else()
            continue()
        endif()
        separate_arguments(arguments UNIX_COMMAND "${S_args}")
        string(REPLACE "@SOURCE@" "${PROJECT_SOURCE_DIR}" arguments "${arguments}")
        set(hangs "")
        if(S_hangs STREQUAL "yes")
            set(hangs --hangs)
        endif()
        add_test(NAME switch_${name}
            COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/switches/red.py ${hangs} -- ${run} ${arguments})
        if(NOT S_seed)
            set(S_seed 1)
        endif()
        set(environment "SP_BUILD=${PROJECT_BINARY_DIR};SP_SOURCE=${PROJECT_SOURCE_DIR};SP_WITNESS=;SP_SEED=${S_seed}")
        if(S_program)
            list(APPEND environment "SP_PROGRAM_${S_program}=$<TARGET_FILE:switch_${name}>")
        endif()
        set_tests_properties(switch_${name} PROPERTIES TIMEOUT 180 LABELS "${label};switches"
            ENVIRONMENT "${environment}" SKIP_RETURN_CODE 77)
    endforeach()
endfunction()

# The program `like` once more, with `source` as the switch leaves it. Its object comes before the libraries on
# the linker's line, so that theirs is not taken.
function(sp_switch_build target like source file)
    set(mutated ${PROJECT_BINARY_DIR}/switches/${target}.c)
    add_custom_command(OUTPUT ${mutated}
        COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/switches/mutate.py ${file} ${PROJECT_SOURCE_DIR}
            ${mutated}
        DEPENDS ${file} ${PROJECT_SOURCE_DIR}/${source} ${PROJECT_SOURCE_DIR}/tests/switches/mutate.py VERBATIM)
    add_executable(${target} ${mutated} $<TARGET_OBJECTS:${like}>)
    sp_flags(${target})
    target_compile_options(${target} PRIVATE -w)
    target_link_libraries(${target} PRIVATE $<TARGET_PROPERTY:${like},LINK_LIBRARIES>)
    target_link_options(${target} PRIVATE $<TARGET_PROPERTY:${like},LINK_OPTIONS>)
endfunction()
