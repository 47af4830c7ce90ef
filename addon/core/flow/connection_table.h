// All connections of one family: records in a slab, found through buckets by the client's address
// and port, so that both directions of a NAT connection meet in one chain. One thread; nothing is
// allocated after it is made, and memory is touched only as far as it is used.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/flow/connection.h"
#include "core/flow/expiry_wheel.h"
#include "core/flow/index_set.h"
#include "core/net/reserved_array.h"
#include "shared/siphash.h"

namespace uvs {

template <Family F>
class ConnectionTable {
 public:
  using Record = Connection<F>;
  using Address = PackedAddress<F>;

  // Room for `capacity` connections. `key` is secret, or a stranger can make all of them share one
  // chain.
  ConnectionTable(uint32_t capacity, const uvs_hash_key& key)
      : key_(key),
        mask_(std::bit_ceil(capacity) * 2 - 1),
        records_(size_t{capacity} + 1),
        buckets_(size_t{mask_} + 1),
        wheel_(records_.data()),
        unconfirmed_(capacity + 1),
        closed_(capacity + 1) {
    records_.use_huge_pages();
    buckets_.use_huge_pages();
  }

  bool is_ready() const {
    return records_.is_ready() && buckets_.is_ready() && unconfirmed_.is_ready() &&
           closed_.is_ready();
  }
  uint32_t count() const { return count_; }
  uint32_t bucket_count() const { return mask_ + 1; }
  // Indices ever used are below this.
  ConnectionIndex bound() const { return bound_; }

  // The client is who a request comes from, and who a reply goes to.
  uint32_t hash(const IpAddress& client, uint16_t client_port, uint8_t protocol) const {
    const Address address = Address::of(client);
    const uint64_t tail = uint64_t{client_port} << 32 | uint64_t{protocol} << 48;
    if constexpr (F == Family::kIpv4) {
      const uint64_t words[1] = {address.word | tail};
      return static_cast<uint32_t>(uvs_siphash(words, 1, &key_));
    } else {
      const uint64_t words[3] = {address.words[0], address.words[1], tail};
      return static_cast<uint32_t>(uvs_siphash(words, 3, &key_));
    }
  }

  // Three steps that warm the cache for find_*, each for all packets of a batch before the next:
  // the bucket, its first record, and, where that has another hash, the second.
  void prefetch_bucket(uint32_t hash) const { __builtin_prefetch(&buckets_[hash & mask_]); }
  void prefetch_first(uint32_t hash) const { prefetch(buckets_[hash & mask_]); }
  void prefetch_second(uint32_t hash) const {
    const Record& first = records_[buckets_[hash & mask_]];
    if (first.hash != hash) prefetch(first.chain_next);
  }

  // The connection that a packet from client to virtual service belongs to.
  ConnectionIndex find_request(uint32_t hash, const IpAddress& client, uint16_t client_port,
                               const IpAddress& virtual_address, uint16_t virtual_port,
                               uint8_t protocol) const {
    const Address from = Address::of(client), to = Address::of(virtual_address);
    for (ConnectionIndex i = buckets_[hash & mask_]; i != kNoConnection;
         i = records_[i].chain_next) {
      const Record& record = records_[i];
      if (record.client == from && record.virtual_address == to &&
          record.client_port == client_port && record.virtual_port == virtual_port &&
          record.protocol == protocol) {
        return i;
      }
    }
    return kNoConnection;
  }

  // The NAT connection that a packet from server to client belongs to.
  ConnectionIndex find_reply(uint32_t hash, const IpAddress& client, uint16_t client_port,
                             const IpAddress& server, uint16_t server_port,
                             uint8_t protocol) const {
    const Address to = Address::of(client), from = Address::of(server);
    for (ConnectionIndex i = buckets_[hash & mask_]; i != kNoConnection;
         i = records_[i].chain_next) {
      const Record& record = records_[i];
      if (record.client == to && record.destination == from && record.client_port == client_port &&
          record.destination_port == server_port && record.protocol == protocol &&
          record.flags.is_nat) {
        return i;
      }
    }
    return kNoConnection;
  }

  Record& operator[](ConnectionIndex index) { return records_[index]; }
  const Record& operator[](ConnectionIndex index) const { return records_[index]; }

  // Takes `record` (its addresses, ports, protocol and whatever is path's) in until `expires`,
  // unless it is renewed. kNoConnection: the table is full.
  ConnectionIndex insert(const Record& record, uint32_t hash, Tick expires, Tick now) {
    const ConnectionIndex index = take();
    if (index == kNoConnection) return kNoConnection;
    Record& made = records_[index];
    made = record;
    made.hash = hash;
    made.expires = expires;
    ConnectionIndex& head = buckets_[hash & mask_];
    made.chain_next = head;
    head = index;
    wheel_.add(index, now);
    if (IndexSet* set = set_of(made.flags.standing)) set->add(index);
    return index;
  }

  void set_standing(ConnectionIndex index, Standing standing) {
    ConnectionFlags& flags = records_[index].flags;
    if (IndexSet* set = set_of(flags.standing)) set->remove(index);
    flags.standing = standing;
    if (IndexSet* set = set_of(standing)) set->add(index);
  }

  // How many there are that are unconfirmed, or closed.
  uint32_t count(Standing standing) { return set_of(standing)->count(); }

  // One of the unconfirmed, or of the closed, of which there are some: a hand goes round over the records, so that each
  // has had a whole round before its turn comes, and when new ones take the places of those that end, the oldest is next.
  ConnectionIndex next_to_end(Standing standing) {
    uint32_t& hand = hands_[static_cast<size_t>(standing)];
    const ConnectionIndex index = set_of(standing)->next(hand);
    hand = index + 1;
    return index;
  }

  // Puts the end off, or nearer.
  void renew(ConnectionIndex index, Tick expires) { wheel_.move(index, expires); }

  // Within expire(): one whose time has come lives on until `expires`.
  void refile(ConnectionIndex index, Tick expires) { wheel_.refile(index, expires); }

  void erase(ConnectionIndex index) {
    ConnectionIndex* link = &buckets_[records_[index].hash & mask_];
    while (*link != index) link = &records_[*link].chain_next;
    *link = records_[index].chain_next;
    wheel_.remove(index);
    if (IndexSet* set = set_of(records_[index].flags.standing)) set->remove(index);
    records_[index].protocol = 0;  // no connection: see is_used()
    records_[index].chain_next = free_;
    free_ = index;
    count_--;
  }

  // Calls `end(index)` for each connection whose time has come; it must erase or refile it. See
  // ExpiryWheel::turn.
  template <typename End>
  bool expire(Tick now, uint32_t budget, End end) {
    return wheel_.turn(now, budget, end);
  }

  // Does a connection live at `index`, which is below bound()?
  bool is_used(ConnectionIndex index) const { return records_[index].protocol != 0; }

 private:
  // Who may have to give way; null: nobody of that standing.
  IndexSet* set_of(Standing standing) {
    return standing == Standing::kConfirmed ? nullptr
           : standing == Standing::kClosed  ? &closed_
                                            : &unconfirmed_;
  }

  void prefetch(ConnectionIndex index) const {
    const auto* record = reinterpret_cast<const char*>(&records_[index]);
    __builtin_prefetch(record, 1);
    if constexpr (sizeof(Record) > 64) __builtin_prefetch(record + 64, 1);
  }

  ConnectionIndex take() {
    ConnectionIndex index = free_;
    if (index != kNoConnection) {
      free_ = records_[index].chain_next;
    } else if (bound_ < records_.size()) {
      index = bound_++;
    } else {
      return kNoConnection;
    }
    count_++;
    return index;
  }

  const uvs_hash_key key_;
  const uint32_t mask_;
  ReservedArray<Record> records_;  // [0] is nobody's
  ReservedArray<ConnectionIndex> buckets_;
  ExpiryWheel<Record> wheel_;
  IndexSet unconfirmed_, closed_;
  std::array<uint32_t, 3> hands_{};  // by Standing
  ConnectionIndex free_ = kNoConnection;
  ConnectionIndex bound_ = 1;
  uint32_t count_ = 0;
};

}  // namespace uvs
