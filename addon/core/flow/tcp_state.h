// The states that IPVS follows a TCP connection through, as data: three tables of event x state,
// and the timeouts. INPUT: packets of the client; OUTPUT: of the server, where its answers come
// back through us (NAT); INPUT-ONLY: packets of the client of a connection whose answers we never
// see (DR).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/net/parse.h"

namespace uvs {

// The numbers are IPVS's: they stand in sync messages and, as names, in listings.
enum class TcpState : uint8_t {
  kNone,
  kEstablished,
  kSynSent,
  kSynReceived,
  kFinWait,
  kTimeWait,
  kClose,
  kCloseWait,
  kLastAck,
  kListen,
  kSynAck,
};
inline constexpr size_t kTcpStateCount = 11;

enum class TcpDirection : uint8_t { kInput, kOutput, kInputOnly };
enum class TcpEvent : uint8_t { kSyn, kFin, kAck, kRst, kNone };

// One event a packet: RST before SYN before FIN before ACK.
constexpr TcpEvent tcp_event(uint8_t flags) {
  if (flags & tcp_flag::kRst) return TcpEvent::kRst;
  if (flags & tcp_flag::kSyn) return TcpEvent::kSyn;
  if (flags & tcp_flag::kFin) return TcpEvent::kFin;
  if (flags & tcp_flag::kAck) return TcpEvent::kAck;
  return TcpEvent::kNone;
}

namespace tcp_table {

inline constexpr TcpState NO = TcpState::kNone, ES = TcpState::kEstablished,
                          SS = TcpState::kSynSent, SR = TcpState::kSynReceived,
                          FW = TcpState::kFinWait, TW = TcpState::kTimeWait, CL = TcpState::kClose,
                          CW = TcpState::kCloseWait, LA = TcpState::kLastAck,
                          LI = TcpState::kListen, SA = TcpState::kSynAck;

using Row = std::array<TcpState, kTcpStateCount>;

// [direction][event][state]
inline constexpr std::array<std::array<Row, 4>, 3> kNext = {{
    {{  // INPUT
        //   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        Row{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},  // syn
        Row{CL, CW, SS, TW, TW, TW, CL, CW, LA, LI, TW},  // fin
        Row{ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},  // ack
        Row{CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, SR},  // rst
    }},
    {{  // OUTPUT
        //   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        Row{SS, ES, SS, SR, SS, SS, SS, SS, SS, LI, SR},  // syn
        Row{TW, FW, SS, TW, FW, TW, CL, TW, LA, LI, TW},  // fin
        Row{ES, ES, SS, ES, FW, TW, CL, CW, LA, ES, ES},  // ack
        Row{CL, CL, SS, CL, CL, TW, CL, CL, CL, CL, CL},  // rst
    }},
    {{  // INPUT-ONLY
        //   NO  ES  SS  SR  FW  TW  CL  CW  LA  LI  SA
        Row{SR, ES, ES, SR, SR, SR, SR, SR, SR, SR, SR},  // syn
        Row{CL, FW, SS, TW, FW, TW, CL, CW, LA, LI, TW},  // fin
        Row{ES, ES, SS, ES, FW, TW, CL, CW, CL, LI, ES},  // ack
        Row{CL, CL, CL, SR, CL, CL, CL, CL, LA, LI, CL},  // rst
    }},
}};

}  // namespace tcp_table

constexpr TcpState next_state(TcpState state, TcpDirection direction, TcpEvent event) {
  if (event == TcpEvent::kNone) return state;
  return tcp_table::kNext[static_cast<size_t>(direction)][static_cast<size_t>(event)]
                         [static_cast<size_t>(state)];
}

// Counts as an active connection of its server: established, or on the way there.
constexpr bool is_active(TcpState state) {
  return state == TcpState::kEstablished || state == TcpState::kSynReceived ||
         state == TcpState::kSynSent || state == TcpState::kSynAck;
}

// One side at least has ended it.
constexpr bool is_closing(TcpState state) {
  return state >= TcpState::kFinWait && state <= TcpState::kLastAck;
}

// Seconds that a connection in a state outlives its last packet.
struct Timeouts {
  std::array<uint32_t, kTcpStateCount> tcp_s;
  uint32_t udp_s;

  constexpr uint32_t tcp(TcpState state) const { return tcp_s[static_cast<size_t>(state)]; }
};

// The kernel's, with those three replaced that `ipvsadm --set` can change.
constexpr Timeouts make_timeouts(uint32_t tcp_s, uint32_t tcp_fin_s, uint32_t udp_s) {
  //                NO  ES     SS   SR  FW         TW   CL  CW  LA  LI   SA
  return {.tcp_s = {2, tcp_s, 120, 60, tcp_fin_s, 120, 10, 60, 30, 120, 120}, .udp_s = udp_s};
}

}  // namespace uvs
