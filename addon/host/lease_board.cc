#include "host/lease_board.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace uvs {

Result<void*> LeaseBoard::map(int descriptor) {
  struct stat about {};
  if (fstat(descriptor, &about) != 0 || about.st_size < static_cast<off_t>(kSize))
    return Status{ErrorCode::kIo, "the board of leases is no memory of that size"};
  void* slots = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (slots == MAP_FAILED) return errno_status(errno, "cannot map the board of leases");
  return slots;
}

Result<LeaseBoard> LeaseBoard::create() {
  FileDescriptor memory(memfd_create("uvs-leases", MFD_CLOEXEC));
  if (!memory.is_open() || ftruncate(memory.get(), static_cast<off_t>(kSize)) != 0)
    return errno_status(errno, "cannot make the board of leases");
  // All zero: void.
  auto slots = map(memory.get());
  if (!slots.ok()) return slots.status();
  return LeaseBoard(std::move(memory), slots.value());
}

Result<LeaseBoard> LeaseBoard::attach(int descriptor) {
  auto slots = map(descriptor);
  if (!slots.ok()) return slots.status();
  return LeaseBoard(FileDescriptor(), slots.value());
}

LeaseBoard::LeaseBoard(LeaseBoard&& other) noexcept
    : memory_(std::move(other.memory_)), slots_(std::exchange(other.slots_, nullptr)) {}

LeaseBoard::~LeaseBoard() {
  if (slots_ != nullptr) munmap(slots_, kSize);
}

bool LeaseBoard::renew(LeaseSlot slot, uint64_t end) {
  uint64_t known = get(slot);
  while (known != kVoid && known != kClaimed) {
    if (at(slot).compare_exchange_weak(known, end, std::memory_order_acq_rel)) return true;
  }
  return known == kVoid;
}

bool LeaseBoard::claim(LeaseSlot slot, std::optional<Micros> now) {
  uint64_t known = get(slot);
  while (known != kVoid && known != kClaimed) {
    if (now && *now < known) return false;
    if (at(slot).compare_exchange_weak(known, kClaimed, std::memory_order_acq_rel)) return true;
  }
  return false;
}

}  // namespace uvs
