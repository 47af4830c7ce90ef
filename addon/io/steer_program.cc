#include "io/steer_program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

extern "C" const unsigned char uvs_bpf_steer_start[], uvs_bpf_steer_end[];

namespace uvs {

namespace {

// libbpf reports to a global callback. What matters of it ends up in our error, nothing on stderr.
thread_local std::string last_complaint;
thread_local bool has_verifier_spoken = false;

// The verifier's log is long; its verdict stands before the statistics at its end.
std::string verdict_of(const std::string& log) {
  const size_t end = log.rfind("\nprocessed ");
  if (end == std::string::npos) return {};
  const size_t start = log.rfind('\n', end - 1);
  return log.substr(start + 1, end - start - 1);
}

int keep_complaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN || has_verifier_spoken) return 0;
  va_list again;
  va_copy(again, arguments);
  std::string text(static_cast<size_t>(std::max(0, vsnprintf(nullptr, 0, format, again))) + 1,
                   '\0');
  va_end(again);
  vsnprintf(text.data(), text.size(), format, arguments);
  text.resize(text.size() - 1);
  if (std::string verdict = verdict_of(text); !verdict.empty()) {
    has_verifier_spoken = true;
    text = "verifier: " + verdict;
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  last_complaint = std::move(text);
  return 0;
}

// mmap of a BPF array wants whole pages; the kernel rounds the array's memory up to them.
size_t whole_pages(size_t size_bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (size_bytes + page - 1) / page * page;
}

void* map_array(int map, size_t size_bytes) {
  void* memory = mmap(nullptr, whole_pages(size_bytes), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

}  // namespace

Result<std::unique_ptr<SteerProgram>> SteerProgram::load(uint32_t buckets) {
  libbpf_set_print(keep_complaint);
  last_complaint.clear();
  has_verifier_spoken = false;
  std::unique_ptr<SteerProgram> program(new SteerProgram());
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "uvs_steer");
  const auto size = static_cast<size_t>(uvs_bpf_steer_end - uvs_bpf_steer_start);
  program->object_ = bpf_object__open_mem(uvs_bpf_steer_start, size, &options);
  if (!program->object_) return errno_status(errno, "cannot open the embedded steering program");
  bpf_object* object = program->object_;

  bpf_map* flows = bpf_object__find_map_by_name(object, "uvs_flows");
  if (!flows || bpf_map__set_max_entries(flows, buckets) != 0) {
    return Status{ErrorCode::kIo, "the embedded steering program has no map uvs_flows"};
  }
  if (const int error = bpf_object__load(object)) {
    if (error == -ENOMEM) {
      return Status{ErrorCode::kLimitReached,
                    "no memory for the map of expected replies (" +
                        std::to_string((buckets * sizeof(uvs_flow_bucket)) >> 20) +
                        " MiB): lower `connections`"};
    }
    if (error == -EPERM) {
      return errno_status(EPERM, "cannot load the steering program",
                          "CAP_BPF; before kernel 5.11 a higher RLIMIT_MEMLOCK too");
    }
    // By it the verifier knows the packet that a program hands to a function of its own.
    const bool has_types = access("/sys/kernel/btf/vmlinux", F_OK) == 0;
    return Status{ErrorCode::kKernelUnsupported,
                  std::string("this kernel does not take the steering program (") +
                      (has_types ? "6.1 or later is needed" : "it was built without CONFIG_DEBUG_INFO_BTF") +
                      "): " + last_complaint};
  }
  const auto program_fd = [&](const std::string& name) {
    return bpf_program__fd(bpf_object__find_program_by_name(object, name.c_str()));
  };
  const auto programs = [&](const std::string& plain, const std::string& while_alive) {
    return Steerer{{program_fd(plain), program_fd(while_alive)},
                   {program_fd(plain + "_ip"), program_fd(while_alive + "_ip")}};
  };
  program->steer = programs("uvs_steer", "uvs_live_steer");
  program->steer_out = programs("uvs_steer_out", "uvs_live_out");
  program->reinject = program_fd("uvs_reinject");
  program->sink = program_fd("uvs_sink");
  program->services = bpf_object__find_map_fd_by_name(object, "uvs_services");
  program->addresses = bpf_object__find_map_fd_by_name(object, "uvs_addresses");
  program->devices = bpf_object__find_map_fd_by_name(object, "uvs_devices");
  program->counters = bpf_object__find_map_fd_by_name(object, "uvs_counters");

  // The one descriptor of this map is ours, and closes at exec: with us its entries go.
  const int alive = bpf_object__find_map_fd_by_name(object, "uvs_alive");
  const std::pair<uvs_alive_entry, int> entries[] = {
      {UVS_ALIVE_STEER, program->steer.ethernet.plain},
      {UVS_ALIVE_STEER_IP, program->steer.ip.plain},
      {UVS_ALIVE_STEER_OUT, program->steer_out.ethernet.plain},
      {UVS_ALIVE_STEER_OUT_IP, program->steer_out.ip.plain}};
  for (const auto& [entry, fd] : entries) {
    const uint32_t place = entry;
    if (bpf_map_update_elem(alive, &place, &fd, BPF_ANY) != 0)
      return errno_status(errno, "cannot enter the steering program into its map", "CAP_BPF");
  }

  program->control = static_cast<uvs_control*>(
      map_array(bpf_object__find_map_fd_by_name(object, "uvs_control"), sizeof(uvs_control)));
  void* memory = map_array(bpf_map__fd(flows), buckets * sizeof(uvs_flow_bucket));
  if (!program->control || !memory)
    return errno_status(errno, "cannot map the steering program's memory");
  program->flows = {static_cast<uvs_flow_bucket*>(memory), buckets};
  return program;
}

SteerProgram::~SteerProgram() {
  if (control) munmap(control, whole_pages(sizeof(uvs_control)));
  if (!flows.empty()) munmap(flows.data(), whole_pages(flows.size_bytes()));
  bpf_object__close(object_);
}

}  // namespace uvs
