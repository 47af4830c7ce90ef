// Room in the connection tables of both families, under one limit: who gives way when there is none. A connection that
// is confirmed never does, so a flood of half-open ones costs nobody his connection, and no new client his place.
#pragma once

#include <array>
#include <cstdint>

#include "core/flow/connection.h"
#include "core/net/counted.h"

namespace uvs {

class Room {
 public:
  // The connections of one family.
  class Holder {
   public:
    virtual uint32_t count(Standing standing) = 0;
    // Ends the one of that standing whose turn it is; there is one.
    virtual void end_next(Standing standing) = 0;

   protected:
    ~Holder() = default;
  };

  // Unconfirmed connections may fill all but this part of the table: 1/4.
  static constexpr uint32_t kReservedShare = 4;

  explicit Room(uint32_t limit) : limit_(limit), unconfirmed_limit_(limit - limit / kReservedShare) {}

  void add(Holder& holder) { holders_[holder_count_++] = &holder; }

  // Room for one connection that is not confirmed yet. False: all that there are are confirmed.
  bool make();
  // Ends one connection that is not confirmed, or closed; false: there is none.
  bool end_one();

  uint32_t limit() const { return limit_; }
  // Connections there are.
  Counted<uint32_t>& count() { return count_; }
  const Counted<uint32_t>& count() const { return count_; }

 private:
  uint32_t count_of(Standing standing) const;
  bool end_one(Standing standing);

  const uint32_t limit_, unconfirmed_limit_;
  Counted<uint32_t> count_{};
  std::array<Holder*, 2> holders_{};
  size_t holder_count_ = 0;
};

}  // namespace uvs
