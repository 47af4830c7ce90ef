// ICMP errors about NAT connections: translated, they equal errors that were built about the other
// side's packet.
#include <doctest/doctest.h>

#include "core/forward/icmp_error.h"
#include "packet_builder.h"
#include "packet_checker.h"

namespace uvs::test {
namespace {

// One NAT connection, seen from both sides, and those who may report about it.
struct Ends {
  std::string client, service, server, router;
  std::string host(const std::string& with_port) const {
    const Endpoint end = endpoint(with_port);
    char text[INET6_ADDRSTRLEN];
    return inet_ntop(end.family == Family::kIpv4 ? AF_INET : AF_INET6, end.address.bytes.data(),
                     text, sizeof text);
  }
};
const Ends kIpv4{"172.16.0.1:10000", "10.9.0.1:80", "192.168.7.250:8080", "203.0.113.9"};
const Ends kIpv6{"[2001:db8:1::1]:10000", "[2001:db8:9::1]:80", "[fd00:77::abcd:250]:8080",
                 "2001:db8:ff::9"};

Packet error(const Ends& ends, const std::string& from, const std::string& to) {
  const bool is_ipv6 = endpoint(ends.client).family == Family::kIpv6;
  return is_ipv6 ? icmp6(from, to).icmp(2, 0, 1280) : icmp4(from, to).icmp(3, 4, 1280);
}
Packet transport(uint8_t protocol, const std::string& from, const std::string& to) {
  return Packet(protocol, endpoint(from), endpoint(to)).payload(60);
}

struct Quote {
  uint8_t protocol;
  size_t limit;
  bool has_checksum, is_partial, is_fragment;
};
// Limits are for IPv4. The checksum of a quote counts as soon as it is there: at 8 bytes for UDP,
// 18 for TCP.
const Quote kQuotes[] = {
    {17, 1000, true, false, false}, {6, 1000, true, false, false}, {17, 28, true, false, false},
    {6, 28, true, false, false},    {6, 38, true, false, false},   {17, 1000, false, false, false},
    {17, 1000, true, true, false},  {17, 1000, true, false, true},
};

std::vector<Quote> quotes_of(const Ends& ends) {
  std::vector<Quote> quotes;
  const bool is_ipv6 = endpoint(ends.client).family == Family::kIpv6;
  for (Quote quote : kQuotes) {
    if (is_ipv6 && !quote.has_checksum) continue;
    if (is_ipv6) quote.limit += 20;
    quotes.push_back(quote);
  }
  return quotes;
}

Packet quoted_packet(const Quote& quote, const std::string& from, const std::string& to) {
  Packet packet = transport(quote.protocol, from, to);
  if (!quote.has_checksum) packet.no_checksum();
  if (quote.is_fragment) packet.fragment(0, 48);
  return packet;
}

// When the quote ends before the L4 checksum nothing else of it may differ; when it ends behind,
// all of it is right.
void check_same(const OwnedFrame& translated, Packet expected, const Quote& quote) {
  if (quote.is_partial) expected.partial_checksum();
  CHECK(faults(translated) == "");
  CHECK(translated.bytes() == expected.bytes());
}

}  // namespace

TEST_CASE("icmp error: to the client, by a router behind us and by the server itself") {
  for (const Ends& ends : {kIpv4, kIpv6}) {
    for (const Quote& quote : quotes_of(ends)) {
      for (const std::string& reporter : {ends.router, ends.host(ends.server)}) {
        Packet before = error(ends, reporter, ends.host(ends.client))
                            .quote(quoted_packet(quote, ends.client, ends.server), quote.limit);
        if (quote.is_partial) before.partial_checksum();
        OwnedFrame frame = before.frame();
        const ParsedPacket packet = parse(frame);
        REQUIRE(packet.kind == ParsedKind::kIcmpError);
        const Endpoint service = endpoint(ends.service);
        nat_icmp_to_client(frame, packet, service.address, service.port);
        const std::string from = reporter == ends.router ? ends.router : ends.host(ends.service);
        check_same(frame,
                   error(ends, from, ends.host(ends.client))
                       .quote(quoted_packet(quote, ends.client, ends.service), quote.limit),
                   quote);
      }
    }
  }
}

TEST_CASE("icmp error: to the server, by a router and by the client itself") {
  for (const Ends& ends : {kIpv4, kIpv6}) {
    for (const Quote& quote : quotes_of(ends)) {
      for (const std::string& reporter : {ends.router, ends.host(ends.client)}) {
        Packet before = error(ends, reporter, ends.host(ends.service))
                            .quote(quoted_packet(quote, ends.service, ends.client), quote.limit);
        if (quote.is_partial) before.partial_checksum();
        OwnedFrame frame = before.frame();
        const ParsedPacket packet = parse(frame);
        REQUIRE(packet.kind == ParsedKind::kIcmpError);
        const Endpoint server = endpoint(ends.server);
        nat_icmp_to_server(frame, packet, server.address, server.port);
        check_same(frame,
                   error(ends, reporter, ends.host(ends.server))
                       .quote(quoted_packet(quote, ends.server, ends.client), quote.limit),
                   quote);
      }
    }
  }
}

TEST_CASE("icmp error: options and extension headers, outside and in the quote") {
  const Packet quoted = transport(6, kIpv4.client, kIpv4.server).ipv4_options({1, 1, 1, 0});
  OwnedFrame frame =
      error(kIpv4, kIpv4.router, "172.16.0.1").ipv4_options({1, 1, 1, 0}).quote(quoted, 90).frame();
  nat_icmp_to_client(frame, parse(frame), address("10.9.0.1"), 80);
  CHECK(frame.bytes() == error(kIpv4, kIpv4.router, "172.16.0.1")
                             .ipv4_options({1, 1, 1, 0})
                             .quote(Packet(quoted).destination(kIpv4.service), 90)
                             .bytes());

  const Octets padding{0, 1, 4, 0, 0, 0, 0};
  const Packet quoted6 = transport(17, kIpv6.service, kIpv6.client).extension(60, padding);
  OwnedFrame frame6 =
      error(kIpv6, kIpv6.router, "2001:db8:9::1").extension(60, padding).quote(quoted6).frame();
  nat_icmp_to_server(frame6, parse(frame6), address("fd00:77::abcd:250"), 8080);
  CHECK(faults(frame6) == "");
  CHECK(frame6.bytes() == error(kIpv6, kIpv6.router, "fd00:77::abcd:250")
                              .extension(60, padding)
                              .quote(Packet(quoted6).source(kIpv6.server))
                              .bytes());
}

TEST_CASE("icmp error: a quote of four bytes has ports and nothing else to change") {
  const Packet quoted = transport(6, kIpv4.client, kIpv4.server);
  OwnedFrame frame = error(kIpv4, kIpv4.router, "172.16.0.1").quote(quoted, 24).frame();
  nat_icmp_to_client(frame, parse(frame), address("10.9.0.1"), 80);
  CHECK(faults(frame) == "");
  CHECK(frame.bytes() == error(kIpv4, kIpv4.router, "172.16.0.1")
                             .quote(Packet(quoted).destination(kIpv4.service), 24)
                             .bytes());
}

}  // namespace uvs::test
