// From a fuzzer's bytes to a frame that gets far: a good packet of some kind with a list of edits,
// or the bytes as they are. Deterministic; the memory ends where the frame's capacity does, so that
// the sanitizers see every step outside.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/net/parse.h"
#include "packet_builder.h"

#define FUZZ_REQUIRE(condition) \
  ((condition) ? (void)0 : uvs::test::fuzz_failed(__FILE__, __LINE__, #condition))

namespace uvs::test {

[[noreturn]] inline void fuzz_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
  std::abort();
}

struct FuzzTemplate {
  Octets bytes;
  OffloadHeader offload;
};

inline const std::vector<FuzzTemplate>& fuzz_templates() {
  static const std::vector<FuzzTemplate> templates = [] {
    const std::string client = "172.16.0.1:10000", vip = "10.9.0.1:80";
    const std::string client6 = "[2001:db8:1::1]:10000", vip6 = "[2001:db8:9::1]:80";
    const Octets padding{0, 1, 4, 0, 0, 0, 0};
    const Packet error4 = icmp4("192.0.2.1", "172.16.0.1").icmp(3, 4, 1400);
    const Packet error6 = icmp6("2001:db8::9", "2001:db8:1::1").icmp(2, 0, 1400);
    const std::vector<Packet> packets = {
        tcp4(client, vip).ack().tcp_options({2, 4, 5, 0xb4}).payload(30),
        udp4(client, vip).ipv4_options({7, 3, 4, 0x88, 4, 1, 1, 0}).payload(60),
        udp4(client, vip).payload(100).fragment(0, 48),
        udp4(client, vip).payload(100).fragment(48, 48),
        tcp4(client, vip).ack().payload(1500).gso(700),
        udp4(client, vip).payload(100).partial_checksum(),
        tcp6(client6, vip6).extension(0, padding).extension(43, {0, 3, 0, 0, 0, 0, 0}).payload(30),
        udp6(client6, vip6).extension(60, padding).payload(100).fragment(0, 48),
        udp6(client6, vip6).payload(100).fragment(48, 48),
        tcp6(client6, vip6).syn().payload(30).partial_checksum(),
        Packet(error4).quote(tcp4(client, vip).payload(20)),
        Packet(error4).quote(udp4(client, vip).ipv4_options({1, 1, 1, 0}).payload(20), 32),
        Packet(error6).quote(udp6(client6, vip6).extension(60, padding).payload(9)),
        Packet(error6).quote(tcp6(client6, vip6).payload(20), 58).partial_checksum(),
    };
    std::vector<FuzzTemplate> built;  // once: building is what would take most of the time
    for (const Packet& packet : packets) built.push_back({packet.bytes(), packet.offload()});
    return built;
  }();
  return templates;
}

// Takes the fuzzer's bytes from the front; 0 when there are none left.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t byte() { return at_ < size_ ? data_[at_++] : uint8_t{0}; }
  uint16_t word() {
    const uint8_t high = byte();
    return static_cast<uint16_t>(high << 8 | byte());
  }
  IpAddress ip_address(Family family) {
    IpAddress address;
    for (size_t i = 0; i < address_size(family); i++) address.bytes[i] = byte();
    return address;
  }
  bool is_empty() const { return at_ >= size_; }

  // The rest of the input becomes the frame.
  OwnedFrame frame(size_t capacity) {
    const std::vector<FuzzTemplate>& templates = fuzz_templates();
    const uint8_t choice = byte();
    const uint8_t options = byte();
    OffloadHeader offload;
    Octets bytes;
    if (choice % 16 < templates.size()) {
      bytes = templates[choice % 16].bytes;
      offload = templates[choice % 16].offload;
    }
    if ((options & 1) != 0) {
      offload = {byte(), byte(), word(), word(), word(), word()};
    }
    if (bytes.empty()) {
      while (!is_empty()) bytes.push_back(byte());
    } else {
      if ((options & 2) != 0) bytes.resize(word() % (bytes.size() + 32));
      while (!is_empty() && !bytes.empty()) {
        const size_t place = word() % bytes.size();
        bytes[place] = byte();
      }
    }
    if ((options & 4) == 0) repair_header_checksum(bytes);
    return OwnedFrame(bytes, offload, capacity);
  }

 private:
  // So that an edit of the IPv4 header gets past its checksum.
  static void repair_header_checksum(Octets& bytes) {
    if (bytes.size() < 34 || bytes[12] != 8) return;
    const size_t size = static_cast<size_t>(bytes[14] & 15) * 4;
    if (size < 20 || bytes.size() < 14 + size) return;
    set16(bytes, 24, 0);
    set16(bytes, 24, static_cast<uint16_t>(~plain_sum(&bytes[14], size)));
  }

  const uint8_t* data_;
  size_t size_, at_ = 0;
};

}  // namespace uvs::test
