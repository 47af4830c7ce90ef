// Virtual MAC devices against a real kernel: what is made, who answers ARP for an address on one,
// what is restored afterwards, and what is left alone because it isn't ours.
#include "host/virtual_mac.h"

#include <doctest/doctest.h>

#include <fstream>
#include <vector>

#include "../../contract/io/scratch_network.h"
#include "host/virtual_mac_mark.h"
#include "packet_builder.h"

namespace uvs::test {
namespace {

constexpr MacAddress kVirtualMac{{0, 0, 0x5e, 0, 1, 51}};
constexpr MacAddress kOtherMac{{0, 0, 0x5e, 0, 1, 52}};
constexpr const char* kName = "uvsio-vrrp";
constexpr const char* kOtherName = "uvsio-vrrp2";

std::string setting(const std::string& path) {
  std::ifstream file("/proc/sys/net/" + path);
  std::string value;
  REQUIRE(std::getline(file, value));
  return value;
}
std::string arp_setting(const char* device, const char* which) {
  return setting(std::string("ipv4/conf/") + device + "/" + which);
}
void set_arp(const char* device, const char* which, const char* value) {
  std::ofstream(std::string("/proc/sys/net/ipv4/conf/") + device + "/" + which) << value;
}

void add(const char* name, const MacAddress& mac) {
  const Status status = add_virtual_mac(name, ScratchNetwork::kNear, mac);
  REQUIRE_MESSAGE(status.ok(), status.message);
}
void remove(const char* name) {
  const Status status = remove_virtual_mac(name);
  REQUIRE_MESSAGE(status.ok(), status.message);
}

struct Arp {
  uint16_t operation = 0;  // 1: request, 2: reply
  MacAddress frame_source, sender_mac;
  IpAddress sender, target;
};

Octets arp_request(const IpAddress& sender, const IpAddress& target) {
  const MacAddress mac = mac_of(ScratchNetwork::kFar);
  Octets frame(6, 0xff);
  frame.insert(frame.end(), mac.bytes.begin(), mac.bytes.end());
  for (const size_t word : {0x0806, 1, 0x0800, 0x0604, 1}) put16(frame, word);
  frame.insert(frame.end(), mac.bytes.begin(), mac.bytes.end());
  frame.insert(frame.end(), sender.bytes.begin(), sender.bytes.begin() + 4);
  frame.insert(frame.end(), 6, 0);
  frame.insert(frame.end(), target.bytes.begin(), target.bytes.begin() + 4);
  return frame;
}

std::optional<Arp> read_arp(const Octets& frame) {
  if (frame.size() < 42 || frame[12] != 8 || frame[13] != 6) return std::nullopt;
  Arp arp;
  arp.operation = frame[21];
  std::copy_n(frame.begin() + 6, 6, arp.frame_source.bytes.begin());
  std::copy_n(frame.begin() + 22, 6, arp.sender_mac.bytes.begin());
  arp.sender = IpAddress::load_ipv4(frame.data() + 28);
  arp.target = IpAddress::load_ipv4(frame.data() + 38);
  return arp;
}

// Every reply for `asked`. Two more questions end the wait, one that the parent surely answers and
// one that the virtual MAC's device does: each answers in order, but the kernel hands broadcasts to
// macvlan devices later than to their parent.
std::vector<Arp> answers(Wire& far, const char* asked) {
  const std::vector<std::pair<IpAddress, MacAddress>> markers{
      {address("10.5.0.1"), mac_of(ScratchNetwork::kNear)},
      {address("10.5.0.101"), kVirtualMac}};
  far.send(arp_request(address("10.5.0.9"), address(asked)));
  for (const auto& [marker, mac] : markers)
    far.send(arp_request(address("10.5.0.9"), marker));
  std::vector<Arp> replies;
  for (size_t seen = 0; seen < markers.size();) {
    const auto frame = far.receive();
    REQUIRE(frame);
    const auto arp = read_arp(frame->bytes);
    if (!arp || arp->operation != 2) continue;
    for (const auto& [marker, mac] : markers) {
      if (arp->sender == marker && arp->sender_mac == mac) seen++;
    }
    if (arp->sender == address(asked)) replies.push_back(*arp);
  }
  return replies;
}

TEST_CASE("a mark says what the parent's settings were") {
  const VirtualMacMark full{7, ArpSettings{0, 1}};
  CHECK(write_mark(full) == "uvs parent=7 arp_ignore=0 arp_announce=1");
  const auto read = read_mark(write_mark(full));
  REQUIRE(read);
  CHECK(read->parent_ifindex == 7);
  CHECK(read->parent_settings->ignore == 0);
  CHECK(read->parent_settings->announce == 1);
  CHECK(read_mark("uvs"));
  CHECK_FALSE(read_mark("uvs")->parent_settings);
  CHECK_FALSE(read_mark("uvs parent=7 arp_ignore=0")->parent_settings);
  CHECK_FALSE(read_mark(""));
  CHECK_FALSE(read_mark("uvsomething"));
  CHECK_FALSE(read_mark("my uvs"));
}

TEST_CASE("the device of a virtual MAC is made as it has to be, and once") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.uvsio-near.disable_ipv6=0");
  run("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv4.conf.default.rp_filter=1");
  add(kName, kVirtualMac);
  const uint32_t ifindex = if_nametoindex(kName);
  CHECK(mac_of(kName) == kVirtualMac);
  run("ip -d link show uvsio-vrrp | grep -q 'uvsio-vrrp@uvsio-near.*[<,]UP[,>]'");
  run("ip -d link show uvsio-vrrp | grep -q 'macvlan mode vepa'");
  run("ip link show uvsio-vrrp | grep -q 'alias uvs'");
  CHECK(arp_setting(kName, "rp_filter") == "0");
  CHECK(arp_setting(kName, "arp_ignore") == "1");
  CHECK(arp_setting(kName, "promote_secondaries") == "1");
  // IPv6 as on the parent, but not a word of its own.
  CHECK(setting("ipv6/conf/uvsio-vrrp/disable_ipv6") == "0");
  CHECK(setting("ipv6/conf/uvsio-vrrp/autoconf") == "0");
  CHECK(setting("ipv6/conf/uvsio-vrrp/accept_ra") == "0");
  CHECK(setting("ipv6/conf/uvsio-vrrp/router_solicitations") == "0");
  run("test -z \"$(ip -6 addr show dev uvsio-vrrp)\"");

  add(kName, kVirtualMac);
  CHECK(if_nametoindex(kName) == ifindex);  // the same device
  run("ip link set uvsio-vrrp down");
  add(kName, kVirtualMac);
  run("ip link show uvsio-vrrp | grep -q '[<,]UP[,>]'");
  add(kName, kOtherMac);
  CHECK(mac_of(kName) == kOtherMac);

  remove(kName);
  CHECK(if_nametoindex(kName) == 0);
  remove(kName);
}

TEST_CASE("where reverse paths are filtered strictly everywhere, the device is loose") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("sysctl -qw net.ipv4.conf.all.rp_filter=1");
  add(kName, kVirtualMac);
  CHECK(arp_setting(kName, "rp_filter") == "2");
}

TEST_CASE("an address on it is answered with the virtual MAC, and with nothing else") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("ip addr add 10.5.0.1/24 dev uvsio-near");
  add(kName, kVirtualMac);
  run("ip addr add 10.5.0.100/32 dev uvsio-vrrp && ip addr add 10.5.0.101/32 dev uvsio-vrrp");
  Wire far(network.far());

  const auto replies = answers(far, "10.5.0.100");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].sender_mac == kVirtualMac);
  CHECK(replies[0].frame_source == kVirtualMac);
  // The machine's own address stays with the machine's own MAC.
  run("ip addr add 10.5.0.2/24 dev uvsio-near");
  const auto own = answers(far, "10.5.0.2");
  REQUIRE(own.size() == 1);
  CHECK(own[0].sender_mac == mac_of(ScratchNetwork::kNear));

  // What the settings are for: without them the parent answers as well.
  set_arp(ScratchNetwork::kNear, "arp_ignore", "0");
  CHECK(answers(far, "10.5.0.100").size() == 2);
}

// A question is an answer too: whoever hears it learns the sender's address.
TEST_CASE("the parent never asks in the name of a virtual address") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  run("ip addr add 10.5.0.1/24 dev uvsio-near");
  add(kName, kVirtualMac);
  run("ip addr add 10.5.0.100/32 dev uvsio-vrrp");
  Wire far(network.far());
  const auto question = [&](uint8_t to) {
    FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM, 0));
    sockaddr_in local{}, remote{};
    local.sin_family = remote.sin_family = AF_INET;
    inet_pton(AF_INET, "10.5.0.100", &local.sin_addr);
    remote.sin_addr.s_addr = htonl(0x0a050000u + to);
    remote.sin_port = htons(9);
    REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr*>(&local), sizeof(local)) == 0);
    REQUIRE(sendto(socket.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&remote), sizeof(remote)) ==
            1);
    for (;;) {
      const auto frame = far.receive();
      REQUIRE(frame);
      const auto arp = read_arp(frame->bytes);
      if (arp && arp->operation == 1 && arp->target == address("10.5.0." + std::to_string(to)))
        return arp->sender;
    }
  };
  CHECK(question(9) == address("10.5.0.1"));
  set_arp(ScratchNetwork::kNear, "arp_announce", "0");
  CHECK(question(10) == address("10.5.0.100"));  // what the setting is for
}

TEST_CASE("the parent's settings are restored with its last device, unless somebody changed them") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  const auto parent = [](const char* which) { return arp_setting(ScratchNetwork::kNear, which); };
  set_arp(ScratchNetwork::kNear, "arp_announce", "1");
  add(kName, kVirtualMac);
  add(kOtherName, kOtherMac);
  CHECK(parent("arp_ignore") == "1");
  CHECK(parent("arp_announce") == "2");
  remove(kName);
  CHECK(parent("arp_ignore") == "1");
  remove(kOtherName);
  CHECK(parent("arp_ignore") == "0");
  CHECK(parent("arp_announce") == "1");

  // Whoever comes after a dead director finds what it needs in the marks.
  add(kName, kVirtualMac);
  add(kOtherName, kOtherMac);
  REQUIRE(remove_leftover_virtual_macs().ok());
  CHECK(if_nametoindex(kName) == 0);
  CHECK(if_nametoindex(kOtherName) == 0);
  CHECK(parent("arp_ignore") == "0");
  CHECK(parent("arp_announce") == "1");

  set_arp(ScratchNetwork::kNear, "arp_ignore", "2");
  add(kName, kVirtualMac);
  CHECK(parent("arp_ignore") == "2");  // as good as ours
  set_arp(ScratchNetwork::kNear, "arp_announce", "0");
  remove(kName);
  CHECK(parent("arp_ignore") == "2");
  CHECK(parent("arp_announce") == "0");
}

TEST_CASE("what is not ours is left alone") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  const auto says = [](const Status& status, const char* text) {
    INFO(status.message);
    CHECK_FALSE(status.ok());
    CHECK(status.message.find(text) != std::string::npos);
  };
  run("ip link add uvsio-vrrp link uvsio-near type macvlan mode private");
  says(add_virtual_mac(kName, ScratchNetwork::kNear, kVirtualMac), "ip link del uvsio-vrrp");
  says(remove_virtual_mac(kName), "not ours");
  REQUIRE(remove_leftover_virtual_macs().ok());
  CHECK(if_nametoindex(kName) != 0);
  // A name alone makes it no device of ours, an alias alone neither.
  run("ip link set uvsio-far alias uvs");
  REQUIRE(remove_leftover_virtual_macs().ok());
  says(remove_virtual_mac(ScratchNetwork::kFar), "not ours");
  CHECK(network.far() != 0);
  CHECK(arp_setting(ScratchNetwork::kNear, "arp_ignore") == "0");
}

TEST_CASE("one of ours that is called otherwise gets the name, and stays what it is") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  add(kName, kVirtualMac);
  const uint32_t ifindex = if_nametoindex(kName);
  add(kOtherName, kVirtualMac);
  CHECK(if_nametoindex(kOtherName) == ifindex);
  CHECK(if_nametoindex(kName) == 0);
}

TEST_CASE("what can't be made is said, with the remedy, and leaves nothing") {
  UVS_REQUIRES("root");
  ScratchNetwork network;
  const auto fails = [](const Status& status, ErrorCode code, const char* device,
                        const char* remedy) {
    INFO(status.message);
    CHECK(status.code == code);
    CHECK(status.message.find(device) != std::string::npos);
    CHECK(status.message.find(remedy) != std::string::npos);
    CHECK(if_nametoindex(kOtherName) == 0);
  };
  const char* near = ScratchNetwork::kNear;
  fails(add_virtual_mac(kOtherName, "uvsio-none", kVirtualMac), ErrorCode::kDeviceMissing,
        "uvsio-none", kOtherName);
  fails(add_virtual_mac("uvsio-name-of-16", near, kVirtualMac), ErrorCode::kIo, "uvsio-name-of-16",
        "15 characters");
  for (const char* name : {"", ".", "..", "a/b", "a b", "a:1"}) {
    CAPTURE(name);
    CHECK_FALSE(add_virtual_mac(name, near, kVirtualMac).ok());
  }
  fails(add_virtual_mac(kOtherName, "lo", kVirtualMac), ErrorCode::kIo, "lo", "use_vmac");
  add(kName, kOtherMac);
  // As keepalived would leave one.
  run("ip link add uvsio-kp link uvsio-near address 00:00:5e:00:01:33 type macvlan mode private && "
      "ip link set uvsio-kp up");
  fails(add_virtual_mac(kOtherName, near, kVirtualMac), ErrorCode::kIo, kOtherName, "same number");
  CHECK(arp_setting(near, "arp_ignore") == "1");  // the first one still needs it
  run("ip link add uvsio-br type bridge && ip link set uvsio-far master uvsio-br");
  fails(add_virtual_mac(kOtherName, ScratchNetwork::kFar, kOtherMac), ErrorCode::kIo, "uvsio-far",
        "port of a bridge");
}

}  // namespace
}  // namespace uvs::test
