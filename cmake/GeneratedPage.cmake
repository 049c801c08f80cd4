# cmake -DTITLE=... -DSOURCE=... -DPAGE=... -P GeneratedPage.cmake: a page of mlir-tblgen as a page of ours. It gets our
# title and a word on where it comes from; the mark for a table of contents, which only MLIR's site fills, is dropped.
file(READ ${SOURCE} text)
string(REGEX REPLACE "^<!--[^\n]*-->\n*" "" text "${text}")
string(REGEX REPLACE "^# [^\n]*\n*" "" text "${text}")
string(REPLACE "[TOC]\n\n" "" text "${text}")
string(REGEX REPLACE " +\n" "\n" text "${text}")
string(REGEX REPLACE "\n\n\n+" "\n\n" text "${text}")
string(STRIP "${text}" text)
file(WRITE ${PAGE} "<!-- Written by TableGen; edit the .td files, then run ./dev docs -->\n\n# ${TITLE}\n\n${text}\n")
