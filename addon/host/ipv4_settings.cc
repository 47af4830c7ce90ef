#include "host/ipv4_settings.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "io/file_descriptor.h"

namespace uvs {

namespace {

uint32_t setting_of_all(const char* name) {
  const FileDescriptor file(
      open((std::string("/proc/sys/net/ipv4/conf/all/") + name).c_str(), O_RDONLY | O_CLOEXEC));
  char text[16];
  const ssize_t size = file.is_open() ? read(file.get(), text, sizeof(text)) : 0;
  uint32_t value = 0;
  if (size > 0) (void)std::from_chars(text, text + size, value);
  return value;
}

}  // namespace

std::optional<uint32_t> ipv4_setting(const NetlinkAttributes& link, uint32_t which) {
  const auto families = link.find(IFLA_AF_SPEC);
  if (!families) return std::nullopt;
  const auto inet = NetlinkAttributes(*families).find(AF_INET);
  if (!inet) return std::nullopt;
  const auto values = NetlinkAttributes(*inet).find(IFLA_INET_CONF);  // u32 by IPV4_DEVCONF_* - 1
  if (!values || values->size() < which * sizeof(uint32_t)) return std::nullopt;
  uint32_t result;
  std::memcpy(&result, values->data() + (which - 1) * sizeof(result), sizeof(result));
  return result;
}

Ipv4SourceRules source_rules_of_all() {
  return {.rp_filter = static_cast<uint8_t>(setting_of_all("rp_filter")),
          .accept_local = setting_of_all("accept_local") != 0,
          .route_localnet = setting_of_all("route_localnet") != 0};
}

Ipv4SourceRules source_rules(const NetlinkAttributes& link, const Ipv4SourceRules& all) {
  const auto own = [&link](uint32_t which) { return ipv4_setting(link, which).value_or(0); };
  return {.rp_filter = std::max(all.rp_filter, static_cast<uint8_t>(own(IPV4_DEVCONF_RP_FILTER))),
          .accept_local = all.accept_local || own(IPV4_DEVCONF_ACCEPT_LOCAL) != 0,
          .route_localnet = all.route_localnet || own(IPV4_DEVCONF_ROUTE_LOCALNET) != 0};
}

}  // namespace uvs
