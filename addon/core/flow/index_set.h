// A set of small numbers that finds its next member after any number in a few steps, however many others it has: a bit
// for each number, and above every 64 words a word that says which of them are not empty. Memory is touched only as far
// as it is used; one thread.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "core/net/reserved_array.h"

namespace uvs {

class IndexSet {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kLevels = 5;  // 64^5 numbers

  // For numbers below `bound`.
  explicit IndexSet(uint32_t bound) : words_(lay_out(bound)) {}

  bool is_ready() const { return words_.is_ready(); }
  uint32_t count() const { return count_; }
  bool contains(uint32_t index) const { return (words_[index / 64] >> index % 64 & 1) != 0; }

  // `index` is not in the set yet.
  void add(uint32_t index) {
    count_++;
    for (size_t level = 0; level < kLevels; level++, index /= 64) {
      uint64_t& word = words_[begins_[level] + index / 64];
      const bool was_empty = word == 0;
      word |= uint64_t{1} << index % 64;
      if (!was_empty) return;
    }
  }

  // `index` is in the set.
  void remove(uint32_t index) {
    count_--;
    for (size_t level = 0; level < kLevels; level++, index /= 64) {
      uint64_t& word = words_[begins_[level] + index / 64];
      word &= ~(uint64_t{1} << index % 64);
      if (word != 0) return;
    }
  }

  // The smallest member from `from` on, and when there is none the smallest of all; kNone: the set is empty.
  uint32_t next(uint32_t from) const {
    const uint32_t found = at_or_after(from);
    return found != kNone || from == 0 ? found : at_or_after(0);
  }

 private:
  // Sets begins_; returns how many words all levels have.
  size_t lay_out(uint32_t bound) {
    size_t total = 0;
    for (size_t level = 0, numbers = bound; level < kLevels; level++) {
      begins_[level] = total;
      numbers = (numbers + 63) / 64;
      total += numbers;
    }
    begins_[kLevels] = total;
    return total;
  }

  uint32_t at_or_after(uint32_t index) const {
    for (size_t level = 0; level < kLevels; level++) {
      const size_t at = begins_[level] + index / 64;
      if (at >= begins_[level + 1]) return kNone;
      const uint64_t rest = words_[at] & ~uint64_t{0} << index % 64;
      if (rest == 0) {
        index = index / 64 + 1;
        continue;
      }
      index = index / 64 * 64 + static_cast<uint32_t>(std::countr_zero(rest));
      while (level-- > 0) {
        index = index * 64 + static_cast<uint32_t>(std::countr_zero(words_[begins_[level] + index]));
      }
      return index;
    }
    return kNone;
  }

  std::array<size_t, kLevels + 1> begins_{};
  ReservedArray<uint64_t> words_;
  uint32_t count_ = 0;
};

}  // namespace uvs
