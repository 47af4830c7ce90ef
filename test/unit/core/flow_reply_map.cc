// The map of expected replies: what is inserted is found where the steering program looks for it, full is said, and what
// goes leaves nothing.
#include <doctest/doctest.h>

#include <bit>
#include <vector>

#include "core/flow/reply_map.h"
#include "core/net/parse.h"
#include "packet_builder.h"

using namespace uvs;
using namespace uvs::test;

namespace {

constexpr uvs_hash_key kKey = {5, 6};

ReplyTuple tuple(const std::string& server, const std::string& client) {
  const Endpoint from = endpoint(server), to = endpoint(client);
  return {.family = from.family, .protocol = kProtocolTcp, .server = from.address, .server_port = from.port,
          .client = to.address, .client_port = to.port};
}

size_t used_slots(const std::vector<uvs_flow_bucket>& buckets) {
  size_t used = 0;
  for (const uvs_flow_bucket& bucket : buckets) {
    for (const uvs_flow_slot& slot : bucket.slots) used += slot.key != 0;
  }
  return used;
}

}  // namespace

TEST_CASE("the key is the hash of the packet as it stands on the wire") {
  std::vector<uvs_flow_bucket> buckets(8);
  ReplyMap map(buckets, kKey);
  // 10.1.0.1:80 -> 172.16.0.2:0x1234, as a program reads it: words and ports little-endian over network bytes.
  const uint64_t server[2] = {0x0100010a, 0}, client[2] = {0x020010ac, 0};
  CHECK(map.key_of(tuple("10.1.0.1:80", "172.16.0.2:4660")) ==
        uvs_reply_hash(server, client, 0x5000, 0x3412, 6, 4, &kKey));
  const uint64_t server6[2] = {0x01fd, 0x0100000000000000}, client6[2] = {0x16fd, 0x0200000000000000};
  CHECK(map.key_of(tuple("[fd01::1]:80", "[fd16::2]:4660")) ==
        uvs_reply_hash(server6, client6, 0x5000, 0x3412, 6, 6, &kKey));
}

TEST_CASE("an entry stands in one of its two buckets, marked as a reply") {
  std::vector<uvs_flow_bucket> buckets(64);
  ReplyMap map(buckets, kKey);
  const uint64_t key = map.key_of(tuple("10.1.0.1:80", "172.16.0.2:1000"));
  REQUIRE(map.insert(key) == ReplyMap::Inserted::kDone);
  CHECK(map.contains(key));
  CHECK(buckets[key & 63].slots[0].key == key);
  CHECK(buckets[key & 63].slots[0].flags == UVS_FLOW_REPLY);
  CHECK(map.insert(key) == ReplyMap::Inserted::kTaken);
  CHECK(map.count() == 1);
  CHECK(map.erase(key));
  CHECK_FALSE(map.erase(key));
  CHECK_FALSE(map.contains(key));
  CHECK(used_slots(buckets) == 0);
}

TEST_CASE("it fills to more than nine tenths before it says full, and a refusal changes nothing") {
  std::vector<uvs_flow_bucket> buckets(1024);
  ReplyMap map(buckets, kKey);
  std::vector<uint64_t> keys;
  for (uint32_t i = 0;; i++) {
    const uint64_t key = map.key_of(
        tuple("10.1.0.1:80", "172.16." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":1000"));
    if (map.insert(key) == ReplyMap::Inserted::kFull) {
      CHECK_FALSE(map.contains(key));
      break;
    }
    keys.push_back(key);
  }
  MESSAGE("full at " << 100 * keys.size() / map.capacity() << " %");
  CHECK(keys.size() * 10 > map.capacity() * 9);
  CHECK(used_slots(buckets) == keys.size());
  for (const uint64_t key : keys) CHECK(map.contains(key));
  for (const uint64_t key : keys) CHECK(map.erase(key));
  CHECK(used_slots(buckets) == 0);
  CHECK(map.count() == 0);
}

TEST_CASE("one bucket alone works until it is full") {
  std::vector<uvs_flow_bucket> buckets(1);
  ReplyMap map(buckets, kKey);
  for (uint64_t key = 1; key <= 4; key++) CHECK(map.insert(key) == ReplyMap::Inserted::kDone);
  CHECK(map.insert(5) == ReplyMap::Inserted::kFull);
  CHECK(map.erase(2));
  CHECK(map.insert(5) == ReplyMap::Inserted::kDone);
}
