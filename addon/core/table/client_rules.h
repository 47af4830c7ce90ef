// Which clients may open connections: prefixes of both families, flattened into ranges of addresses and immutable once
// built. Asked once a connection, by one binary search; no allocation.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/net/address.h"
#include "core/table/table_spec.h"

namespace uvs {

class ClientRules {
 public:
  // Control side: allocates. Bits of a prefix behind its length are ignored, so is a prefix whose length is beyond its
  // family's; of equal prefixes one that denies counts.
  explicit ClientRules(std::vector<ClientPrefix> prefixes);

  // The longest prefix that holds the client decides. In none of them: yes, unless others of its family are allowed.
  bool allows(Family family, const IpAddress& client) const;
  // What they were made of.
  std::span<const ClientPrefix> prefixes() const { return prefixes_; }

 private:
  // An address of either family: both lie at the front of its 16 bytes.
  __extension__ typedef unsigned __int128 Number;

  // What is said of an address is what is said from the last start at or below it: two parallel arrays, since the search
  // walks through the starts alone. Empty: nothing is said, every client may.
  struct Ranges {
    std::vector<Number> starts;  // the first is 0
    std::vector<bool> allows;

    void start(Number at, bool is_allowed);
  };

  static Number number_of(const IpAddress& address);
  static Ranges flatten(std::span<const ClientPrefix> prefixes, Family family);

  std::vector<ClientPrefix> prefixes_;
  Ranges ipv4_, ipv6_;
};

}  // namespace uvs
