// A connection as it is listed: a value, copied out of the table between two batches.
#pragma once

#include <cstdint>

#include "core/net/address.h"

namespace uvs {

struct ConnectionView {
  Family family = Family::kIpv4;
  uint8_t protocol = 0;      // kProtocolTcp or kProtocolUdp
  uint8_t state = 0;         // TcpState; 0 for UDP
  uint16_t client_port = 0;  // ports in host order
  uint16_t virtual_port = 0;
  uint16_t destination_port = 0;
  uint32_t expires_ms = 0;  // from now, at least 0
  bool is_nat = false;
  bool is_answered = false;
  uint8_t standing = 0;  // Standing
  bool is_template = false;  // see kTemplateBit; `protocol` is without it
  bool is_assured = false;
  IpAddress client;
  IpAddress virtual_address;
  IpAddress destination;
};

// Where a walk over all connections goes on; 0 begins it and, returned, ends it. Below 2^53.
using ConnectionCursor = uint64_t;

}  // namespace uvs
