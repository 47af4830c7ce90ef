#include "host/virtual_mac_mark.h"

#include <charconv>

namespace uvs {

namespace {

constexpr std::string_view kMark = "uvs";
constexpr std::string_view kKind = "macvlan";

// A number behind `key`; nothing when it isn't there.
std::optional<uint32_t> field(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  uint32_t value;
  const char* begin = text.data() + at + key.size();
  return std::from_chars(begin, text.data() + text.size(), value).ec == std::errc{}
             ? std::optional(value)
             : std::nullopt;
}

}  // namespace

std::string write_mark(const VirtualMacMark& mark) {
  std::string text(kMark);
  if (mark.parent_ifindex != 0) text += " parent=" + std::to_string(mark.parent_ifindex);
  if (mark.parent_settings) {
    text += " arp_ignore=" + std::to_string(mark.parent_settings->ignore) +
            " arp_announce=" + std::to_string(mark.parent_settings->announce);
  }
  return text;
}

std::optional<VirtualMacMark> read_mark(std::string_view alias) {
  if (!alias.starts_with(kMark)) return std::nullopt;
  alias.remove_prefix(kMark.size());
  if (!alias.empty() && alias.front() != ' ') return std::nullopt;
  VirtualMacMark mark;
  mark.parent_ifindex = field(alias, " parent=").value_or(0);
  const auto ignore = field(alias, " arp_ignore="), announce = field(alias, " arp_announce=");
  if (ignore && announce) mark.parent_settings = ArpSettings{*ignore, *announce};
  return mark;
}

std::optional<VirtualMacMark> mark_of(const NetlinkAttributes& link) {
  const auto info = link.find(IFLA_LINKINFO);
  if (!info || NetlinkAttributes(*info).text(IFLA_INFO_KIND) != kKind) return std::nullopt;
  return read_mark(link.text(IFLA_IFALIAS));
}

}  // namespace uvs
