// A number with one writer and many readers.
#pragma once

#include <atomic>

namespace uvs {

template <typename T>
class Counted {
 public:
  T get() const { return value_.load(std::memory_order_relaxed); }
  void set(T value) { value_.store(value, std::memory_order_relaxed); }
  void add(T amount) { set(static_cast<T>(get() + amount)); }
  void subtract(T amount) { set(static_cast<T>(get() - amount)); }

 private:
  std::atomic<T> value_;
};

}  // namespace uvs
