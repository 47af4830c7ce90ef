// One program at one device's ingress: as a tcx link (kernel 6.6; dies with the process) or as a
// clsact filter. Also finds and removes the clsact filters that a killed director left behind.
#pragma once

#include <cstdint>

#include "io/file_descriptor.h"
#include "io/rtnetlink.h"
#include "io/status.h"

namespace uvs {

enum class AttachForm : uint8_t { kTcx, kClsact };

class SteerAttachment {
 public:
  // First in the order of the device's programs.
  static Result<SteerAttachment> attach(AttachForm form, uint32_t ifindex, int program);
  SteerAttachment(SteerAttachment&& other) noexcept;
  SteerAttachment& operator=(SteerAttachment&& other) noexcept;
  // Detaches; fine when the device is gone.
  ~SteerAttachment() { detach(); }

 private:
  SteerAttachment() = default;
  void detach();

  FileDescriptor link_;   // tcx
  uint32_t ifindex_ = 0;  // clsact; 0: nothing is attached
  uint32_t handle_ = 0;
  uint32_t priority_ = 0;
  bool owns_hook_ = false;  // the clsact qdisc is of our making
};

// tcx when the kernel has it: tries it with `program` on `ifindex` (the pair, before it is up).
Result<AttachForm> probe_attach_form(uint32_t ifindex, int program);

// Removes clsact ingress filters named uvs_* from every device of the namespace.
Status remove_leftover_filters(NetlinkSocket& netlink);

}  // namespace uvs
