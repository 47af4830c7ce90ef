// What the stages of the path know of one packet while it is on its way through the batch.
// A Passage is a value: it stays true when the connection that it came from ends within the same
// batch.
#pragma once

#include <cstdint>

#include "core/forward/icmp_error.h"
#include "core/forward/neighbour_table.h"
#include "core/net/parse.h"
#include "core/net/verdict.h"
#include "core/table/forwarding_table.h"

namespace uvs {

enum class Direction : uint8_t { kRequest, kReply };  // client to server, server to client

// How a packet gets to the other side: all that rewriting it needs.
struct Passage {
  Direction direction = Direction::kRequest;
  ForwardingMethod method = ForwardingMethod::kNat;
  NeighbourIndex hop = kNoNeighbour;
  uint16_t server_port = 0, virtual_port = 0;  // host order
  uint32_t flow_hash = 0;                      // picks among equal routes
  DestinationSlot destination = kNoSlot;
  IpAddress server, virtual_address;
};

// What the path has decided about a packet. kForward: by `passage`; kToHost: by it when its server is
// this machine itself and is reached by NAT, else as the packet came.
struct Decision {
  Verdict verdict = Verdict::kToHost;
  DropReason reason = DropReason::kNone;     // kDrop; kAnswer: why, should no answer be allowed
  Answer answer = Answer::kPortUnreachable;  // kAnswer
  bool is_to_local_server = false;           // kToHost
  Passage passage;
};

struct Item {
  ParsedPacket packet;
  const Service* service = nullptr;      // that the packet is addressed to; null: to none
  uint32_t ifindex = 0;                  // that it came in by
  uint32_t hash = 0;                     // of the connection that it may belong to
  DestinationSlot counted_by = kNoSlot;  // whose traffic it is; kNoSlot: nobody's
  Direction direction = Direction::kRequest;
  Decision decision;
  Verdict outcome = Verdict::kDrop;  // what became of it
};

inline Decision drop(DropReason reason) {
  return {.verdict = Verdict::kDrop, .reason = reason, .passage = {}};
}
inline Decision wait_for_first_fragment() { return {.verdict = Verdict::kHeld, .passage = {}}; }
inline Decision to_host() { return {.verdict = Verdict::kToHost, .passage = {}}; }
inline Decision to_local_server(const Passage& passage) {
  return {.verdict = Verdict::kToHost, .is_to_local_server = true, .passage = passage};
}
inline Decision answer(Answer kind, DropReason otherwise) {
  return {.verdict = Verdict::kAnswer, .reason = otherwise, .answer = kind, .passage = {}};
}
inline Decision forward(const Passage& passage) {
  return {.verdict = Verdict::kForward, .passage = passage};
}

}  // namespace uvs
