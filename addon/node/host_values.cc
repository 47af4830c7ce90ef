#include "node/host_values.h"

#include "node/errors.h"

namespace uvs {
namespace {

std::optional<IpAddress> optional_address(const Napi::Object& object, const char* name) {
  if (!object.Get(name).IsString()) return std::nullopt;
  return address_property(object, name).address;
}

std::optional<uint32_t> optional_number(const Napi::Object& object, const char* name) {
  if (!object.Get(name).IsNumber()) return std::nullopt;
  return number_property(object, name);
}

Micros micros_property(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  const int64_t number = value.IsNumber() ? value.As<Napi::Number>().Int64Value() : -1;
  if (number < 0) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a duration in microseconds");
  return static_cast<Micros>(number);
}

HostAddress::Scope scope_of(const std::string& text) {
  return text == "link"   ? HostAddress::Scope::kLink
         : text == "host" ? HostAddress::Scope::kHost
         : text == "site" ? HostAddress::Scope::kSite
                          : HostAddress::Scope::kGlobal;
}

VirtualRouteKind kind_of(const std::string& text) {
  if (text == "blackhole") return VirtualRouteKind::kBlackhole;
  if (text == "unreachable") return VirtualRouteKind::kUnreachable;
  if (text == "prohibit") return VirtualRouteKind::kProhibit;
  return text == "throw" ? VirtualRouteKind::kThrow : VirtualRouteKind::kUnicast;
}

}  // namespace

HostAddress read_host_address(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  const ParsedAddress parsed = address_property(object, "address");
  HostAddress address;
  address.family = parsed.family;
  address.address = parsed.address;
  address.prefix_length = static_cast<uint8_t>(number_property(object, "prefixLength"));
  address.device = text_property(object, "device");
  address.label = text_property(object, "label");
  address.scope = scope_of(text_property(object, "scope", "global"));
  address.broadcast = optional_address(object, "broadcast");
  return address;
}

VirtualRouteSpec read_route(const Napi::Value& value) {
  const auto object = value.As<Napi::Object>();
  const auto prefix = object.Get("destination").As<Napi::Object>();
  const ParsedAddress destination = address_property(prefix, "address");
  VirtualRouteSpec route;
  route.family = destination.family;
  route.destination = destination.address;
  route.length = static_cast<uint8_t>(number_property(prefix, "length"));
  route.gateway = optional_address(object, "gateway");
  route.source = optional_address(object, "source");
  route.device = text_property(object, "device");
  route.metric = optional_number(object, "metric");
  route.table = optional_number(object, "table");
  route.kind = kind_of(text_property(object, "kind"));
  if (object.Get("scope").IsString())
    route.scope = static_cast<uint8_t>(scope_of(text_property(object, "scope")));
  route.is_on_link = object.Get("isOnLink").ToBoolean();
  return route;
}

std::vector<AdvertMessage> read_messages(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<AdvertMessage> messages;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto object = list.Get(i).As<Napi::Object>();
    const auto bytes = object.Get("bytes").As<Napi::Uint8Array>();
    messages.push_back({address_property(object, "destination").address,
                        {bytes.Data(), bytes.Data() + bytes.ByteLength()}});
  }
  return messages;
}

std::optional<Repetition> read_repetition(const Napi::Value& value) {
  if (!value.IsObject()) return std::nullopt;
  const auto object = value.As<Napi::Object>();
  return Repetition{micros_property(object, "interval"), micros_property(object, "lease")};
}

std::vector<ProbedAddress> read_addresses(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<ProbedAddress> addresses;
  for (uint32_t i = 0; i < list.Length(); i++) {
    const auto parsed = parse_address(list.Get(i).ToString().Utf8Value());
    if (!parsed) throw Napi::TypeError::New(value.Env(), "not an IP address in a list of addresses");
    addresses.push_back({parsed->family, parsed->address});
  }
  return addresses;
}

Napi::Object link_object(Napi::Env env, const FailoverLink& link) {
  Napi::Array addresses = Napi::Array::New(env);
  for (const FailoverAddress& address : link.addresses) {
    Napi::Object prefix = Napi::Object::New(env);
    prefix.Set("address", format_address(address.family, address.address));
    prefix.Set("length", address.prefix_length);
    if (address.is_left_for_us) prefix.Set("isLeftForUs", true);
    addresses.Set(addresses.Length(), prefix);
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", link.name);
  object.Set("ifindex", link.ifindex);
  object.Set("mac", link.has_mac ? format_mac(link.mac) : "");
  object.Set("isUp", link.is_up);
  object.Set("isSetDown", link.is_set_down);
  object.Set("mtu", link.mtu);
  if (!link.parent_name.empty()) object.Set("parent", link.parent_name);
  object.Set("addresses", addresses);
  return object;
}

}  // namespace uvs
