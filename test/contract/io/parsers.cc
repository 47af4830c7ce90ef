// Two parsers look at each packet, the steering program's and the core's: one table of packets through
// both. What parse() takes is steered, what it calls the host's is not; each row says where a malformed
// packet goes. And the same for a great many packets made of these by changing bytes.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <linux/pkt_cls.h>

#include <random>

#include "core/net/parse.h"
#include "io/monotonic_clock.h"
#include "io/steer_program.h"
#include "io/steering.h"
#include "packet_builder.h"
#include "require.h"

namespace uvs::test {
namespace {

constexpr const char* kClient = "172.16.0.1:4000";
constexpr const char* kVip = "10.9.0.1:80";
constexpr const char* kClient6 = "[2001:db8::5]:4000";
constexpr const char* kVip6 = "[2001:db8:9::1]:80";

// The program, with one service in both families, run on frames that no device has seen.
class Program {
 public:
  Program() {
    auto loaded = SteerProgram::load(1024);
    REQUIRE_MESSAGE(loaded.ok(), loaded.status().message);
    program_ = std::move(loaded.value());
    program_->control->bucket_mask = 1023;
    // Far in the future: the worker is alive for as long as the test takes.
    program_->control->heartbeat_ns = (monotonic_now() + 3'600'000'000) * 1000;
    for (const char* vip : {kVip, kVip6}) {
      const Endpoint at = endpoint(vip);
      for (const uint8_t protocol : {kProtocolTcp, kProtocolUdp})
        enter(program_->services, service_key(at.family, at.address, at.port, protocol));
      enter(program_->addresses, address_key(at.family, at.address, UVS_ADDRESS_FRAGMENTS_TO));
    }
  }

  bool steers(const Octets& frame) const {
    Octets out(frame.size());
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
                .data_size_in = static_cast<uint32_t>(frame.size()),
                .data_size_out = static_cast<uint32_t>(out.size()));
    REQUIRE(bpf_prog_test_run_opts(program_->steer.ethernet.plain, &options) == 0);
    return static_cast<int>(options.retval) == TC_ACT_REDIRECT;
  }

 private:
  template <typename Key>
  static void enter(int map, const Key& key) {
    const uint8_t present = 1;
    REQUIRE(bpf_map_update_elem(map, &key, &present, BPF_ANY) == 0);
  }
  std::unique_ptr<SteerProgram> program_;
};

ParsedPacket parsed(const Octets& bytes) {
  const OwnedFrame frame(bytes, {}, 0);
  return parse(frame);
}

bool is_vip(Family family, const IpAddress& address, uint16_t port) {
  const Endpoint vip = endpoint(family == Family::kIpv4 ? kVip : kVip6);
  return address == vip.address && port == vip.port;
}

// What the program has to say about a packet that parse() takes: whether it is the service's.
bool is_ours(const ParsedPacket& packet) {
  switch (packet.kind) {
    case ParsedKind::kTransport:
      // The others' first fragment lets the worker tell what the later ones are.
      return is_vip(packet.family, packet.destination,
                    packet.is_fragment ? endpoint(kVip).port : packet.destination_port);
    case ParsedKind::kIcmpError:
      return is_vip(packet.family, packet.quoted.source, packet.quoted.source_port);
    case ParsedKind::kLaterFragment:
      return is_vip(packet.family, packet.destination, endpoint(kVip).port);
    default:
      return false;
  }
}

std::string hex(const Octets& bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    constexpr char digits[] = "0123456789abcdef";
    text += {digits[byte >> 4], digits[byte & 15]};
  }
  return text;
}

struct Vector {
  const char* name;
  Octets bytes;
  ParsedKind kind;
  bool is_steered;
};

Octets frame_of(Packet packet) { return packet.macs({}, {}).bytes(); }  // to lo, whose MAC is 0

Octets cut(Packet packet, size_t bytes) {
  Octets frame = frame_of(packet);
  frame.erase(frame.end() - static_cast<std::ptrdiff_t>(bytes), frame.end());
  return frame;
}

Packet chain(size_t length) {
  Packet packet = tcp6(kClient6, kVip6);
  for (size_t i = 0; i < length; i++) packet.extension(60, {0, 1, 4, 0, 0, 0, 0});
  return packet;
}

std::vector<Vector> vectors() {
  using enum ParsedKind;
  const Octets padding{0, 1, 4, 0, 0, 0, 0};
  const Octets authentication{2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3};
  const Packet tcp = tcp4(kClient, kVip).syn(), udp = udp4(kClient, kVip).payload(100);
  const Packet tcp_6 = tcp6(kClient6, kVip6).syn(), udp_6 = udp6(kClient6, kVip6).payload(100);
  const auto with = [](Packet packet, uint8_t type, const Octets& bytes) {
    return frame_of(packet.extension(type, bytes));
  };
  const auto part = [](Packet packet, size_t offset) {
    return frame_of(packet.fragment(offset, 48));
  };
  const auto error = [](uint8_t type, const Packet& quoted, size_t limit = 1232) {
    return frame_of(icmp4("192.0.2.1", "10.9.0.1").icmp(type, 0).quote(quoted, limit));
  };
  const auto error6 = [](uint8_t type, const Packet& quoted, size_t limit = 1232) {
    return frame_of(icmp6("2001:db8::9", "2001:db8:9::1").icmp(type, 0).quote(quoted, limit));
  };
  const Packet sent = tcp4(kVip, kClient).ack(), sent_6 = udp6(kVip6, kClient6).payload(40);
  return {
      {"TCP", frame_of(tcp), kTransport, true},
      {"UDP", frame_of(udp), kTransport, true},
      {"TCP, IPv6", frame_of(tcp_6), kTransport, true},
      {"UDP, IPv6", frame_of(udp_6), kTransport, true},
      {"IPv4 options", frame_of(Packet(tcp).ipv4_options({1, 1, 1, 0})), kTransport, true},
      {"IPv4 source route", frame_of(Packet(tcp).ipv4_options({131, 3, 4, 0})), kInvalid, true},
      {"GRE", frame_of(Packet(47, endpoint(kClient), endpoint(kVip)).payload(20)), kOther, false},
      {"ports cut off", cut(tcp4(kClient, kVip), 18), kInvalid, false},

      {"first fragment", part(udp, 0), kTransport, true},
      {"later fragment", part(udp, 48), kLaterFragment, true},
      {"later fragment of TCP", part(Packet(tcp).payload(100), 48), kLaterFragment, true},
      {"later fragment of ICMP", part(icmp4("172.16.0.1", "10.9.0.1").icmp(3, 0).payload(100), 48),
       kOther, false},
      {"ICMP error in fragments",
       part(icmp4("192.0.2.1", "10.9.0.1").icmp(3, 0).quote(Packet(sent).payload(80)), 0), kOther,
       false},

      {"hop-by-hop", with(tcp_6, 0, padding), kTransport, true},
      {"hop-by-hop, second", with(Packet(tcp_6).extension(60, padding), 0, padding), kOther, false},
      {"destination options", with(tcp_6, 60, padding), kTransport, true},
      {"authentication", with(tcp_6, 51, authentication), kTransport, true},
      {"a route that has ended", with(tcp_6, 43, {0, 4, 0, 0, 0, 0, 0}), kTransport, true},
      {"a route with stops left", with(tcp_6, 43, {0, 4, 1, 0, 0, 0, 0}), kOther, false},
      {"a route of type 0", with(tcp_6, 43, {0, 0, 0, 0, 0, 0, 0}), kInvalid, false},
      {"ESP", with(tcp_6, 50, padding), kOther, false},
      {"no next header", with(tcp_6, 59, padding), kOther, false},
      {"options beyond the end", with(tcp_6, 60, {200, 1, 4, 0, 0, 0, 0}), kInvalid, false},
      {"as many headers as may be", frame_of(chain(UVS_EXTENSION_LIMIT)), kTransport, true},
      {"one header more", frame_of(chain(UVS_EXTENSION_LIMIT + 1)), kOther, false},
      {"fragment header around a whole packet", frame_of(Packet(udp_6).fragment(0, 500)),
       kTransport, true},
      {"two fragment headers",
       with(Packet(udp_6).extension(44, {0, 0, 0, 0, 0, 0, 1}), 44, {0, 0, 0, 0, 0, 0, 1}), kOther,
       false},
      {"first fragment, options before and behind",
       with(Packet(udp_6).extension(60, padding).extension(44, {0, 0, 1, 0, 0, 0, 1}), 60, padding),
       kTransport, true},
      {"later fragment, IPv6", part(udp_6, 48), kLaterFragment, true},
      {"later fragment, options before it", part(Packet(udp_6).extension(60, padding), 48),
       kLaterFragment, true},
      {"later fragment, options behind its header",
       with(Packet(udp_6).extension(44, {0, 0, 8, 0, 0, 0, 1}), 60, padding), kLaterFragment, true},
      {"later fragment, authentication behind its header",
       with(Packet(udp_6).extension(44, {0, 0, 8, 0, 0, 0, 1}), 51, authentication),
       kLaterFragment, true},

      {"unreachable", error(3, sent), kIcmpError, true},
      {"time exceeded, quotes 8 bytes", error(11, sent, 28), kIcmpError, true},
      {"parameter problem", error(12, sent), kIcmpError, true},
      {"source quench", error(4, sent), kOther, false},
      {"redirect", error(5, sent), kOther, false},
      {"quotes ICMP", error(3, icmp4("10.9.0.1", "172.16.0.1").icmp(8, 0)), kOther, false},
      {"quotes a later fragment", error(3, Packet(udp4(kVip, kClient).payload(100)).fragment(48, 48)),
       kOther, false},
      {"quotes too little", error(3, sent, 22), kInvalid, false},
      {"unreachable, IPv6", error6(1, sent_6), kIcmpError, true},
      {"too big", error6(2, Packet(sent_6).extension(60, padding)), kIcmpError, true},
      {"parameter problem, IPv6", error6(4, sent_6), kIcmpError, true},
      {"an error of a type to come", error6(100, sent_6), kOther, false},
      {"echo, IPv6", error6(128, sent_6), kOther, false},
      {"quotes a route of type 0", error6(1, Packet(sent_6).extension(43, {0, 0, 0, 0, 0, 0, 0})),
       kOther, false},
      {"quotes a later fragment, IPv6", error6(1, Packet(sent_6).fragment(40, 8)), kOther, false},
      {"quotes too little, IPv6", error6(1, sent_6, 42), kInvalid, false},
  };
}

// A changed header with its old checksum is refused before anything else is looked at.
void mend_checksum(Octets& frame, size_t l3) {
  if (frame.size() < l3 + 20 || frame[l3] >> 4 != 4) return;
  const size_t size = std::min<size_t>(size_t{frame[l3] & 15u} * 4, frame.size() - l3);
  set16(frame, l3 + 10, 0);
  set16(frame, l3 + 10, static_cast<uint16_t>(~plain_sum(&frame[l3], size)));
}

}  // namespace

TEST_CASE("both parsers: one table of packets") {
  UVS_REQUIRES("root", "bpf");
  const Program program;
  for (const Vector& vector : vectors()) {
    CAPTURE(vector.name);
    const ParsedPacket packet = parsed(vector.bytes);
    CHECK(static_cast<int>(packet.kind) == static_cast<int>(vector.kind));
    if (packet.kind != ParsedKind::kInvalid) CHECK(is_ours(packet) == vector.is_steered);
    CHECK(program.steers(vector.bytes) == vector.is_steered);
  }
}

TEST_CASE("both parsers: alike about whatever becomes of those packets when bytes change") {
  UVS_REQUIRES("root", "bpf");
  const Program program;
  std::mt19937 random(1);
  const auto below = [&](size_t limit) { return random() % static_cast<uint32_t>(limit); };
  constexpr uint8_t telling[] = {0, 1, 2, 4, 6, 8, 17, 43, 44, 50, 51, 58, 59, 60, 255};
  size_t taken = 0, refused = 0;
  for (const Vector& vector : vectors()) {
    for (int turn = 0; turn < 200; turn++) {
      Octets frame = vector.bytes;
      for (size_t edits = 1 + below(3); edits > 0; edits--) {
        const size_t at = 14 + below(frame.size() - 14);
        frame[at] = below(2) == 0 ? telling[below(std::size(telling))]
                                  : static_cast<uint8_t>(random());
      }
      mend_checksum(frame, 14);
      const ParsedPacket packet = parsed(frame);
      if (packet.kind == ParsedKind::kInvalid) continue;
      (packet.kind == ParsedKind::kOther ? refused : taken)++;
      INFO(vector.name);
      INFO(hex(frame));
      REQUIRE(program.steers(frame) == is_ours(packet));
    }
  }
  CHECK(taken > 2000);
  CHECK(refused > 500);
}

}  // namespace uvs::test
