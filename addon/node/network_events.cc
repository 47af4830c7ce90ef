#include "node/network_events.h"

#include <algorithm>
#include <optional>

#include "node/errors.h"

namespace uvs {
namespace {

constexpr size_t kMaxPackets = 1'024;
// What one turn of the event loop takes, so that others get theirs.
constexpr size_t kEventsPerTurn = 256;

}  // namespace

struct JavaScriptEvents::Queue {
  std::function<void(const std::string&)> on_expiry;
  Napi::ThreadSafeFunction loop;

  std::mutex mutex;  // guards what follows
  std::deque<Event> events;
  size_t packet_count = 0;
  uint64_t dropped_count = 0;
  bool is_change_waiting = false;
  bool is_scheduled = false;
  bool is_closed = false;  // the event loop is gone: it may not be called again
  bool is_silent = false;
};

JavaScriptEvents::JavaScriptEvents(Napi::Env env, Napi::Function on_event,
                                   std::function<void(const std::string&)> on_expiry)
    : queue_(std::make_shared<Queue>()) {
  queue_->on_expiry = std::move(on_expiry);
  // Unbounded here, for at most one call is waiting at any time.
  queue_->loop = Napi::ThreadSafeFunction::New(env, on_event, "uvs.network", 0, 1);
}

JavaScriptEvents::~JavaScriptEvents() { end(); }

void JavaScriptEvents::advert(const std::string& device, Family family, const HeardAdvert& advert) {
  Event event;
  event.kind = Event::Kind::kAdvert;
  event.text = device;
  event.bytes.assign(advert.message.begin(), advert.message.end());
  event.family = family;
  event.source = advert.source;
  event.destination = advert.destination;
  event.ttl = advert.ttl;
  push(std::move(event));
}

void JavaScriptEvents::frame(const std::string& device, std::span<const uint8_t> frame) {
  Event event;
  event.kind = Event::Kind::kFrame;
  event.text = device;
  event.bytes.assign(frame.begin(), frame.end());
  push(std::move(event));
}

void JavaScriptEvents::links_changed() {
  Event event;
  event.kind = Event::Kind::kLinksChanged;
  push(std::move(event));
}

void JavaScriptEvents::lease_expired(const std::string& router) {
  Event event;
  event.kind = Event::Kind::kLeaseExpired;
  event.text = router;
  push(std::move(event));
}

void JavaScriptEvents::warning(const std::string& message) {
  Event event;
  event.text = message;
  push(std::move(event));
}

void JavaScriptEvents::settle(std::shared_ptr<Napi::Promise::Deferred> deferred, const Status& status) {
  Event event;
  event.kind = Event::Kind::kSettle;
  event.deferred = std::move(deferred);
  event.status = status;
  push(std::move(event));
}

void JavaScriptEvents::push(Event event) {
  const auto is_packet = [](const Event& one) {
    return one.kind == Event::Kind::kAdvert || one.kind == Event::Kind::kFrame;
  };
  {
    const std::lock_guard lock(queue_->mutex);
    Queue& queue = *queue_;
    if (event.kind == Event::Kind::kLinksChanged) {
      if (queue.is_change_waiting) return;
      queue.is_change_waiting = true;
    }
    if (is_packet(event) && ++queue.packet_count > kMaxPackets) {
      queue.events.erase(std::find_if(queue.events.begin(), queue.events.end(), is_packet));
      queue.packet_count--;
      queue.dropped_count++;
    }
    queue.events.push_back(std::move(event));
  }
  schedule(queue_);
}

void JavaScriptEvents::schedule(const std::shared_ptr<Queue>& queue) {
  const std::lock_guard lock(queue->mutex);
  if (queue->is_scheduled || queue->is_closed || queue->events.empty()) return;
  auto* kept = new std::shared_ptr<Queue>(queue);
  const napi_status called = queue->loop.NonBlockingCall(
      kept, [](Napi::Env env, Napi::Function on_event, std::shared_ptr<Queue>* data) {
        const std::unique_ptr<std::shared_ptr<Queue>> owned(data);
        if (env != nullptr) deliver(env, on_event, *owned);
      });
  queue->is_scheduled = called == napi_ok;
  if (called == napi_ok) return;
  queue->is_closed = true;
  delete kept;
}

void JavaScriptEvents::deliver(Napi::Env env, Napi::Function on_event, const std::shared_ptr<Queue>& queue) {
  uint64_t dropped_count = 0;
  {
    const std::lock_guard lock(queue->mutex);
    queue->is_scheduled = false;
    std::swap(dropped_count, queue->dropped_count);
  }
  // Whatever a listener throws goes on its way, and the rest comes in a turn of its own.
  struct Rest {
    const std::shared_ptr<Queue>& queue;
    ~Rest() { schedule(queue); }
  } rest{queue};
  if (dropped_count > 0) {
    Event event;
    event.text = std::to_string(dropped_count) + " adverts and frames were dropped: this process was too slow to read them";
    deliver(env, on_event, *queue, event);
  }
  for (size_t i = 0;; i++) {
    std::optional<Event> event;
    {
      const std::lock_guard lock(queue->mutex);
      // At the end there is no other turn.
      if (queue->events.empty() || (i >= kEventsPerTurn && !queue->is_silent)) return;
      event = std::move(queue->events.front());
      queue->events.pop_front();
      if (event->kind == Event::Kind::kAdvert || event->kind == Event::Kind::kFrame) queue->packet_count--;
      if (event->kind == Event::Kind::kLinksChanged) queue->is_change_waiting = false;
    }
    deliver(env, on_event, *queue, *event);
  }
}

void JavaScriptEvents::deliver(Napi::Env env, const Napi::Function& on_event, Queue& queue, Event& event) {
  const Napi::HandleScope scope(env);
  if (event.kind == Event::Kind::kSettle) {
    if (event.status.ok()) {
      event.deferred->Resolve(env.Undefined());
    } else {
      event.deferred->Reject(to_error(env, event.status).Value());
    }
    return;
  }
  if (queue.is_silent) return;
  if (event.kind == Event::Kind::kLeaseExpired) queue.on_expiry(event.text);
  on_event.Call({object_of(env, event)});
}

Napi::Object JavaScriptEvents::object_of(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  const auto bytes = [&] {
    auto copy = Napi::Uint8Array::New(env, event.bytes.size());
    std::copy(event.bytes.begin(), event.bytes.end(), copy.Data());
    return copy;
  };
  switch (event.kind) {
    case Event::Kind::kAdvert:
      object.Set("kind", "advert");
      object.Set("device", event.text);
      object.Set("message", bytes());
      object.Set("source", format_address(event.family, event.source));
      object.Set("destination", format_address(event.family, event.destination));
      object.Set("ttl", event.ttl);
      break;
    case Event::Kind::kFrame:
      object.Set("kind", "frame");
      object.Set("device", event.text);
      object.Set("frame", bytes());
      break;
    case Event::Kind::kLinksChanged: object.Set("kind", "links-changed"); break;
    case Event::Kind::kLeaseExpired:
      object.Set("kind", "lease-expired");
      object.Set("router", event.text);
      break;
    case Event::Kind::kWarning:
    case Event::Kind::kSettle:
      object.Set("kind", "warning");
      object.Set("message", event.text);
      break;
  }
  return object;
}

void JavaScriptEvents::end() {
  {
    const std::lock_guard lock(queue_->mutex);
    if (queue_->is_silent) return;
    queue_->is_silent = true;
    if (queue_->is_closed) return;
  }
  queue_->loop.Release();
}

}  // namespace uvs
