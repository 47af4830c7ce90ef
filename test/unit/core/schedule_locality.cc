// lblc and lblcr: an address keeps its server, or its set of them, until they have too much; what is remembered is
// bounded, grows old, and leaves with its servers.
#include <doctest/doctest.h>

#include "core/schedule/locality_table.h"
#include "schedule_fixture.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr Micros kDay = 24 * 3600 * kMicrosPerSecond;

ParsedPacket packet_to(uint32_t number) {
  return packet_from("172.16.0.1:9", "10." + std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 255) + "." +
                                         std::to_string(number & 255) + ":80");
}

LocalityTable& table_of(const ScheduledService& service) {
  return static_cast<LocalityTable&>(*service.current().memory);
}

}  // namespace

TEST_CASE("lblc keeps an address to its server until that has too much and another has little") {
  ScheduledService service(scheduler_named("lblc"), {{'a', 2}, {'b', 2}});
  CHECK(service.choose(3, true, packet_to(1)) == "aaa");
  // a has 3, more than its weight; b has 0, less than half of its.
  CHECK(service.choose(1, true, packet_to(1)) == "b");
  CHECK(service.choose(1, true, packet_to(1)) == "b");
  service.state('b').active.set(9);
  service.state('a').active.set(1);  // not less than half
  CHECK(service.choose(1, false, packet_to(1)) == "b");
  service.state('a').active.set(0);
  CHECK(service.choose(1, false, packet_to(1)) == "a");
}

TEST_CASE("lblc leaves a server that is quiesced or gone, and as a live kernel does stays with one that is overloaded") {
  ScheduledService service(scheduler_named("lblc"), {{'a', 9}, {'b', 1}});
  CHECK(service.choose(2, true, packet_to(1)) == "aa");
  SUBCASE("quiesced") {
    service.set({{'a', 0}, {'b', 1}});
    CHECK(service.choose(1, false, packet_to(1)) == "b");
  }
  SUBCASE("overloaded") {
    service.state('a').is_overloaded.set(true);
    CHECK(service.choose(1, false, packet_to(1)) == "a");
    CHECK(service.choose(1, false, packet_to(2)) == "b");
    return;
  }
  SUBCASE("gone, and its slot another's: nothing is remembered of it") {
    service.set({{'b', 1}});
    service.set({{'b', 1}, {'c', 1}});
    CHECK(service.choose(1, false, packet_to(1)) == "b");
  }
  // Once left, the address stays where it went.
  service.set({{'a', 9}, {'b', 1}});
  CHECK(service.choose(1, false, packet_to(1)) == "b");
}

TEST_CASE("lblcr: a set grows under load, takes its least loaded, and shrinks after a day without change") {
  ScheduledService service(scheduler_named("lblcr"), {{'a', 2}, {'b', 2}, {'c', 2}});
  CHECK(service.choose(3, true, packet_to(1)) == "aaa");
  CHECK(service.choose(1, true, packet_to(1)) == "b");  // joins
  service.state('a').active.set(0);
  CHECK(service.choose(1, true, packet_to(1)) == "a");  // still a member, and less loaded
  service.state('a').active.set(2);
  service.state('b').active.set(1);
  service.now += kDay / 2;
  CHECK(service.choose(1, false, packet_to(1)) == "b");
  service.now += kDay / 2 + kMicrosPerSecond;
  CHECK(service.choose(1, false, packet_to(1)) == "b");  // and a, the most loaded, leaves the set
  service.state('a').active.set(0);
  CHECK(service.choose(1, false, packet_to(1)) == "b");
  // What left comes back when b has too much.
  service.state('b').active.set(3);
  CHECK(service.choose(1, false, packet_to(1)) == "a");
}

TEST_CASE("an address that nobody asked for in a day is a new one") {
  for (const char* name : {"lblc", "lblcr"}) {
    ScheduledService service(scheduler_named(name), {{'a', 1}, {'b', 1}});
    CHECK(service.choose(1, true, packet_to(1)) == "a");
    CHECK(service.choose(1, false, packet_to(1)) == "a");
    service.now += kDay;
    CHECK(service.choose(1, false, packet_to(1)) == "a");
    service.now += kDay + 1;
    CHECK(service.choose(1, false, packet_to(1)) == "b");
    CHECK(table_of(service).count() == 1);
  }
}

TEST_CASE("no more addresses are remembered than there is room for: who was asked for least recently is forgotten") {
  for (const char* name : {"lblc", "lblcr"}) {
    ScheduledService service(scheduler_named(name), {{'a', 1}, {'b', 1}});
    CHECK(service.choose(1, false, packet_to(0)) == "a");
    service.state('a').inactive.set(9);  // from here on b
    for (uint32_t i = 1; i < LocalityTable::kMaxAddresses; i++) CHECK(service.choose(1, false, packet_to(i)) == "b");
    CHECK(table_of(service).count() == LocalityTable::kMaxAddresses);
    CHECK(service.choose(1, false, packet_to(0)) == "a");  // remembered, and now the most recent
    CHECK(service.choose(1, false, packet_to(1 << 20)) == "b");
    CHECK(table_of(service).count() == LocalityTable::kMaxAddresses);
    service.state('a').inactive.set(0);
    service.state('b').inactive.set(9);
    CHECK(service.choose(1, false, packet_to(0)) == "a");
    CHECK(service.choose(1, false, packet_to(2)) == "b");  // remembered
    CHECK(service.choose(1, false, packet_to(1)) == "a");  // forgotten
  }
}

TEST_CASE("members have room of their own: sets that grow cost others' addresses, never their own") {
  ScheduledService service(scheduler_named("lblcr"), {{'a'}});
  LocalityTable table;
  REQUIRE(table.is_ready());
  const auto address_of = [](uint32_t number) { return packet_to(number).destination; };
  for (uint32_t i = 0; i < 4; i++) {
    LocalityTable::Entry& entry = table.add(address_of(i), i);
    for (DestinationSlot slot = 0; slot < LocalityTable::kMaxMembers / 4; slot++) table.add_member(entry, slot, i);
  }
  LocalityTable::Entry& late = table.add(address_of(9), 9);
  table.add_member(late, 1, 9);
  CHECK(late.member_count == 1);
  CHECK(table.find(address_of(0), 9) == nullptr);
  CHECK(table.find(address_of(1), 9) != nullptr);
  for (DestinationSlot slot = 0; slot < LocalityTable::kMaxMembers + 5; slot++) table.add_member(late, slot, 9);
  CHECK(late.member_count <= LocalityTable::kMaxMembers);
  CHECK(table.count() >= 1);
  CHECK(table.find(address_of(9), 9) == &late);
}
