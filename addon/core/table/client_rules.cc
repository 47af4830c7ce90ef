// Prefixes either lie in each other or apart, so that one walk over them, sorted, with those that are open on a stack,
// gives the ranges.
#include "core/table/client_rules.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/net/bytes.h"

namespace uvs {

namespace {

constexpr unsigned kBits = 128;

}  // namespace

ClientRules::Number ClientRules::number_of(const IpAddress& address) {
  const uint8_t* bytes = address.bytes.data();
  return Number{__builtin_bswap64(load<uint64_t>(bytes))} << 64 |
         __builtin_bswap64(load<uint64_t>(bytes + 8));
}

void ClientRules::Ranges::start(Number at, bool is_allowed) {
  if (!starts.empty() && starts.back() == at) {
    allows.back() = is_allowed;
  } else if (starts.empty() || allows.back() != is_allowed) {
    starts.push_back(at);
    allows.push_back(is_allowed);
  }
}

ClientRules::Ranges ClientRules::flatten(std::span<const ClientPrefix> prefixes, Family family) {
  struct Span {
    Number first, last;
    unsigned length;
    bool is_allowed;
  };
  std::vector<Span> spans;
  bool is_any_allowed = false;
  for (const ClientPrefix& prefix : prefixes) {
    if (prefix.family != family || prefix.length > address_size(family) * 8) continue;
    const Number behind = prefix.length == 0 ? ~Number{0} : (Number{1} << (kBits - prefix.length)) - 1;
    const Number first = number_of(prefix.address) & ~behind;
    spans.push_back({first, first | behind, prefix.length, prefix.is_allowed});
    is_any_allowed = is_any_allowed || prefix.is_allowed;
  }
  Ranges ranges;
  if (spans.empty()) return ranges;
  // Outer before inner, of equals those that deny last.
  std::ranges::sort(spans, {}, [](const Span& span) {
    return std::tuple(span.first, span.length, !span.is_allowed);
  });
  const bool is_rest_allowed = !is_any_allowed;
  std::vector<Span> open;
  const auto close = [&] {
    const Number last = open.back().last;
    open.pop_back();
    if (last != ~Number{0}) ranges.start(last + 1, open.empty() ? is_rest_allowed : open.back().is_allowed);
  };
  ranges.start(0, is_rest_allowed);
  for (const Span& span : spans) {
    while (!open.empty() && open.back().last < span.first) close();
    ranges.start(span.first, span.is_allowed);
    open.push_back(span);
  }
  while (!open.empty()) close();
  return ranges;
}

ClientRules::ClientRules(std::vector<ClientPrefix> prefixes)
    : prefixes_(std::move(prefixes)),
      ipv4_(flatten(prefixes_, Family::kIpv4)),
      ipv6_(flatten(prefixes_, Family::kIpv6)) {}

bool ClientRules::allows(Family family, const IpAddress& client) const {
  const Ranges& ranges = family == Family::kIpv4 ? ipv4_ : ipv6_;
  if (ranges.starts.empty()) return true;
  const auto next = std::ranges::upper_bound(ranges.starts, number_of(client));
  return ranges.allows[static_cast<size_t>(next - ranges.starts.begin()) - 1];
}

}  // namespace uvs
