// What a native test needs of the machine: `UVS_REQUIRES("root", "bpf");` as its first line.
// Where something is lacking the case returns at once and prints a line `uvs-skip: …`, which
// scripts/test.mjs counts as a skip (doctest itself cannot skip a running case). May not change
// anything on the machine.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <string>
#include <string_view>

namespace uvs::test {

/** Bit numbers of linux/capability.h. */
inline constexpr int kCapNetAdmin = 12, kCapSysAdmin = 21, kCapBpf = 39;

inline bool has_capability(int bit) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:"))
      return (std::stoull(line.substr(7), nullptr, 16) >> bit & 1) != 0;
  }
  return false;
}

/** Empty when every need ("root", "bpf") is met, else what is lacking. */
inline std::string lacking(std::initializer_list<std::string_view> needs) {
  std::string lack;
  for (const std::string_view need : needs) {
    const bool met = need == "root"  ? geteuid() == 0 && has_capability(kCapNetAdmin)
                     : need == "bpf" ? has_capability(kCapBpf) || has_capability(kCapSysAdmin)
                                     : false;
    if (!met) lack.append(lack.empty() ? "needs " : ", ").append(need);
  }
  return lack;
}

/** The path from test/ on. */
constexpr std::string_view place(std::string_view file) {
  const size_t start = file.rfind("/test/");
  return start == std::string_view::npos ? file : file.substr(start + 1);
}

}  // namespace uvs::test

#define UVS_REQUIRES(...)                                                                          \
  if (const std::string uvs_lack = uvs::test::lacking({__VA_ARGS__}); !uvs_lack.empty()) {         \
    std::cout << "uvs-skip: " << uvs::test::place(__FILE__) << ':' << __LINE__ << ": " << uvs_lack \
              << std::endl;                                                                        \
    return;                                                                                        \
  }                                                                                                \
  static_assert(true)
