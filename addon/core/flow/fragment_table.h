// Where the first fragment of a packet went, so that the later ones, which have no ports, follow
// it. A small table of sets: under pressure the oldest of a set gives way. One thread, nothing
// allocated after it is made.
#pragma once

#include <cstdint>

#include "core/net/parse.h"
#include "core/net/reserved_array.h"
#include "core/net/time.h"
#include "shared/siphash.h"

namespace uvs {

template <typename Value>
class FragmentTable {
 public:
  static constexpr size_t kSets = 1024;
  static constexpr size_t kWays = 4;
  // As long as the kernel waits for the rest of a packet.
  static constexpr Micros kTimeout = 30 * kMicrosPerSecond;
  // Fragments of a packet come together: what gives way after this was most likely complete.
  static constexpr Micros kUnderWay = kMicrosPerSecond;

  explicit FragmentTable(const uvs_hash_key& key) : key_(key), entries_(kSets * kWays) {}

  bool is_ready() const { return entries_.is_ready(); }

  // `packet` is a first fragment. False when a packet that was still under way had to give way.
  bool remember(const ParsedPacket& packet, const Value& value, Micros now) {
    Entry* oldest = nullptr;
    Entry* set = set_of(packet);
    for (Entry* entry = set; entry < set + kWays; entry++) {
      if (matches(*entry, packet)) {
        oldest = entry;  // the sender's identifications have come round
        break;
      }
      if (oldest == nullptr || entry->expires < oldest->expires) oldest = entry;
    }
    const bool was_under_way =
        oldest->expires > now + kTimeout - kUnderWay && !matches(*oldest, packet);
    *oldest = {.source = packet.source,
               .destination = packet.destination,
               .id = packet.fragment_id,
               .family = packet.family,
               .protocol = key_protocol(packet),
               .expires = now + kTimeout,
               .value = value};
    return !was_under_way;
  }

  // `packet` is a later fragment. Null when its first one was not seen.
  const Value* find(const ParsedPacket& packet, Micros now) {
    Entry* set = set_of(packet);
    for (Entry* entry = set; entry < set + kWays; entry++) {
      if (matches(*entry, packet) && entry->expires > now) return &entry->value;
    }
    return nullptr;
  }

 private:
  struct Entry {
    IpAddress source, destination;
    uint32_t id;
    Family family;
    uint8_t protocol;
    Micros expires;  // 0: never used
    Value value;
  };

  // IPv6 names a packet without its protocol (RFC 8200 4.5): a later fragment shows only the header that follows the
  // fragment header in the first one, which may be an extension.
  static uint8_t key_protocol(const ParsedPacket& packet) {
    return packet.family == Family::kIpv6 ? 0 : packet.protocol;
  }

  static bool matches(const Entry& entry, const ParsedPacket& packet) {
    return entry.expires != 0 && entry.id == packet.fragment_id && entry.source == packet.source &&
           entry.destination == packet.destination && entry.protocol == key_protocol(packet) &&
           entry.family == packet.family;
  }

  Entry* set_of(const ParsedPacket& packet) {
    const uint8_t* source = packet.source.bytes.data();
    const uint8_t* destination = packet.destination.bytes.data();
    const uint64_t words[5] = {load<uint64_t>(source), load<uint64_t>(source + 8),
                               load<uint64_t>(destination), load<uint64_t>(destination + 8),
                               uint64_t{packet.fragment_id} << 8 | key_protocol(packet)};
    return &entries_[uvs_siphash(words, 5, &key_) % kSets * kWays];
  }

  const uvs_hash_key key_;
  ReservedArray<Entry> entries_;
};

}  // namespace uvs
