// main() of every doctest executable of this repository. Nothing else belongs here: it is linked
// into each of them. Options and filters are doctest's own (`--test-case=…`, `--help`).
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
