# SPDX-License-Identifier: Apache-2.0
#
# cmake -DINPUT=file -DOUTPUT=file.c -DHEADER=declaring.h -DNAME=symbol -P embed.cmake
#
# Writes C that defines 'symbol' with the bytes of an ASCII file and 'symbol_size' with their number.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\n"
     "const char ${NAME}[] = {\n    ${bytes}\n};\n"
     "const size_t ${NAME}_size = sizeof ${NAME};\n")
