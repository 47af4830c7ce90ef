// A standby service: another director serves it. Nothing that is sent to it is forwarded, answered or counted here; its
// connections stand still, and go on when the service is ours again.
#include <doctest/doctest.h>

#include "core/flow/tcp_state.h"
#include "test_director.h"

using namespace uvs;
using namespace uvs::test;

namespace {

const std::string kClient = "172.16.0.1:10000", kVip = "10.9.0.1:80", kServer = "10.1.0.1:8080";

ServiceSpec web(ForwardingMethod method, bool is_standby) {
  const bool is_nat = method == ForwardingMethod::kNat;
  ServiceSpec spec = tcp_service(kVip, {server(is_nat ? kServer : "10.1.0.1:80", method),
                                        server(is_nat ? "10.1.0.2:8080" : "10.1.0.2:80", method)});
  spec.is_standby = is_standby;
  return spec;
}

struct Established {
  explicit Established(ForwardingMethod method) : method(method) {
    director.publish({web(method, false)});
    director.from_client(tcp4(kClient, kVip).syn());
    if (method == ForwardingMethod::kNat) director.from_server(tcp4(kServer, kClient).syn().ack());
    director.from_client(tcp4(kClient, kVip).ack());
  }
  void set_standby(bool is_standby) { director.publish({web(method, is_standby)}); }
  TcpState state() { return static_cast<TcpState>(director.connections().at(0).state); }

  ForwardingMethod method;
  TestDirector director;
};

}  // namespace

TEST_CASE("standby: what is sent to the service goes to the host, and changes nothing here") {
  for (const ForwardingMethod method : {ForwardingMethod::kNat, ForwardingMethod::kDirectRoute}) {
    Established here(method);
    TestDirector& director = here.director;
    REQUIRE(here.state() == TcpState::kEstablished);
    here.set_standby(true);
    const Traffic before = director.counters(0, 0).traffic;
    for (const Packet& packet : {tcp4(kClient, kVip).ack(), tcp4(kClient, kVip).rst().ack(), tcp4(kClient, kVip).fin().ack(),
                                 tcp4(kClient, kVip).syn(), tcp4("172.16.0.1:7", kVip).syn()}) {
      const Seen seen = director.from_client(packet);
      CHECK(seen.verdict == Verdict::kToHost);
      CHECK(seen.bytes == Packet(packet).bytes());
    }
    CHECK(here.state() == TcpState::kEstablished);
    CHECK(director->connection_count() == 1);
    CHECK(director.counters(0, 0).active == 1);
    CHECK(director.counters(0, 0).traffic.in_packets == before.in_packets);

    // Ours again: the connection goes on, and the scheduler with the next server.
    here.set_standby(false);
    CHECK(server_of(director.from_client(tcp4(kClient, kVip).ack())) == 1);
    CHECK(director.counters(0, 0).active == 1);
    CHECK(director.counters(0, 0).traffic.in_packets == before.in_packets + 1);
    CHECK(server_of(director.from_client(tcp4("172.16.0.1:7", kVip).syn())) == 2);
  }
}

TEST_CASE("standby: a connection that nobody renews expires as any other") {
  Established here(ForwardingMethod::kDirectRoute);
  here.set_standby(true);
  here.director.wait(899);
  here.director.from_client(tcp4(kClient, kVip).ack());
  CHECK(here.director->connection_count() == 1);
  here.director.wait(2);
  CHECK(here.director->connection_count() == 0);
  CHECK(here.director.counters(0, 0).active == 0);
}

TEST_CASE("standby: a server's replies still reach the client in the service's name") {
  Established here(ForwardingMethod::kNat);
  here.set_standby(true);
  const Seen reply = here.director.from_server(tcp4(kServer, kClient).ack().payload(10));
  CHECK(reply.verdict == Verdict::kForward);
  CHECK(reply.packet.source == address("10.9.0.1"));
  CHECK(reply.packet.source_port == 80);
  here.director.from_server(tcp4(kServer, kClient).fin().ack());
  CHECK(here.state() == TcpState::kFinWait);
}

TEST_CASE("standby: fragments and ICMP errors go to the host as well") {
  Established here(ForwardingMethod::kDirectRoute);
  TestDirector& director = here.director;
  const Packet error = icmp4("172.16.0.77", "10.9.0.1").icmp(3, 4, 1400).quote(tcp4(kVip, kClient).ack().payload(1000), 576);
  REQUIRE(director.from_client(error).verdict == Verdict::kForward);
  here.set_standby(true);
  CHECK(director.from_client(error).verdict == Verdict::kToHost);
  const Packet datagram = tcp4(kClient, kVip).ack().payload(2000).identification(7);
  CHECK(director.from_client(Packet(datagram).fragment(0, 1400)).verdict == Verdict::kToHost);
  CHECK(director.from_client(Packet(datagram).fragment(1400, 620)).verdict == Verdict::kToHost);
}

TEST_CASE("standby: nobody is refused for lack of servers, and other services are as before") {
  TestDirector director;
  ServiceSpec empty = tcp_service(kVip, {});
  empty.is_standby = true;
  director.publish({empty, tcp_service("10.9.0.1:81", {dr("10.1.0.3:81")})});
  CHECK(director.from_client(tcp4(kClient, kVip).syn()).verdict == Verdict::kToHost);
  CHECK(server_of(director.from_client(tcp4(kClient, "10.9.0.1:81").syn())) == 3);
}
