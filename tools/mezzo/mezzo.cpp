//===- mezzo.cpp - one tool with verbs ------------------------------------===//
//
// Exit codes: 0 done, 1 a user's error (the message says what to do), 2 wrong
// usage, 3 a bug of ours.
//
//===----------------------------------------------------------------------===//

#include "tools/driver/Verbs.h"

int main(int argc, char **argv) { return mezzo::runTool(argc, argv); }
