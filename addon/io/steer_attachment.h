// One program at one device's ingress or egress: as a tcx link (kernel 6.6; dies with the process) or as a
// clsact filter. Also finds and removes the clsact filters that a killed director left behind.
#pragma once

#include <cstdint>
#include <vector>

#include "io/file_descriptor.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

enum class AttachForm : uint8_t { kTcx, kClsact };
enum class AttachPoint : uint8_t { kIngress, kEgress };

class SteerAttachment {
 public:
  // First in the order of the device's programs.
  static Result<SteerAttachment> attach(AttachForm form, uint32_t ifindex, int program,
                                        AttachPoint point = AttachPoint::kIngress);
  SteerAttachment(SteerAttachment&& other) noexcept;
  SteerAttachment& operator=(SteerAttachment&& other) noexcept;
  // Detaches; fine when the device is gone.
  ~SteerAttachment() { detach(); }
  // A clsact filter stays, also when we are gone: the next start removes it as a leftover.
  void leave() { ifindex_ = 0; }

  // Asks the kernel for this link or filter alone: is it still at the device, with the same program?
  bool is_in_place() const;

 private:
  SteerAttachment() = default;
  void detach();

  FileDescriptor link_;   // tcx
  uint32_t program_ = 0;  // its id
  uint32_t ifindex_ = 0;  // clsact; 0: nothing is attached
  uint32_t handle_ = 0;
  uint32_t priority_ = 0;
  AttachPoint point_ = AttachPoint::kIngress;
  bool owns_hook_ = false;  // the clsact qdisc is of our making
};

// tcx when the kernel has it: tries it with `program` on `ifindex` (the pair, before it is up).
Result<AttachForm> probe_attach_form(uint32_t ifindex, int program);

struct LeftoverFilter {
  AttachPoint point;
  uint32_t ifindex;
  uint32_t handle;
  uint32_t priority;
  bool is_held;  // left for a restart; else it passes everything since its director is dead
};
// Clsact filters named uvs_* on every device of the namespace.
std::vector<LeftoverFilter> find_leftover_filters(NetlinkSocket& netlink);
// Fine when they are gone.
Status remove_filters(const std::vector<LeftoverFilter>& filters);

}  // namespace uvs
