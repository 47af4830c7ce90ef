// director { } says which clients open connections: the longest prefix decides, each family for itself, and only of what
// would open a connection.
#include <doctest/doctest.h>

#include "test_director.h"

namespace uvs::test {
namespace {

ClientPrefix prefix(const std::string& text, uint8_t length, bool is_allowed) {
  return {endpoint(text).family, address(text), length, is_allowed};
}
ClientPrefix allow(const std::string& text, uint8_t length) { return prefix(text, length, true); }
ClientPrefix deny(const std::string& text, uint8_t length) { return prefix(text, length, false); }

struct Door {
  void publish(std::vector<ClientPrefix> clients) {
    director.clients = std::move(clients);
    director.publish({tcp_service("10.9.0.1:80", {nat("10.1.0.1:80")}), tcp_service("10.9.0.1:81", {dr("10.1.0.1:81")}),
                      udp_service("10.9.0.1:53", {nat("10.1.0.1:53")}), udp_service("10.9.0.1:54", {dr("10.1.0.1:54")}),
                      tcp_service("[fd09::1]:80", {nat("[fd01::1]:80")}), tcp_service("[fd09::1]:81", {dr("[fd01::1]:81")}),
                      udp_service("[fd09::1]:53", {nat("[fd01::1]:53")}), udp_service("[fd09::1]:54", {dr("[fd01::1]:54")})});
  }
  // May it open a connection? Asked by NAT and DR, TCP and UDP, which say the same.
  bool lets_in(const std::string& client) {
    const bool is_ipv4 = endpoint(client).family == Family::kIpv4;
    const std::string from = (is_ipv4 ? client : "[" + client + "]") + ":" + std::to_string(port++);
    const std::string to = is_ipv4 ? "10.9.0.1:" : "[fd09::1]:";
    int forwarded = 0;
    for (const char* at : {"80", "81", "53", "54"}) {
      const bool is_tcp = at[0] == '8';
      const Packet packet = is_tcp ? (is_ipv4 ? tcp4(from, to + at) : tcp6(from, to + at)).syn()
                                   : (is_ipv4 ? udp4(from, to + at) : udp6(from, to + at));
      const uint32_t connections = director->connection_count();
      const Seen seen = director.from_client(packet);
      if (seen.verdict == Verdict::kForward) forwarded++;
      else CHECK(seen.reason == DropReason::kClientDenied);
      CHECK(director->connection_count() - connections == (seen.verdict == Verdict::kForward ? 1 : 0));
    }
    CHECK((forwarded == 0 || forwarded == 4));
    return forwarded == 4;
  }
  TestDirector director;
  int port = 1000;
};

}  // namespace

TEST_CASE("clients: without prefixes everybody, with some the longest decides, each family for itself") {
  struct Row {
    const char* client;
    bool open, denied, allowed, nested;
  };
  const Row rows[] = {
      {"172.16.0.9", true, true, true, true},
      {"172.16.1.0", true, false, true, false},
      {"172.16.1.255", true, false, true, false},
      {"172.16.2.0", true, true, true, true},
      {"172.16.1.7", true, false, true, true},
      {"8.8.8.8", true, true, false, false},
      {"192.168.255.255", true, true, false, false},
      {"fd16::9", true, true, true, true},
      {"fd16:0:0:1::", true, false, true, true},
      {"fd16:0:0:1:ffff:ffff:ffff:ffff", true, false, true, true},
      {"fd16:0:0:2::", true, true, true, true},
      {"2001:db8::9", true, true, true, true},
  };
  Door open, denied, allowed, nested;
  open.publish({});
  denied.publish({deny("172.16.1.0", 24), deny("fd16:0:0:1::", 64)});
  // Nobody said a word of IPv6.
  allowed.publish({allow("172.16.0.0", 12)});
  nested.publish({allow("172.16.1.7", 32), deny("172.16.1.0", 24), allow("172.16.0.0", 12), deny("0.0.0.0", 0), allow("::", 0)});
  for (const Row& row : rows) {
    CAPTURE(row.client);
    CHECK(open.lets_in(row.client) == row.open);
    CHECK(denied.lets_in(row.client) == row.denied);
    CHECK(allowed.lets_in(row.client) == row.allowed);
    CHECK(nested.lets_in(row.client) == row.nested);
  }
  CHECK(denied.director.drops(DropReason::kClientDenied) == 5 * 4);
}

TEST_CASE("clients: what is open stays open, also when its client is denied; what comes anew does not") {
  Door door;
  TestDirector& director = door.director;
  const std::string client = "172.16.0.9:1000";
  door.publish({});
  director.from_client(tcp4(client, "10.9.0.1:80").syn());
  director.from_client(udp4(client, "10.9.0.1:53"));
  door.publish({deny("172.16.0.0", 16)});
  CHECK(director.from_client(tcp4(client, "10.9.0.1:80").ack()).verdict == Verdict::kForward);
  CHECK(director.from_client(udp4(client, "10.9.0.1:53")).verdict == Verdict::kForward);
  CHECK(director.from_server(udp4("10.1.0.1:53", client)).verdict == Verdict::kForward);
  CHECK(director.from_client(udp4("172.16.0.9:1001", "10.9.0.1:53")).reason == DropReason::kClientDenied);
  // The port again, once its connection has ended: that is a new one, and ends nothing.
  director.from_server(tcp4("10.1.0.1:80", client).rst());
  CHECK(director.from_client(tcp4(client, "10.9.0.1:80").syn()).reason == DropReason::kClientDenied);
  CHECK(director->connection_count() == 2);
  door.publish({});
  CHECK(director.from_client(tcp4(client, "10.9.0.1:80").syn()).verdict == Verdict::kForward);
}

TEST_CASE("clients: neither ICMP errors nor what the host gets anyway is refused") {
  Door door;
  TestDirector& director = door.director;
  const std::string client = "172.16.0.9:1000";
  door.publish({deny("172.16.1.0", 24)});
  director.from_client(tcp4(client, "10.9.0.1:80").syn());
  const Packet quoted = tcp4("10.9.0.1:80", client).ack();
  // A router on the way may lie in a prefix that opens nothing: path MTU discovery must not end there.
  CHECK(director.from_client(icmp4("172.16.1.1", "10.9.0.1").icmp(3, 4, 600).quote(quoted)).verdict == Verdict::kForward);
  CHECK(director.from_client(tcp4("172.16.1.1:9", "10.9.0.1:80").ack()).verdict == Verdict::kToHost);
  CHECK(director.from_client(tcp4("172.16.1.1:9", "10.9.0.1:22").syn()).verdict == Verdict::kToHost);
  CHECK(director.drops(DropReason::kClientDenied) == 0);
}

TEST_CASE("clients: a source that can't be there is that, whatever the prefixes say") {
  Door door;
  door.publish({deny("0.0.0.0", 0)});
  CHECK(door.director.from_client(udp4("127.0.0.1:9", "10.9.0.1:53")).reason == DropReason::kMartian);
  CHECK(door.director.from_client(udp4("10.9.0.1:9", "10.9.0.1:53")).reason == DropReason::kOwnSource);
}

}  // namespace uvs::test
