#include "host/guardian_messages.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace uvs {

namespace {

constexpr uint8_t kHasGateway = 1, kHasSource = 2, kHasMetric = 4, kHasTable = 8;

class Writer {
 public:
  Writer(GuardianMessageKind kind, LeaseSlot slot, uint32_t sequence) {
    put(GuardianHeader{kGuardianMagic, static_cast<uint16_t>(kind), slot, sequence, 0});
  }

  template <typename Record>
  void put(const Record& record) {
    put_bytes({reinterpret_cast<const uint8_t*>(&record), sizeof(record)});
  }
  void put_bytes(std::span<const uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  std::vector<uint8_t> finish() {
    const auto size = static_cast<uint32_t>(bytes_.size());
    std::memcpy(bytes_.data() + offsetof(GuardianHeader, size_bytes), &size, sizeof(size));
    return std::move(bytes_);
  }

 private:
  std::vector<uint8_t> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : rest_(bytes) {}

  template <typename Record>
  std::optional<Record> take() {
    const auto bytes = take_bytes(sizeof(Record));
    if (!bytes) return std::nullopt;
    return load<Record>(bytes->data());
  }
  std::optional<std::span<const uint8_t>> take_bytes(size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const auto taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

using Octets16 = uint8_t[16];

void put_address(Octets16& to, const IpAddress& address) {
  std::memcpy(to, address.bytes.data(), sizeof(to));
}

std::optional<Family> family_of(uint8_t family) {
  if (family == 4) return Family::kIpv4;
  if (family == 6) return Family::kIpv6;
  return std::nullopt;
}

// The bytes behind an IPv4 address are zero, so that equal addresses are equal bytes.
std::optional<IpAddress> take_address(Family family, const Octets16& from) {
  const IpAddress address = IpAddress::load_ipv6(from);
  if (family == Family::kIpv4 && !(IpAddress::load_ipv4(from) == address)) return std::nullopt;
  return address;
}

bool is_prefix_length(Family family, uint8_t length) { return length <= address_size(family) * 8; }

bool put_device(char (&to)[16], const std::string& device) {
  std::memset(to, 0, sizeof(to));
  if (device.size() >= sizeof(to) || device.find('\0') != std::string::npos) return false;
  std::memcpy(to, device.data(), device.size());
  return true;
}

// Terminated within its bounds.
std::optional<std::string> take_device(const char (&from)[16]) {
  const size_t length = strnlen(from, sizeof(from));
  if (length == sizeof(from)) return std::nullopt;
  return std::string(from, length);
}

std::optional<AdvertMessage> take_goodbye(Reader& reader, Family family) {
  const auto record = reader.take<GoodbyeRecord>();
  if (!record || record->size_bytes == 0 || record->size_bytes > kMaxGoodbyeSize) return std::nullopt;
  const auto destination = take_address(family, record->destination);
  const auto bytes = reader.take_bytes(record->size_bytes);
  if (!destination || !bytes) return std::nullopt;
  return AdvertMessage{*destination, {bytes->begin(), bytes->end()}};
}

std::optional<HostAddress> take_host_address(Reader& reader) {
  const auto record = reader.take<AddressRecordOfWill>();
  if (!record) return std::nullopt;
  const auto family = family_of(record->family);
  const auto device = take_device(record->device);
  if (!family || !device || device->empty() || !is_prefix_length(*family, record->prefix_length))
    return std::nullopt;
  const auto address = take_address(*family, record->address);
  if (!address) return std::nullopt;
  HostAddress taken;
  taken.family = *family;
  taken.address = *address;
  taken.prefix_length = record->prefix_length;
  taken.device = *device;
  return taken;
}

std::optional<VirtualRouteSpec> take_route(Reader& reader) {
  const auto record = reader.take<RouteRecordOfWill>();
  if (!record) return std::nullopt;
  const auto family = family_of(record->family);
  const auto device = take_device(record->device);
  if (!family || !device || !is_prefix_length(*family, record->length)) return std::nullopt;
  const auto destination = take_address(*family, record->destination);
  const auto gateway = take_address(*family, record->gateway);
  const auto source = take_address(*family, record->source);
  if (!destination || !gateway || !source) return std::nullopt;
  VirtualRouteSpec taken;
  taken.family = *family;
  taken.destination = *destination;
  taken.length = record->length;
  taken.device = *device;
  if ((record->has & kHasGateway) != 0) taken.gateway = gateway;
  if ((record->has & kHasSource) != 0) taken.source = source;
  if ((record->has & kHasMetric) != 0) taken.metric = record->metric;
  if ((record->has & kHasTable) != 0) taken.table = record->table;
  return taken;
}

template <typename T>
bool take_all(std::vector<T>& into, size_t count, size_t limit, auto take) {
  if (count > limit) return false;
  for (size_t i = 0; i < count; i++) {
    std::optional<T> one = take();
    if (!one) return false;
    into.push_back(std::move(*one));
  }
  return true;
}

std::optional<LastWill> take_will(Reader& reader) {
  const auto record = reader.take<WillRecord>();
  if (!record) return std::nullopt;
  const auto family = family_of(record->family);
  const auto device = take_device(record->device);
  if (!family || !device || device->empty()) return std::nullopt;
  const auto source = take_address(*family, record->source);
  if (!source) return std::nullopt;
  LastWill will;
  will.egress = {*device, *family, *source, record->ttl};
  const bool is_whole =
      take_all(will.goodbye, record->goodbye_count, kMaxGoodbyes,
               [&] { return take_goodbye(reader, *family); }) &&
      take_all(will.addresses, record->address_count, kMaxWillAddresses,
               [&] { return take_host_address(reader); }) &&
      take_all(will.routes, record->route_count, kMaxWillRoutes,
               [&] { return take_route(reader); }) &&
      reader.is_at_end();
  if (!is_whole) return std::nullopt;
  return will;
}

AddressRecordOfWill record_of(const HostAddress& address, bool& is_good) {
  AddressRecordOfWill record{};
  is_good = put_device(record.device, address.device) && !address.device.empty() && is_good;
  put_address(record.address, address.address);
  record.family = static_cast<uint8_t>(address.family);
  record.prefix_length = address.prefix_length;
  return record;
}

RouteRecordOfWill record_of(const VirtualRouteSpec& route, bool& is_good) {
  RouteRecordOfWill record{};
  is_good = put_device(record.device, route.device) && is_good;
  put_address(record.destination, route.destination);
  put_address(record.gateway, route.gateway.value_or(IpAddress{}));
  put_address(record.source, route.source.value_or(IpAddress{}));
  record.metric = route.metric.value_or(0);
  record.table = route.table.value_or(0);
  record.family = static_cast<uint8_t>(route.family);
  record.length = route.length;
  record.has = static_cast<uint8_t>((route.gateway ? kHasGateway : 0) | (route.source ? kHasSource : 0) |
                                    (route.metric ? kHasMetric : 0) | (route.table ? kHasTable : 0));
  return record;
}

}  // namespace

Result<std::vector<uint8_t>> encode_entrust(LeaseSlot slot, uint32_t sequence, const LastWill& will) {
  const Status too_large{ErrorCode::kLimitReached,
                         "a virtual router has more addresses, routes or peers than the guardian keeps"};
  if (will.goodbye.size() > kMaxGoodbyes || will.addresses.size() > kMaxWillAddresses ||
      will.routes.size() > kMaxWillRoutes)
    return too_large;
  WillRecord record{};
  bool is_good = put_device(record.device, will.egress.device) && !will.egress.device.empty();
  put_address(record.source, will.egress.source);
  record.family = static_cast<uint8_t>(will.egress.family);
  record.ttl = will.egress.ttl;
  record.goodbye_count = static_cast<uint16_t>(will.goodbye.size());
  record.address_count = static_cast<uint16_t>(will.addresses.size());
  record.route_count = static_cast<uint16_t>(will.routes.size());
  Writer writer(GuardianMessageKind::kEntrust, slot, sequence);
  writer.put(record);
  for (const AdvertMessage& message : will.goodbye) {
    if (message.bytes.empty() || message.bytes.size() > kMaxGoodbyeSize) return too_large;
    GoodbyeRecord goodbye{};
    put_address(goodbye.destination, message.destination);
    goodbye.size_bytes = static_cast<uint32_t>(message.bytes.size());
    writer.put(goodbye);
    writer.put_bytes(message.bytes);
  }
  for (const HostAddress& address : will.addresses) writer.put(record_of(address, is_good));
  for (const VirtualRouteSpec& route : will.routes) writer.put(record_of(route, is_good));
  if (!is_good) return Status{ErrorCode::kIo, "a last will names a device that can't exist"};
  std::vector<uint8_t> bytes = writer.finish();
  if (bytes.size() > kMaxGuardianMessage) return too_large;
  return bytes;
}

std::vector<uint8_t> encode(const ForgetMessage& message) {
  return Writer(GuardianMessageKind::kForget, message.slot, 0).finish();
}

std::vector<uint8_t> encode(const DismissMessage&) {
  return Writer(GuardianMessageKind::kDismiss, 0, 0).finish();
}

std::vector<uint8_t> encode(const AnswerMessage& message) {
  Writer writer(GuardianMessageKind::kAnswer, message.slot, message.sequence);
  writer.put(AnswerRecord{message.error});
  return writer.finish();
}

GuardianMessage decode_guardian_message(std::span<const uint8_t> bytes) {
  Reader reader(bytes);
  const auto header = reader.take<GuardianHeader>();
  if (!header || header->magic != kGuardianMagic || header->slot >= LeaseBoard::kSlots)
    return BrokenMessage{};
  const bool is_whole = header->size_bytes == bytes.size();
  switch (static_cast<GuardianMessageKind>(header->kind)) {
    case GuardianMessageKind::kEntrust: {
      std::optional<LastWill> will = is_whole ? take_will(reader) : std::nullopt;
      if (!will) return BrokenMessage{AnswerMessage{header->slot, header->sequence, EBADMSG}};
      return EntrustMessage{header->slot, header->sequence, std::move(*will)};
    }
    case GuardianMessageKind::kForget:
      if (!is_whole || !reader.is_at_end()) break;
      return ForgetMessage{header->slot};
    case GuardianMessageKind::kDismiss:
      if (!is_whole || !reader.is_at_end()) break;
      return DismissMessage{};
    case GuardianMessageKind::kAnswer: {
      const auto record = reader.take<AnswerRecord>();
      if (!is_whole || !record || !reader.is_at_end()) break;
      return AnswerMessage{header->slot, header->sequence, record->error};
    }
  }
  return BrokenMessage{};
}

}  // namespace uvs
