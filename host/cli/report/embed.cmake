# SPDX-License-Identifier: Apache-2.0
# Write page.css and page.js as C strings: report_page_css, report_page_js.
set(text "/* Made from page.css and page.js by embed.cmake. */\n#include \"page.h\"\n")
foreach(kind css js)
  file(READ ${FOLDER}/page.${kind} bytes HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "((0x..,){16})" "\\1\n" bytes "${bytes}")
  string(APPEND text "const char report_page_${kind}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${text}")
