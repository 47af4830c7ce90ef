// The parts of failover's native side that need no kernel to speak of: when the repeater speaks, who wins when a lease
// runs out, and what director and guardian say to each other.

#include <doctest/doctest.h>

#include <cstring>
#include <thread>

#include "host/advert_schedule.h"
#include "host/guardian_messages.h"
#include "host/lease_board.h"

namespace uvs::test {
namespace {

constexpr Micros kStart = 1'000'000'000;
constexpr Repetition kSecondly{1'000'000, 4'000'000};

TEST_CASE("the repeater speaks an interval and a grace after the last call, then every interval") {
  CHECK(AdvertSchedule::delay_of(1'000'000) == 1'050'000);
  CHECK(AdvertSchedule::delay_of(100'000) == 125'000);
  CHECK(AdvertSchedule::delay_of(1'000) == 3'000);
  AdvertSchedule schedule;
  schedule.spoken(kStart, kSecondly);
  CHECK(schedule.next_deadline() == kStart + 1'050'000);
  CHECK_FALSE(schedule.take_repeat(kStart + 1'049'999));
  CHECK(schedule.take_repeat(kStart + 1'050'000));
  CHECK_FALSE(schedule.take_repeat(kStart + 1'050'000));
  CHECK(schedule.next_deadline() == kStart + 2'050'000);
  schedule.spoken(kStart + 2'000'000, kSecondly);
  CHECK(schedule.next_deadline() == kStart + 3'050'000);
}

TEST_CASE("after a stall the repeater speaks once, not once for each interval that has passed") {
  AdvertSchedule schedule;
  schedule.spoken(kStart, Repetition{1'000'000, 100'000'000});
  CHECK(schedule.take_repeat(kStart + 60'000'000));
  CHECK_FALSE(schedule.take_repeat(kStart + 60'000'000));
}

TEST_CASE("the lease runs from the last call, and goes on without repetition") {
  AdvertSchedule schedule;
  CHECK(schedule.next_deadline() == kNever);
  schedule.spoken(kStart, std::nullopt);
  CHECK(schedule.lease_end() == kNever);
  schedule.spoken(kStart, kSecondly);
  CHECK_FALSE(schedule.has_run_out(kStart + 3'999'999));
  CHECK(schedule.has_run_out(kStart + 4'000'000));
  schedule.spoken(kStart + 3'000'000, std::nullopt);
  CHECK_FALSE(schedule.is_repeating());
  CHECK(schedule.lease_end() == kStart + 7'000'000);
  schedule.end();
  CHECK(schedule.next_deadline() == kNever);
  schedule.spoken(kStart + 9'000'000, std::nullopt);
  CHECK(schedule.lease_end() == kNever);
}

TEST_CASE("a will is carried out when its lease has run out, when its director is dead, and never twice") {
  auto board = LeaseBoard::create();
  REQUIRE(board.ok());
  auto guardian = LeaseBoard::attach(board.value().descriptor());
  REQUIRE(guardian.ok());
  CHECK_FALSE(guardian.value().claim(3, std::nullopt));  // void
  CHECK(board.value().renew(3, kStart));
  CHECK(board.value().get(3) == LeaseBoard::kVoid);  // a renewal makes no will
  board.value().set(3, kStart);
  CHECK_FALSE(guardian.value().claim(3, kStart - 1));
  CHECK(board.value().renew(3, kStart + 10));
  CHECK_FALSE(guardian.value().claim(3, kStart));
  CHECK(guardian.value().claim(3, kStart + 10));
  CHECK_FALSE(guardian.value().claim(3, kStart + 10));
  CHECK_FALSE(board.value().renew(3, kStart + 20));
  board.value().set(3, LeaseBoard::kEndless);
  CHECK_FALSE(guardian.value().claim(3, kStart * 1'000));
  CHECK(guardian.value().claim(3, std::nullopt));
}

TEST_CASE("of a renewal and a claim that meet, one wins and both know which") {
  auto board = LeaseBoard::create();
  REQUIRE(board.ok());
  auto guardian = LeaseBoard::attach(board.value().descriptor());
  REQUIRE(guardian.ok());
  size_t renewals = 0, claims = 0;
  for (int round = 0; round < 2'000; round++) {
    board.value().set(0, kStart);
    bool is_claimed = false;
    std::thread other([&] { is_claimed = guardian.value().claim(0, kStart); });
    const bool is_renewed = board.value().renew(0, kStart + 1);
    other.join();
    // Renewed first, claimed never; claimed first, renewed never.
    REQUIRE(is_renewed != is_claimed);
    renewals += is_renewed ? 1 : 0;
    claims += is_claimed ? 1 : 0;
  }
  CHECK(renewals + claims == 2'000);
}

TEST_CASE("a board that is too short is refused") {
  CHECK_FALSE(LeaseBoard::attach(-1).ok());
}

LastWill long_will() {
  LastWill will;
  will.egress = {"eth0", Family::kIpv6, {}, 255};
  will.egress.source.bytes = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  will.goodbye = {{will.egress.source, {1, 2, 3}}, {will.egress.source, std::vector<uint8_t>(4'124, 7)}};
  HostAddress address;
  address.address = IpAddress::ipv4(198, 18, 0, 100);
  address.prefix_length = 24;
  address.device = "eth0.100";
  will.addresses = {address, address};
  VirtualRouteSpec route;
  route.destination = IpAddress::ipv4(10, 0, 0, 0);
  route.length = 8;
  route.gateway = IpAddress::ipv4(198, 18, 0, 254);
  route.table = 100;
  will.routes = {route};
  return will;
}

TEST_CASE("a will comes through as it was") {
  const LastWill will = long_will();
  const auto bytes = encode_entrust(7, 99, will);
  REQUIRE(bytes.ok());
  const GuardianMessage message = decode_guardian_message(bytes.value());
  const auto* entrusted = std::get_if<EntrustMessage>(&message);
  REQUIRE(entrusted != nullptr);
  CHECK(entrusted->slot == 7);
  CHECK(entrusted->sequence == 99);
  const LastWill& read = entrusted->will;
  CHECK(read.egress.device == "eth0");
  CHECK(read.egress.family == Family::kIpv6);
  CHECK(read.egress.source == will.egress.source);
  CHECK(read.egress.ttl == 255);
  REQUIRE(read.goodbye.size() == 2);
  CHECK(read.goodbye[1].bytes == will.goodbye[1].bytes);
  CHECK(read.goodbye[0].destination == will.egress.source);
  REQUIRE(read.addresses.size() == 2);
  CHECK(read.addresses[1].address == will.addresses[1].address);
  CHECK(read.addresses[1].prefix_length == 24);
  CHECK(read.addresses[1].device == "eth0.100");
  REQUIRE(read.routes.size() == 1);
  CHECK(read.routes[0].gateway == will.routes[0].gateway);
  CHECK_FALSE(read.routes[0].source);
  CHECK_FALSE(read.routes[0].metric);
  CHECK(read.routes[0].table == 100u);
  CHECK(read.routes[0].device.empty());
}

TEST_CASE("the small messages come through as they were") {
  const auto forget = decode_guardian_message(encode(ForgetMessage{511}));
  REQUIRE(std::holds_alternative<ForgetMessage>(forget));
  CHECK(std::get<ForgetMessage>(forget).slot == 511);
  CHECK(std::holds_alternative<DismissMessage>(decode_guardian_message(encode(DismissMessage{}))));
  const auto answer = decode_guardian_message(encode(AnswerMessage{5, 6, EBADMSG}));
  REQUIRE(std::holds_alternative<AnswerMessage>(answer));
  CHECK(std::get<AnswerMessage>(answer).sequence == 6);
  CHECK(std::get<AnswerMessage>(answer).error == EBADMSG);
}

TEST_CASE("a message that is cut, longer than it says or senseless is refused") {
  const std::vector<uint8_t> whole = encode_entrust(7, 99, long_will()).value();
  for (size_t size = 0; size < whole.size(); size++) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    REQUIRE(std::holds_alternative<BrokenMessage>(decode_guardian_message(cut)));
    // Also one that claims to be no longer than it is.
    std::vector<uint8_t> lying = cut;
    const auto says = static_cast<uint32_t>(size);
    if (size < sizeof(GuardianHeader)) continue;
    std::memcpy(lying.data() + offsetof(GuardianHeader, size_bytes), &says, sizeof(says));
    REQUIRE(std::holds_alternative<BrokenMessage>(decode_guardian_message(lying)));
  }
  std::vector<uint8_t> longer = whole;
  longer.push_back(0);
  CHECK(std::holds_alternative<BrokenMessage>(decode_guardian_message(longer)));
  const auto says = static_cast<uint32_t>(longer.size());
  std::memcpy(longer.data() + offsetof(GuardianHeader, size_bytes), &says, sizeof(says));
  const auto refused = decode_guardian_message(longer);
  REQUIRE(std::holds_alternative<BrokenMessage>(refused));
  REQUIRE(std::get<BrokenMessage>(refused).refusal);
  CHECK(std::get<BrokenMessage>(refused).refusal->sequence == 99);
  CHECK(std::get<BrokenMessage>(refused).refusal->error == EBADMSG);

  const auto with = [&](size_t at, uint8_t value) {
    std::vector<uint8_t> changed = whole;
    changed[at] = value;
    return decode_guardian_message(changed);
  };
  const size_t will = sizeof(GuardianHeader);
  CHECK(std::holds_alternative<BrokenMessage>(with(0, 0)));                 // magic
  CHECK(std::holds_alternative<BrokenMessage>(with(4, 9)));                 // kind
  CHECK(std::holds_alternative<BrokenMessage>(with(7, 2)));                 // slot 519
  CHECK(std::holds_alternative<BrokenMessage>(with(will, 0)));              // no device
  CHECK(std::holds_alternative<BrokenMessage>(with(will + offsetof(WillRecord, family), 5)));
  CHECK(std::holds_alternative<BrokenMessage>(with(will + offsetof(WillRecord, goodbye_count), 3)));
  const size_t first_address = whole.size() - sizeof(RouteRecordOfWill) - 2 * sizeof(AddressRecordOfWill);
  CHECK(std::holds_alternative<BrokenMessage>(
      with(first_address + offsetof(AddressRecordOfWill, prefix_length), 33)));
  CHECK(std::holds_alternative<BrokenMessage>(
      with(first_address + offsetof(AddressRecordOfWill, address) + 9, 1)));
  CHECK(std::holds_alternative<EntrustMessage>(
      with(first_address + offsetof(AddressRecordOfWill, prefix_length), 32)));
}

TEST_CASE("a will that is too large, or names a device that can't exist, is not sent") {
  LastWill will = long_will();
  will.addresses.assign(kMaxWillAddresses + 1, will.addresses[0]);
  CHECK(encode_entrust(0, 1, will).status().code == ErrorCode::kLimitReached);
  will.addresses.assign(kMaxWillAddresses, will.addresses[0]);
  CHECK(encode_entrust(0, 1, will).ok());
  will.goodbye.assign(kMaxGoodbyes, will.goodbye[1]);
  CHECK(encode_entrust(0, 1, will).status().code == ErrorCode::kLimitReached);
  will = long_will();
  will.addresses[1].device = "sixteen-letters-";
  CHECK(encode_entrust(0, 1, will).status().code == ErrorCode::kIo);
}

}  // namespace
}  // namespace uvs::test
