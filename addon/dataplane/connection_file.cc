#include "dataplane/connection_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "core/path/director.h"
#include "io/monotonic_clock.h"

namespace uvs {

namespace {

constexpr size_t kRowsAtOnce = 4096;

SnapshotStamp stamp_now() {
  SnapshotStamp stamp;
  timespec now{};
  (void)clock_gettime(CLOCK_BOOTTIME, &now);
  stamp.at_ms = static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  const FileDescriptor boot(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
  if (boot.is_open()) (void)!read(boot.get(), stamp.boot.data(), stamp.boot.size());
  return stamp;
}

bool write_all(int file, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

bool read_all(int file, std::span<uint8_t> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t got = pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    offset += static_cast<uint64_t>(got);
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
  return true;
}

bool write_rows(int file, const Director& director, SnapshotHeader& header) {
  std::vector<ConnectionView> views(kRowsAtOnce);
  std::vector<uint8_t> bytes(kRowsAtOnce * kSnapshotRowSize);
  SnapshotChecksum checksum;
  ConnectionCursor cursor = 0;
  do {
    size_t count = 0;
    cursor = director.copy_connections(cursor, views, count, monotonic_now());
    for (size_t i = 0; i < count; i++) {
      encode_row(views[i], std::span(bytes).subspan(i * kSnapshotRowSize).first<kSnapshotRowSize>());
    }
    const auto rows = std::span<const uint8_t>(bytes).first(count * kSnapshotRowSize);
    checksum.add(rows);
    header.rows += static_cast<uint32_t>(count);
    if (!write_all(file, rows)) return false;
  } while (cursor != 0);
  header.checksum = checksum.value();
  return true;
}

SnapshotFault check_rows(int file, const SnapshotHeader& header) {
  std::vector<uint8_t> bytes(kRowsAtOnce * kSnapshotRowSize);
  SnapshotChecksum checksum;
  for (uint64_t at = 0; at < header.rows; at += kRowsAtOnce) {
    const auto rows = std::span(bytes).first(std::min<uint64_t>(kRowsAtOnce, header.rows - at) * kSnapshotRowSize);
    if (!read_all(file, rows, kSnapshotHeaderSize + at * kSnapshotRowSize)) return SnapshotFault::kOtherLength;
    checksum.add(rows);
  }
  return checksum.value() == header.checksum ? SnapshotFault::kNone : SnapshotFault::kBadChecksum;
}

}  // namespace

Status write_connections(const std::string& path, const Director& director) {
  const uint64_t count = director.connection_count();
  if (count == 0) return {};
  const std::string draft = path + ".draft";
  const std::string failure = std::to_string(count) + " connections are lost to the next start: cannot write ";
  (void)unlink(draft.c_str());
  const FileDescriptor file(open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.is_open()) return errno_status(errno, failure + draft);
  std::array<uint8_t, kSnapshotHeaderSize> head{};
  SnapshotHeader header;
  bool is_good = write_all(file.get(), head) && write_rows(file.get(), director, header);
  if (is_good) {
    encode_header(header, stamp_now(), head);
    is_good = pwrite(file.get(), head.data(), head.size(), 0) == static_cast<ssize_t>(head.size());
  }
  if (is_good && rename(draft.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  (void)unlink(draft.c_str());
  return errno_status(error, failure + path);
}

Result<std::unique_ptr<ConnectionFile>> ConnectionFile::take(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.is_open()) {
    if (errno == ENOENT) return std::unique_ptr<ConnectionFile>();
    return errno_status(errno, "cannot open " + path);
  }
  (void)unlink(path.c_str());
  struct stat about{};
  if (fstat(file.get(), &about) != 0) return errno_status(errno, "cannot look at " + path);
  const auto refused = [&](const std::string& why) {
    const auto size = static_cast<uint64_t>(about.st_size);
    const uint64_t rows = size < kSnapshotHeaderSize ? 0 : (size - kSnapshotHeaderSize) / kSnapshotRowSize;
    return Status{ErrorCode::kIo, "the connections in " + path + ", " + std::to_string(rows) +
                                      " by its size, are not taken up: " + why};
  };
  const bool is_safe = S_ISREG(about.st_mode) && (about.st_uid == 0 || about.st_uid == geteuid()) &&
                       (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!is_safe) return refused("it is not a file that only root or this account can write");
  std::array<uint8_t, kSnapshotHeaderSize> head{};
  if (!read_all(file.get(), head, 0)) return refused(text(SnapshotFault::kNotASnapshot));
  SnapshotHeader header;
  SnapshotFault fault = decode_header(head, static_cast<uint64_t>(about.st_size), stamp_now(), header);
  if (fault == SnapshotFault::kNone) fault = check_rows(file.get(), header);
  if (fault != SnapshotFault::kNone) return refused(text(fault));
  return std::unique_ptr<ConnectionFile>(new ConnectionFile(std::move(file), header.rows, header.age_ms));
}

std::vector<ConnectionView> ConnectionFile::next(size_t limit) {
  std::vector<ConnectionView> views;
  while (at_ < rows_ && views.empty()) {
    const size_t count = std::min<uint64_t>(limit, rows_ - at_);
    std::vector<uint8_t> bytes(count * kSnapshotRowSize);
    const bool is_read = read_all(file_.get(), bytes, kSnapshotHeaderSize + at_ * kSnapshotRowSize);
    at_ = is_read ? at_ + count : rows_;
    views.reserve(count);
    for (size_t i = 0; i < count && is_read; i++) {
      const auto row = std::span<const uint8_t>(bytes).subspan(i * kSnapshotRowSize).first<kSnapshotRowSize>();
      ConnectionView view;
      if (decode_row(row, age_ms_, view)) {
        views.push_back(view);
      } else {
        malformed_++;
      }
    }
  }
  return views;
}

}  // namespace uvs
