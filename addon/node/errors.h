// Status and addresses across the language border: a failed Status becomes a JavaScript Error whose `code` is the
// ErrorCode of src/errors.ts; text addresses become values.
#pragma once

#include <napi.h>

#include <optional>
#include <string>

#include "core/net/address.h"
#include "io/status.h"

namespace uvs {

Napi::Error to_error(Napi::Env env, const Status& status);

struct ParsedAddress {
  Family family = Family::kIpv4;
  IpAddress address;
};

// The address that `text` writes, as the control plane writes them; empty when it writes none.
std::optional<ParsedAddress> parse_address(const std::string& text);
std::string format_address(Family family, const IpAddress& address);

std::optional<MacAddress> parse_mac(const std::string& text);
std::string format_mac(const MacAddress& mac);

// A property as text, or `otherwise` when it is undefined or null.
std::string text_property(const Napi::Object& object, const char* name, const std::string& otherwise = "");
uint32_t number_property(const Napi::Object& object, const char* name, uint32_t otherwise = 0);
// A property that must be an address; throws a TypeError that names it.
ParsedAddress address_property(const Napi::Object& object, const char* name);

}  // namespace uvs
