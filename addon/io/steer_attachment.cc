#include "io/steer_attachment.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace uvs {

namespace {

// Newer than Debian 12's headers (kernel 6.6).
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr uint32_t kBefore = 1u << 3;  // BPF_F_BEFORE without a relative: in front of all

bpf_tc_attach_point hook_of(AttachPoint point) {
  return point == AttachPoint::kIngress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
}
uint32_t parent_of(AttachPoint point) {
  return TC_H_MAKE(TC_H_CLSACT,
                   point == AttachPoint::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

void collect_our_filters(NetlinkSocket& netlink, uint32_t ifindex, AttachPoint point,
                         std::vector<LeftoverFilter>& found) {
  tcmsg body{};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = static_cast<int>(ifindex);
  body.tcm_parent = parent_of(point);
  NetlinkRequest request(RTM_GETTFILTER, NLM_F_DUMP, body);
  (void)netlink.request(request, [&](const NetlinkMessage& message) {
    const auto* filter = message.body<tcmsg>();
    if (!filter || message.type != RTM_NEWTFILTER) return;
    const auto attributes = message.attributes<tcmsg>();
    const auto options = attributes.find(TCA_OPTIONS);
    if (attributes.text(TCA_KIND) != "bpf" || !options) return;
    const auto name = NetlinkAttributes(*options).text(TCA_BPF_NAME);
    if (!name.starts_with("uvs_")) return;
    const bool is_held = !name.starts_with("uvs_live_");
    found.push_back({point, ifindex, filter->tcm_handle, TC_H_MAJ(filter->tcm_info) >> 16, is_held});
  });
}

uint32_t program_id(int program) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info.id : 0;
}

// The kernel's struct bpf_link_info as far as it concerns tcx: newer than Debian 12's headers.
struct TcxLinkInfo {
  uint32_t type, id, program, zero;
  uint32_t ifindex, attach_type;
  uint8_t rest[64];
};

}  // namespace

SteerAttachment::SteerAttachment(SteerAttachment&& other) noexcept { *this = std::move(other); }

SteerAttachment& SteerAttachment::operator=(SteerAttachment&& other) noexcept {
  if (this == &other) return *this;
  detach();
  link_ = std::move(other.link_);
  program_ = other.program_;
  ifindex_ = std::exchange(other.ifindex_, 0);
  handle_ = other.handle_;
  priority_ = other.priority_;
  point_ = other.point_;
  owns_hook_ = other.owns_hook_;
  return *this;
}

Result<SteerAttachment> SteerAttachment::attach(AttachForm form, uint32_t ifindex, int program,
                                               AttachPoint point) {
  SteerAttachment attachment;
  attachment.program_ = program_id(program);
  if (form == AttachForm::kTcx) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = kBefore);
    const int link =
        bpf_link_create(program, static_cast<int>(ifindex),
                        point == AttachPoint::kIngress ? kTcxIngress : kTcxEgress, &options);
    if (link < 0)
      return errno_status(-link, "cannot attach a tcx program", "CAP_BPF and CAP_NET_ADMIN");
    attachment.link_ = FileDescriptor(link);
    return attachment;
  }
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex),
              .attach_point = hook_of(point));
  const int made = bpf_tc_hook_create(&hook);
  if (made != 0 && made != -EEXIST) return errno_status(-made, "cannot create the clsact qdisc");
  attachment.owns_hook_ = made == 0;
  attachment.point_ = point;
  // In front of all others: priority 1, and within it cls_bpf puts the newest first. Where a filter
  // of another kind has that priority, the kernel picks ours: then it stands behind.
  int error = 0;
  for (const uint32_t priority : {1u, 0u}) {
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .priority = priority);
    error = bpf_tc_attach(&hook, &options);
    if (error != 0) continue;
    attachment.ifindex_ = ifindex;
    attachment.handle_ = options.handle;
    attachment.priority_ = options.priority;
    return attachment;
  }
  return errno_status(-error, "cannot attach a clsact filter", "CAP_BPF and CAP_NET_ADMIN");
}

bool SteerAttachment::is_in_place() const {
  if (link_.is_open()) {
    TcxLinkInfo info{};
    uint32_t size = sizeof(info);
    // A link that somebody detached lives on without a device.
    return bpf_obj_get_info_by_fd(link_.get(), &info, &size) == 0 && info.ifindex != 0 && info.program == program_;
  }
  if (ifindex_ == 0) return false;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_),
              .attach_point = hook_of(point_));
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = priority_);
  return bpf_tc_query(&hook, &options) == 0 && options.prog_id == program_;
}

void SteerAttachment::detach() {
  link_.reset();
  if (ifindex_ == 0) return;
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(ifindex_),
              .attach_point = hook_of(point_));
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle_, .priority = priority_);
  (void)bpf_tc_detach(&hook, &options);
  ifindex_ = 0;
  // The qdisc stays: another program may have put its filters there meanwhile, and an empty one
  // costs nothing. Only when we made it and it is still empty does it go.
  if (!owns_hook_) return;
  auto netlink = NetlinkSocket::open();
  if (!netlink.ok()) return;
  bool is_empty = true;
  for (const uint32_t side : {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS}) {
    tcmsg body{};
    body.tcm_ifindex = hook.ifindex;
    body.tcm_parent = TC_H_MAKE(TC_H_CLSACT, side);
    NetlinkRequest request(RTM_GETTFILTER, NLM_F_DUMP, body);
    const int error =
        netlink.value().request(request, [&](const NetlinkMessage&) { is_empty = false; });
    if (error != 0) is_empty = false;
  }
  if (!is_empty) return;
  hook.attach_point =
      static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);  // both: the qdisc itself
  (void)bpf_tc_hook_destroy(&hook);
}

Result<AttachForm> probe_attach_form(uint32_t ifindex, int program) {
  const auto attempt = SteerAttachment::attach(AttachForm::kTcx, ifindex, program);
  if (attempt.ok()) return AttachForm::kTcx;
  // EINVAL is what kernels before 6.6 say to an attach type that they don't know.
  if (attempt.status().code == ErrorCode::kPrivilegeMissing) return attempt.status();
  return AttachForm::kClsact;
}

std::vector<LeftoverFilter> find_leftover_filters(NetlinkSocket& netlink) {
  std::vector<LeftoverFilter> found;
  struct if_nameindex* names = if_nameindex();
  for (const auto* name = names; name != nullptr && name->if_index != 0; name++) {
    collect_our_filters(netlink, name->if_index, AttachPoint::kIngress, found);
    collect_our_filters(netlink, name->if_index, AttachPoint::kEgress, found);
  }
  if_freenameindex(names);
  return found;
}

Status remove_filters(const std::vector<LeftoverFilter>& filters) {
  for (const LeftoverFilter& filter : filters) {
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = static_cast<int>(filter.ifindex),
                .attach_point = hook_of(filter.point));
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = filter.handle, .priority = filter.priority);
    const int error = bpf_tc_detach(&hook, &options);
    if (error != 0 && error != -ENOENT && error != -ENODEV) {
      return errno_status(-error, "cannot remove a filter that a dead director left on device " +
                                      std::to_string(filter.ifindex));
    }
  }
  return {};
}

}  // namespace uvs
