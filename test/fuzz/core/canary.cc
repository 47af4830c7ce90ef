// The target that must fail: its planted bug trusts a length that the packet states, as parsers do.
// Found within a second when fuzzer and sanitizer work; a run that does not find it proves that the
// other runs prove nothing.
#include <cstddef>
#include <cstdint>

namespace {

// "uv", a length, that many bytes.
int sum_of(const uint8_t* data, size_t size) {
  if (size < 3 || data[0] != 'u' || data[1] != 'v') return 0;
  int sum = 0;
  for (size_t i = 0; i < data[2]; i++) sum += data[3 + i];
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const volatile int result = sum_of(data, size);
  (void)result;
  return 0;
}
