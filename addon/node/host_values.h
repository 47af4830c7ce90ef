// Addresses, routes and adverts as JavaScript objects (src/dataplane/port.ts, network.ts), read into values of host.
// Throws a TypeError that names what is wrong.
#pragma once

#include <napi.h>

#include <optional>
#include <string>
#include <vector>

#include "host/advert_schedule.h"
#include "host/advert_socket.h"
#include "host/frame_socket.h"
#include "host/addresses.h"
#include "host/failover_links.h"
#include "host/virtual_routes.h"

namespace uvs {

HostAddress read_host_address(const Napi::Value& value);
VirtualRouteSpec read_route(const Napi::Value& value);
std::vector<AdvertMessage> read_messages(const Napi::Value& value);
// Empty for undefined.
std::optional<Repetition> read_repetition(const Napi::Value& value);
// An array of texts.
std::vector<ProbedAddress> read_addresses(const Napi::Value& value);

Napi::Object link_object(Napi::Env env, const FailoverLink& link);

}  // namespace uvs
