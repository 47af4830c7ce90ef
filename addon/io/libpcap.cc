#include "io/libpcap.h"

#include <dlfcn.h>
#include <pcap/pcap.h>
#include <sys/time.h>

namespace uvs {

namespace {

constexpr const char* kLibrary = "libpcap.so.0.8";
constexpr int kSnapLength = 262'144;

// The functions that we use, looked up once. Types come from libpcap's own header.
struct Library {
  decltype(&pcap_open_offline) open_offline = nullptr;
  decltype(&pcap_next_ex) next = nullptr;
  decltype(&pcap_geterr) error_text = nullptr;
  decltype(&pcap_datalink) datalink = nullptr;
  decltype(&pcap_close) close = nullptr;
  decltype(&pcap_open_dead) open_dead = nullptr;
  decltype(&pcap_dump_open) dump_open = nullptr;
  decltype(&pcap_dump) dump = nullptr;
  decltype(&pcap_dump_flush) dump_flush = nullptr;
  decltype(&pcap_dump_close) dump_close = nullptr;
  decltype(&pcap_compile) compile = nullptr;
  decltype(&pcap_freecode) free_code = nullptr;
  bool is_loaded = false;

  Library() {
    void* handle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    is_loaded = true;
    const auto look_up = [&](auto& function, const char* symbol) {
      function =
          reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(handle, symbol));
      if (!function) is_loaded = false;
    };
    look_up(open_offline, "pcap_open_offline");
    look_up(next, "pcap_next_ex");
    look_up(error_text, "pcap_geterr");
    look_up(datalink, "pcap_datalink");
    look_up(close, "pcap_close");
    look_up(open_dead, "pcap_open_dead");
    look_up(dump_open, "pcap_dump_open");
    look_up(dump, "pcap_dump");
    look_up(dump_flush, "pcap_dump_flush");
    look_up(dump_close, "pcap_dump_close");
    look_up(compile, "pcap_compile");
    look_up(free_code, "pcap_freecode");
  }
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

Status missing_library() {
  return {
      ErrorCode::kKernelUnsupported,
      std::string(kLibrary) + " is not installed (Debian and Ubuntu: apt-get install libpcap0.8)"};
}

}  // namespace

Result<std::unique_ptr<CaptureReader>> CaptureReader::open(const std::string& path) {
  if (!library().is_loaded) return missing_library();
  char why[PCAP_ERRBUF_SIZE] = "";
  pcap_t* handle = library().open_offline(path.c_str(), why);
  if (!handle) return Status{ErrorCode::kIo, std::string("cannot read the capture: ") + why};
  std::unique_ptr<CaptureReader> reader(new CaptureReader(handle));
  if (library().datalink(handle) != DLT_EN10MB) {
    return Status{ErrorCode::kIo, path + " holds no Ethernet frames"};
  }
  return reader;
}

CaptureReader::~CaptureReader() { library().close(static_cast<pcap_t*>(handle_)); }

std::optional<CapturedFrame> CaptureReader::next() {
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  const int result = library().next(static_cast<pcap_t*>(handle_), &header, &bytes);
  if (result == PCAP_ERROR) failure_ = library().error_text(static_cast<pcap_t*>(handle_));
  if (result != 1) return std::nullopt;
  CapturedFrame frame;
  frame.timestamp = static_cast<Micros>(header->ts.tv_sec) * kMicrosPerSecond +
                    static_cast<Micros>(header->ts.tv_usec);
  frame.bytes = {bytes, header->caplen};
  frame.original_length = header->len;
  return frame;
}

Result<std::unique_ptr<CaptureWriter>> CaptureWriter::create(const std::string& path) {
  if (!library().is_loaded) return missing_library();
  pcap_t* handle = library().open_dead(DLT_EN10MB, kSnapLength);
  if (!handle) return Status{ErrorCode::kIo, "cannot set up a capture to write"};
  pcap_dumper_t* dumper = library().dump_open(handle, path.c_str());
  if (!dumper) {
    const Status status{ErrorCode::kIo,
                        std::string("cannot write the capture: ") + library().error_text(handle)};
    library().close(handle);
    return status;
  }
  return std::unique_ptr<CaptureWriter>(new CaptureWriter(handle, dumper, path));
}

CaptureWriter::~CaptureWriter() {
  library().dump_close(static_cast<pcap_dumper_t*>(dumper_));
  library().close(static_cast<pcap_t*>(handle_));
}

void CaptureWriter::write(Micros timestamp, std::span<const uint8_t> bytes) {
  pcap_pkthdr header{};
  header.ts.tv_sec = static_cast<time_t>(timestamp / kMicrosPerSecond);
  header.ts.tv_usec = static_cast<suseconds_t>(timestamp % kMicrosPerSecond);
  header.caplen = header.len = static_cast<bpf_u_int32>(bytes.size());
  library().dump(static_cast<u_char*>(dumper_), &header, bytes.data());
}

Status CaptureWriter::flush() {
  if (library().dump_flush(static_cast<pcap_dumper_t*>(dumper_)) == 0) return {};
  return {ErrorCode::kIo, "cannot write the capture " + path_};
}

Result<std::vector<sock_filter>> compile_capture_filter(const std::string& expression) {
  if (!library().is_loaded) return missing_library();
  pcap_t* handle = library().open_dead(DLT_EN10MB, kSnapLength);
  if (!handle) return Status{ErrorCode::kIo, "cannot set up a filter"};
  bpf_program program{};
  std::vector<sock_filter> filter;
  const int result =
      library().compile(handle, &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN);
  const std::string why = result == 0 ? "" : library().error_text(handle);
  static_assert(sizeof(bpf_insn) == sizeof(sock_filter));
  if (result == 0) {
    const auto* first = reinterpret_cast<const sock_filter*>(program.bf_insns);
    filter.assign(first, first + program.bf_len);
    library().free_code(&program);
  }
  library().close(handle);
  if (result != 0)
    return Status{ErrorCode::kIo, "the filter `" + expression + "` is wrong: " + why};
  return filter;
}

}  // namespace uvs
