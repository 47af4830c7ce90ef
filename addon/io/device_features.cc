#include "io/device_features.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "io/file_descriptor.h"

namespace uvs {

namespace {

constexpr uint32_t kBlockBits = 32;

// One ethtool request; `data` begins with its command. 0 or an errno.
int ask(int socket, const char* device, void* data) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
  request.ifr_data = static_cast<char*>(data);
  return ioctl(socket, SIOCETHTOOL, &request) >= 0 ? 0 : errno;  // ETHTOOL_SFEATURES: flags
}

template <typename Head>
void write_head(std::vector<uint8_t>& request, const Head& head) {
  std::memcpy(request.data(), &head, sizeof(head));
}

// How many features this kernel knows, or 0.
uint32_t feature_count(int socket, const char* device) {
  std::vector<uint8_t> info(sizeof(ethtool_sset_info) + sizeof(uint32_t));
  ethtool_sset_info head{};
  head.cmd = ETHTOOL_GSSET_INFO;
  head.sset_mask = uint64_t{1} << ETH_SS_FEATURES;
  write_head(info, head);
  uint32_t count = 0;
  if (ask(socket, device, info.data()) != 0) return 0;
  std::memcpy(&count, info.data() + sizeof(ethtool_sset_info), sizeof(count));
  return count;
}

}  // namespace

Status disable_features(const char* device,
                        const std::function<bool(std::string_view name)>& is_unwanted) {
  const std::string what = std::string("the offload features of ") + device;
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return errno_status(errno, "cannot ask for " + what);
  const uint32_t count = feature_count(socket.get(), device);
  if (count == 0) return errno_status(EOPNOTSUPP, "cannot list " + what);

  std::vector<uint8_t> names(sizeof(ethtool_gstrings) + size_t{count} * ETH_GSTRING_LEN);
  write_head(names, ethtool_gstrings{.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_FEATURES, .len = count});
  if (const int error = ask(socket.get(), device, names.data()))
    return errno_status(error, "cannot list " + what);

  const uint32_t blocks = (count + kBlockBits - 1) / kBlockBits;
  std::vector<ethtool_set_features_block> wanted(blocks);
  for (uint32_t i = 0; i < count; i++) {
    const auto* name = reinterpret_cast<const char*>(names.data()) + sizeof(ethtool_gstrings) +
                       size_t{i} * ETH_GSTRING_LEN;
    if (is_unwanted({name, strnlen(name, ETH_GSTRING_LEN)}))
      wanted[i / kBlockBits].valid |= 1u << i % kBlockBits;
  }
  // What can't be changed may not be asked for.
  std::vector<uint8_t> current(sizeof(ethtool_gfeatures) +
                               blocks * sizeof(ethtool_get_features_block));
  write_head(current, ethtool_gfeatures{.cmd = ETHTOOL_GFEATURES, .size = blocks});
  if (const int error = ask(socket.get(), device, current.data()))
    return errno_status(error, "cannot read " + what);
  for (uint32_t i = 0; i < blocks; i++) {
    ethtool_get_features_block block;
    std::memcpy(&block, current.data() + sizeof(ethtool_gfeatures) + i * sizeof(block),
                sizeof(block));
    wanted[i].valid &= block.available & ~block.never_changed;
  }

  const size_t wanted_bytes = blocks * sizeof(ethtool_set_features_block);
  std::vector<uint8_t> change(sizeof(ethtool_sfeatures) + wanted_bytes);
  write_head(change, ethtool_sfeatures{.cmd = ETHTOOL_SFEATURES, .size = blocks});
  std::memcpy(change.data() + sizeof(ethtool_sfeatures), wanted.data(), wanted_bytes);
  if (const int error = ask(socket.get(), device, change.data()))
    return errno_status(error, "cannot change " + what, "CAP_NET_ADMIN");
  return {};
}

}  // namespace uvs
