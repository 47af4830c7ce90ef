// The way of network events to JavaScript: a bounded queue between the network thread, which never waits, and the event
// loop, which may hang. Of adverts and frames the oldest give way when nobody reads them: after a stall only the newest
// tell how things are. Everything else is rare, and kept.
#pragma once

#include <napi.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host/failover_network.h"

namespace uvs {

class JavaScriptEvents final : public FailoverEvents {
 public:
  // On the event loop. `on_expiry` is called there with each lost lease, just before JavaScript hears of it.
  JavaScriptEvents(Napi::Env env, Napi::Function on_event, std::function<void(const std::string& router)> on_expiry);
  ~JavaScriptEvents() override;

  void advert(const std::string& device, Family family, const HeardAdvert& advert) override;
  void links_changed() override;
  void lease_expired(const std::string& router) override;
  void frame(const std::string& device, std::span<const uint8_t> frame) override;
  void warning(const std::string& message) override;

  // Settles a promise of the event loop; any thread.
  void settle(std::shared_ptr<Napi::Promise::Deferred> deferred, const Status& status);

  // Any thread: from here on promises are settled and no event is told. Nobody else calls any more.
  void end();

 private:
  struct Event {
    enum class Kind : uint8_t { kAdvert, kFrame, kLinksChanged, kLeaseExpired, kWarning, kSettle };
    Kind kind = Kind::kWarning;
    std::string text;  // device, router or message
    std::vector<uint8_t> bytes;
    Family family = Family::kIpv4;
    IpAddress source, destination;
    uint8_t ttl = 0;
    std::shared_ptr<Napi::Promise::Deferred> deferred;
    Status status;
  };
  struct Queue;

  void push(Event event);
  static void deliver(Napi::Env env, Napi::Function on_event, const std::shared_ptr<Queue>& queue);
  static void deliver(Napi::Env env, const Napi::Function& on_event, Queue& queue, Event& event);
  static Napi::Object object_of(Napi::Env env, const Event& event);
  static void schedule(const std::shared_ptr<Queue>& queue);

  std::shared_ptr<Queue> queue_;
};

}  // namespace uvs
