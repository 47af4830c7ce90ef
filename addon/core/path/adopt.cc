// Taking up connections that another director has had: one on this machine before us, or, later, our peer. Each is
// judged by the table in force, and counts as if it had been opened here.
#include <algorithm>
#include <array>

#include "core/path/director_impl.h"

namespace uvs {

namespace {

// Where a server was found last: a service with thousands of servers would cost a walk for each connection.
class DestinationFinder {
 public:
  const Destination* find(const Service& service, const IpAddress& address, uint16_t port) {
    const uint32_t hash = service_hash(static_cast<uint8_t>(service.slot), service.key.family, address, port);
    Known& known = known_[hash % known_.size()];
    // Under a service of every port a connection has the port that it was opened to.
    const auto is_it = [&](const Destination& one) {
      return (one.spec.port == port || service.key.port == 0) && one.spec.address == address;
    };
    if (known.service == &service && is_it(*known.destination)) return known.destination;
    const auto& all = service.destinations;
    const auto found = std::find_if(all.begin(), all.end(), is_it);
    if (found == all.end()) return nullptr;
    known = {&service, &*found};
    return known.destination;
  }

 private:
  struct Known {
    const Service* service = nullptr;
    const Destination* destination = nullptr;
  };
  std::array<Known, 4096> known_{};
};

constexpr std::array<const char*, kAdoptOutcomeCount> kOutcomeTexts = {
    "taken up",
    "expired meanwhile",
    "the service is gone",
    "the server is gone",
    "the forwarding method is another one",
    "there is such a connection already",
    "the connection table is full",
};

}  // namespace

const char* text(AdoptOutcome outcome) { return kOutcomeTexts[static_cast<size_t>(outcome)]; }

template <Family F>
AdoptOutcome Flows<F>::adopt(const ConnectionView& view, const Service& service,
                             const Destination& destination) {
  if (view.is_template) return adopt_template(view, service, destination);
  Record record{};
  record.client = PackedAddress<F>::of(view.client);
  record.virtual_address = PackedAddress<F>::of(view.virtual_address);
  record.destination = PackedAddress<F>::of(view.destination);
  record.client_port = view.client_port;
  record.virtual_port = view.virtual_port;
  record.destination_port = view.destination_port;
  record.protocol = view.protocol;
  record.state = TcpState::kNone;
  record.hash = connections_.hash(view.client, view.client_port, view.protocol);
  record.destination_slot = destination.slot;
  record.flags.is_local = destination_of(record).is_local.get();
  record.flags.is_nat = is_translated(record, destination);
  record.flags.is_answered = view.is_answered;
  record.flags.standing = static_cast<Standing>(view.standing);
  if (record.flags.is_nat != view.is_nat) return AdoptOutcome::kOtherMethod;
  if (connections_.find_request(record.hash, view.client, view.client_port, view.virtual_address,
                                view.virtual_port, view.protocol) != kNoConnection)
    return AdoptOutcome::kKnown;
  record.control = adopt_control(view, service, destination);
  const auto refuse_as = [&](AdoptOutcome outcome) {
    if (record.control != kNoConnection) release(record.control);
    return outcome;
  };
  Room& room = context_.room;
  const bool is_confirmed = record.flags.standing == Standing::kConfirmed;
  const bool has_room =
      is_confirmed ? room.count().get() < room.limit() || room.end_one() : room.make();
  if (!has_room) return refuse_as(AdoptOutcome::kNoRoom);
  if (record.flags.is_nat) {
    switch (context_.replies.insert(context_.replies.key_of(reply_of(record)))) {
      case ReplyMap::Inserted::kDone:
        break;
      case ReplyMap::Inserted::kTaken:
        return refuse_as(AdoptOutcome::kKnown);
      case ReplyMap::Inserted::kFull:
        return refuse_as(AdoptOutcome::kNoRoom);
    }
  }
  const ConnectionIndex index =
      connections_.insert(record, record.hash, tick_after_ms(context_.now, view.expires_ms), tick_of(context_.now));
  room.count().add(1);
  destination_of(record).bind();
  if (view.protocol == kProtocolTcp) {
    set_state(connections_[index], static_cast<TcpState>(view.state));
  } else if (view.is_answered) {
    assure(record);
  }
  return AdoptOutcome::kAdopted;
}

AdoptCounts Director::adopt_connections(std::span<const ConnectionView> views, Micros now) {
  Impl& impl = *impl_;
  impl.context.now = now;
  DestinationFinder finder;
  AdoptCounts counts{};
  const auto judge = [&](const ConnectionView& view) {
    if (view.expires_ms == 0) return AdoptOutcome::kExpired;
    const Service* service =
        impl.context.table->find(view.protocol, view.family, view.virtual_address, view.virtual_port);
    if (service == nullptr || service->key.is_draining) return AdoptOutcome::kNoService;
    const Destination* destination = finder.find(*service, view.destination, view.destination_port);
    if (destination == nullptr) return AdoptOutcome::kNoServer;
    return view.family == Family::kIpv4 ? impl.ipv4.adopt(view, *service, *destination)
                                        : impl.ipv6.adopt(view, *service, *destination);
  };
  for (const ConnectionView& view : views) counts[static_cast<size_t>(judge(view))]++;
  return counts;
}

template AdoptOutcome Flows<Family::kIpv4>::adopt(const ConnectionView&, const Service&, const Destination&);
template AdoptOutcome Flows<Family::kIpv6>::adopt(const ConnectionView&, const Service&, const Destination&);

}  // namespace uvs
