// ICMP: translation keeps a sound error sound and means what it should; an answer to anything at
// all is sound, and a refused one leaves the frame alone.
#include "core/forward/icmp_error.h"
#include "fuzz_frame.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

void check_translation(OwnedFrame& frame, const ParsedPacket& packet, const IpAddress& address,
                       uint16_t port, bool is_to_client) {
  const bool was_sound = faults(frame).empty();
  (is_to_client ? nat_icmp_to_client : nat_icmp_to_server)(frame, packet, address, port);
  if (was_sound) FUZZ_REQUIRE(faults(frame) == "");
  const ParsedPacket again = parse(frame);
  FUZZ_REQUIRE(again.kind == ParsedKind::kIcmpError);
  FUZZ_REQUIRE(again.l3_length == packet.l3_length);
  if (is_to_client) {
    FUZZ_REQUIRE(again.quoted.destination == address && again.quoted.destination_port == port);
    FUZZ_REQUIRE(again.quoted.source == packet.quoted.source &&
                 again.destination == packet.destination);
    FUZZ_REQUIRE(again.source ==
                 (packet.source == packet.quoted.destination ? address : packet.source));
  } else {
    FUZZ_REQUIRE(again.quoted.source == address && again.quoted.source_port == port);
    FUZZ_REQUIRE(again.quoted.destination == packet.quoted.destination &&
                 again.destination == address);
    FUZZ_REQUIRE(again.source == packet.source);
  }
}

void check_answer(OwnedFrame& frame, const ParsedPacket& packet, const IpAddress& from,
                  uint8_t choice, uint32_t mtu) {
  const Octets before = frame.bytes();
  const auto answer = static_cast<Answer>((choice >> 4) % 5);
  if (!answer_with_icmp(frame, packet, answer, from, mtu)) {
    FUZZ_REQUIRE(frame.bytes() == before);
    return;
  }
  FUZZ_REQUIRE(packet.kind == ParsedKind::kTransport);
  FUZZ_REQUIRE(frame->length <= (packet.family == Family::kIpv4 ? 590u : 1294u));
  FUZZ_REQUIRE(!frame->offload.needs_checksum() && !frame->offload.is_gso());
  const ParsedPacket answered = parse(frame);
  FUZZ_REQUIRE(answered.kind == ParsedKind::kIcmpError);
  FUZZ_REQUIRE(answered.destination == packet.source);
  // What was wrong with the packet is wrong with its quote.
  const std::string fault = faults(frame);
  FUZZ_REQUIRE(fault.empty() || fault.starts_with("quoted "));
}

void check(const uint8_t* data, size_t size) {
  FuzzInput input(data, size);
  const uint8_t choice = input.byte();
  const Family family = (choice & 1) != 0 ? Family::kIpv6 : Family::kIpv4;
  const IpAddress address = input.ip_address(family);
  const uint16_t port = input.word();
  OwnedFrame frame = input.frame((choice & 8) != 0 ? 0 : kMinFrameCapacity);
  const ParsedPacket packet = parse(frame);
  if (packet.kind == ParsedKind::kIcmpError && packet.family == family) {
    check_translation(frame, packet, address, port, (choice & 2) != 0);
  } else {
    check_answer(frame, packet, address, choice, port);
  }
}

}  // namespace
}  // namespace uvs::test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uvs::test::check(data, size);
  return 0;
}
