// Building and reading rtnetlink messages, with attributes as broken as they come.
#include "io/rtnetlink.h"

#include <doctest/doctest.h>

#include <random>

namespace uvs {
namespace {

TEST_CASE("a request is laid out as the kernel reads it") {
  ifinfomsg body{};
  body.ifi_index = 5;
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, body);
  request.text(IFLA_IFNAME, "uvs0");
  request.value(IFLA_MTU, uint32_t{65'535});
  const size_t info = request.begin(IFLA_LINKINFO);
  request.text(IFLA_INFO_KIND, "veth");
  request.end(info);
  const auto bytes = request.finish(77);

  nlmsghdr header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  CHECK(header.nlmsg_len == bytes.size());
  CHECK(header.nlmsg_seq == 77);
  CHECK(header.nlmsg_flags == (NLM_F_REQUEST | NLM_F_ACK));
  NetlinkMessage message{header.nlmsg_type, header.nlmsg_flags, bytes.subspan(NLMSG_HDRLEN)};
  REQUIRE(message.body<ifinfomsg>());
  CHECK(message.body<ifinfomsg>()->ifi_index == 5);
  const auto attributes = message.attributes<ifinfomsg>();
  CHECK(attributes.text(IFLA_IFNAME) == "uvs0");
  CHECK(attributes.value<uint32_t>(IFLA_MTU) == 65'535);
  CHECK_FALSE(attributes.find(IFLA_ADDRESS));
  CHECK_FALSE(attributes.value<uint64_t>(IFLA_MTU));  // too short for it
  const auto nested = attributes.find(IFLA_LINKINFO);
  REQUIRE(nested);
  CHECK(NetlinkAttributes(*nested).text(IFLA_INFO_KIND) == "veth");
}

TEST_CASE("broken attributes are read to where they break") {
  const auto attribute = [](uint16_t length, uint16_t type) {
    std::vector<uint8_t> bytes(4);
    std::memcpy(bytes.data(), &length, 2);
    std::memcpy(bytes.data() + 2, &type, 2);
    return bytes;
  };
  for (const uint16_t length : {uint16_t{0}, uint16_t{3}, uint16_t{5}, uint16_t{65'535}}) {
    const auto bytes = attribute(length, 1);
    CHECK_FALSE(NetlinkAttributes(bytes).find(1));
    CHECK(NetlinkAttributes(bytes).text(1).empty());
  }
  CHECK(NetlinkAttributes(attribute(4, 1)).find(1)->empty());

  std::mt19937 random(1);
  for (int round = 0; round < 2000; round++) {
    std::vector<uint8_t> bytes(random() % 64);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 12);
    const NetlinkAttributes attributes(bytes);
    for (uint16_t type = 0; type < 12; type++) {
      const auto found = attributes.find(type);
      if (found) CHECK(found->size() <= bytes.size());
      CHECK(attributes.text(type).size() <= bytes.size());
    }
  }
}

}  // namespace
}  // namespace uvs
