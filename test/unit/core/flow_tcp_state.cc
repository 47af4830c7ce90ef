// Every cell of the three TCP tables against the documented ones, written here as text and in rows of their own; the
// priority of events, who counts as active, and the timeouts.
#include <doctest/doctest.h>

#include <string>

#include "core/flow/tcp_state.h"

using namespace uvs;

namespace {

const std::string kNames[] = {"NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"};

std::string row(TcpDirection direction, TcpEvent event) {
  std::string text;
  for (size_t state = 0; state < kTcpStateCount; state++) {
    if (state > 0) text += ' ';
    text += kNames[static_cast<size_t>(next_state(static_cast<TcpState>(state), direction, event))];
  }
  return text;
}

}  // namespace

TEST_CASE("INPUT: the client of a NAT connection") {
  CHECK(row(TcpDirection::kInput, TcpEvent::kSyn) == "SR ES ES SR SR SR SR SR SR SR SR");
  CHECK(row(TcpDirection::kInput, TcpEvent::kFin) == "CL CW SS TW TW TW CL CW LA LI TW");
  CHECK(row(TcpDirection::kInput, TcpEvent::kAck) == "ES ES SS ES FW TW CL CW CL LI ES");
  CHECK(row(TcpDirection::kInput, TcpEvent::kRst) == "CL CL CL SR CL CL CL CL LA LI SR");
}

TEST_CASE("OUTPUT: its server") {
  CHECK(row(TcpDirection::kOutput, TcpEvent::kSyn) == "SS ES SS SR SS SS SS SS SS LI SR");
  CHECK(row(TcpDirection::kOutput, TcpEvent::kFin) == "TW FW SS TW FW TW CL TW LA LI TW");
  CHECK(row(TcpDirection::kOutput, TcpEvent::kAck) == "ES ES SS ES FW TW CL CW LA ES ES");
  CHECK(row(TcpDirection::kOutput, TcpEvent::kRst) == "CL CL SS CL CL TW CL CL CL CL CL");
}

TEST_CASE("INPUT-ONLY: the client of a DR connection") {
  CHECK(row(TcpDirection::kInputOnly, TcpEvent::kSyn) == "SR ES ES SR SR SR SR SR SR SR SR");
  CHECK(row(TcpDirection::kInputOnly, TcpEvent::kFin) == "CL FW SS TW FW TW CL CW LA LI TW");
  CHECK(row(TcpDirection::kInputOnly, TcpEvent::kAck) == "ES ES SS ES FW TW CL CW CL LI ES");
  CHECK(row(TcpDirection::kInputOnly, TcpEvent::kRst) == "CL CL CL SR CL CL CL CL LA LI CL");
}

TEST_CASE("a segment without any of the four flags changes nothing") {
  for (const TcpDirection direction :
       {TcpDirection::kInput, TcpDirection::kOutput, TcpDirection::kInputOnly}) {
    CHECK(row(direction, TcpEvent::kNone) == "NO ES SS SR FW TW CL CW LA LI SA");
  }
}

TEST_CASE("RST before SYN before FIN before ACK") {
  using namespace tcp_flag;
  CHECK(tcp_event(kRst | kSyn | kFin | kAck) == TcpEvent::kRst);
  CHECK(tcp_event(kSyn | kFin | kAck) == TcpEvent::kSyn);
  CHECK(tcp_event(kFin | kAck | kPsh) == TcpEvent::kFin);
  CHECK(tcp_event(kAck | kPsh) == TcpEvent::kAck);
  CHECK(tcp_event(kPsh) == TcpEvent::kNone);
  CHECK(tcp_event(0) == TcpEvent::kNone);
}

TEST_CASE("active: established or on the way there") {
  std::string active;
  for (size_t state = 0; state < kTcpStateCount; state++) {
    if (is_active(static_cast<TcpState>(state))) active += kNames[state] + " ";
  }
  CHECK(active == "ES SS SR SA ");
}

TEST_CASE("timeouts are the kernel's, three of them changeable") {
  constexpr uint32_t kSeconds[] = {2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120};
  const Timeouts standard = make_timeouts(900, 120, 300);
  for (size_t state = 0; state < kTcpStateCount; state++) {
    CHECK(standard.tcp(static_cast<TcpState>(state)) == kSeconds[state]);
  }
  CHECK(standard.udp_s == 300);
  const Timeouts changed = make_timeouts(100, 20, 5);
  CHECK(changed.tcp(TcpState::kEstablished) == 100);
  CHECK(changed.tcp(TcpState::kFinWait) == 20);
  CHECK(changed.tcp(TcpState::kTimeWait) == 120);
  CHECK(changed.udp_s == 5);
}
