// A zeroed array of fixed length whose pages exist only once they are touched: limits can be
// generous and cost nothing until they are used. Made once at start; off the packet path
// afterwards.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <type_traits>

namespace uvs {

template <typename T>
class ReservedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit ReservedArray(size_t count) : count_(count), size_bytes_(count * sizeof(T)) {
    void* memory = mmap(nullptr, size_bytes_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) data_ = static_cast<T*>(memory);
  }
  // For random access over many megabytes: huge pages save a page walk for each packet. Not for
  // what stays mostly unused, since the first touch costs 2 MB.
  void use_huge_pages() {
    if (data_ != nullptr) madvise(data_, size_bytes_, MADV_HUGEPAGE);
  }
  ~ReservedArray() {
    if (data_ != nullptr) munmap(data_, size_bytes_);
  }
  ReservedArray(const ReservedArray&) = delete;
  ReservedArray& operator=(const ReservedArray&) = delete;

  // False when there was no address space.
  bool is_ready() const { return data_ != nullptr; }
  size_t size() const { return count_; }
  T* data() { return data_; }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  std::span<T> span() { return {data_, count_}; }

 private:
  T* data_ = nullptr;
  size_t count_;
  size_t size_bytes_;
};

}  // namespace uvs
