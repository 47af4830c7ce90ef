// Bounded: one connection ends for one that comes, found without a search.
#include "core/path/room.h"

namespace uvs {

bool Room::make() {
  if (count_.get() < unconfirmed_limit_) return true;
  const bool is_full = count_.get() >= limit_;
  if (!is_full && count_of(Standing::kUnconfirmed) < unconfirmed_limit_) return true;
  return end_one(Standing::kUnconfirmed) || (is_full && end_one(Standing::kClosed)) || !is_full;
}

bool Room::end_one() { return end_one(Standing::kUnconfirmed) || end_one(Standing::kClosed); }

uint32_t Room::count_of(Standing standing) const {
  uint32_t count = 0;
  for (size_t i = 0; i < holder_count_; i++) count += holders_[i]->count(standing);
  return count;
}

// Of the family that has more of them: the flood pays for itself.
bool Room::end_one(Standing standing) {
  Holder* most = nullptr;
  for (size_t i = 0; i < holder_count_; i++) {
    if (holders_[i]->count(standing) == 0) continue;
    if (most == nullptr || holders_[i]->count(standing) > most->count(standing)) most = holders_[i];
  }
  if (most != nullptr) most->end_next(standing);
  return most != nullptr;
}

}  // namespace uvs
