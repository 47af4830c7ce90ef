#include "node/errors.h"

#include <arpa/inet.h>

#include <cstdio>

namespace uvs {

Napi::Error to_error(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.message);
  error.Set("code", Napi::String::New(env, name(status.code)));
  return error;
}

std::optional<ParsedAddress> parse_address(const std::string& text) {
  ParsedAddress parsed;
  parsed.family = text.find(':') == std::string::npos ? Family::kIpv4 : Family::kIpv6;
  const int family = parsed.family == Family::kIpv4 ? AF_INET : AF_INET6;
  if (inet_pton(family, text.c_str(), parsed.address.bytes.data()) != 1) return std::nullopt;
  return parsed;
}

std::string format_address(Family family, const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family == Family::kIpv4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof(text));
}

std::optional<MacAddress> parse_mac(const std::string& text) {
  MacAddress mac;
  unsigned parts[6];
  char rest;
  if (std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", &parts[0], &parts[1], &parts[2], &parts[3],
                  &parts[4], &parts[5], &rest) != 6) {
    return std::nullopt;
  }
  for (size_t i = 0; i < 6; i++) mac.bytes[i] = static_cast<uint8_t>(parts[i]);
  return mac;
}

std::string format_mac(const MacAddress& mac) {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac.bytes[0], mac.bytes[1], mac.bytes[2],
                mac.bytes[3], mac.bytes[4], mac.bytes[5]);
  return text;
}

std::string text_property(const Napi::Object& object, const char* name, const std::string& otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : otherwise;
}

uint32_t number_property(const Napi::Object& object, const char* name, uint32_t otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : otherwise;
}

ParsedAddress address_property(const Napi::Object& object, const char* name) {
  const std::optional<ParsedAddress> parsed = parse_address(text_property(object, name));
  if (!parsed) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be an IP address");
  return *parsed;
}

}  // namespace uvs
