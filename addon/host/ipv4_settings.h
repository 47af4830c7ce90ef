// net.ipv4.conf.* as the kernel tells it: those of a device stand in every answer to RTM_GETLINK,
// those of `all` in /proc/sys alone.
#pragma once

#include <cstdint>
#include <optional>

#include "core/forward/host_view.h"
#include "io/rtnetlink.h"

namespace uvs {

// `which` is an IPV4_DEVCONF_* of <linux/ip.h>; nothing for a device without IPv4.
std::optional<uint32_t> ipv4_setting(const NetlinkAttributes& link, uint32_t which);

// The settings of `all` in the calling thread's namespace, as they are now. The kernel tells of a
// changed rp_filter (RTNLGRP_IPV4_NETCONF), and of none of the others.
Ipv4SourceRules source_rules_of_all();

// What is in force on the device: the greater of its own and that of `all`.
Ipv4SourceRules source_rules(const NetlinkAttributes& link, const Ipv4SourceRules& all);

}  // namespace uvs
