// Our binding of libpcap: reading pcap and pcapng, writing pcap, compiling filters. The library is
// loaded with dlopen when it is first asked for (on Debian it drags in dbus and systemd libraries);
// without it: a clear error.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/net/time.h"
#include "io/status.h"

namespace uvs {

struct CapturedFrame {
  Micros timestamp = 0;            // as the file has it
  std::span<const uint8_t> bytes;  // valid until the next call
  uint32_t original_length = 0;    // larger than bytes.size() when the capture cut it
};

class CaptureReader {
 public:
  // KERNEL_UNSUPPORTED: libpcap is not installed. IO: no such file, not a capture, or not of
  // Ethernet.
  static Result<std::unique_ptr<CaptureReader>> open(const std::string& path);
  ~CaptureReader();
  // Empty at the end or when the rest of the file is damaged (see failure()).
  std::optional<CapturedFrame> next();
  const std::string& failure() const { return failure_; }

 private:
  explicit CaptureReader(void* handle) : handle_(handle) {}
  void* handle_;
  std::string failure_;
};

class CaptureWriter {
 public:
  static Result<std::unique_ptr<CaptureWriter>> create(const std::string& path);
  ~CaptureWriter();
  void write(Micros timestamp, std::span<const uint8_t> bytes);
  // Flushes; an error names the path.
  Status flush();

 private:
  CaptureWriter(void* handle, void* dumper, std::string path)
      : handle_(handle), dumper_(dumper), path_(std::move(path)) {}
  void* handle_;
  void* dumper_;
  std::string path_;
};

// A tcpdump expression as a classic BPF program, which attaches to a socket as it is
// (SO_ATTACH_FILTER).
Result<std::vector<sock_filter>> compile_capture_filter(const std::string& expression);

}  // namespace uvs
