// parse with any bytes: nothing outside the frame is read, and everything a result promises holds.
#include "core/net/parse.h"

#include "fuzz_frame.h"
#include "parsed_promises.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace uvs::test;
  FuzzInput input(data, size);
  const OwnedFrame frame = input.frame(0);
  FUZZ_REQUIRE(broken_promise(frame, uvs::parse(frame)) == "");
  return 0;
}
