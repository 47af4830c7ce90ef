// One service under one scheduler, without packets: destinations are letters, each choice may open a connection, and the
// list changes as ipvsadm changes it. What tables and the path do around a scheduler, in its smallest form.
#pragma once

#include <string>
#include <vector>

#include "core/schedule/scheduler.h"
#include "core/table/table_store.h"
#include "packet_builder.h"

namespace uvs::test {

struct Letter {
  char name;
  uint32_t weight = 1;
  bool is_removed = false;
};

class ScheduledService {
 public:
  // In the order of visit.
  ScheduledService(const Scheduler* id, const std::vector<Letter>& list) : store_(prepare_service) {
    spec_.protocol = kProtocolTcp;
    spec_.address = address("10.9.0.1");
    spec_.port = 80;
    spec_.scheduler = id;
    set(list);
  }

  void set(const std::vector<Letter>& list) {
    spec_.destinations.clear();
    for (const Letter& letter : list) {
      DestinationSpec destination;
      destination.address = IpAddress::ipv4(10, 1, 0, static_cast<uint8_t>(letter.name));
      destination.port = 80;
      destination.weight = letter.weight;
      destination.is_removed = letter.is_removed;
      spec_.destinations.push_back(destination);
    }
    publish();
  }
  void set_flags(bool fallback, bool port) {
    spec_.scheduler_flags = static_cast<uint8_t>((fallback ? 1 : 0) | (port ? 2 : 0));
    publish();
  }

  // The letters of `count` choices, '-' for nobody; `opens`: each counts as an active connection from then on.
  std::string choose(size_t count, bool opens = false, const ParsedPacket& packet = {}) {
    std::string letters;
    for (size_t i = 0; i < count; i++) {
      const Destination* chosen = spec_.scheduler->choose(
          {current(), store_.destination_states(), scheduler_state(), packet, now});
      letters += chosen == nullptr ? '-' : static_cast<char>(chosen->spec.address.bytes[3]);
      if (chosen == nullptr || !opens) continue;
      store_.destination_state(chosen->slot).bind();
      store_.destination_state(chosen->slot).activate();
    }
    return letters;
  }

  DestinationState& state(char name) {
    for (const Destination& destination : current().destinations) {
      if (destination.spec.address.bytes[3] == name) return store_.destination_state(destination.slot);
    }
    std::abort();
  }
  SchedulerState& scheduler_state() { return store_.service_state(current().slot).scheduler; }
  Micros now = 1'000'000;
  const Service& current() const { return *store_.newest().services[0]; }

 private:
  void publish() {
    if (!store_.publish({.services = {spec_}, .policy = {}}).ok()) std::abort();
    for (const ServiceChange& change : store_.newest().changes) {
      if (change.before != nullptr) {
        for (const Destination& old : change.before->destinations) store_.destination_state(old.slot).current = nullptr;
      }
      uint32_t position = 0;
      for (const Destination& made : change.after->destinations) {
        store_.destination_state(made.slot).current = &made;
        store_.destination_state(made.slot).position = position++;
      }
      if (change.before == nullptr) scheduler_state() = {.position = 0, .level = 0, .random = 1};
      spec_.scheduler->adopt(change, store_.destination_states(), scheduler_state());
    }
    store_.report_adopted(store_.newest().generation);
  }

  TableStore store_;
  ServiceSpec spec_;
};

// Of a client, to the virtual address of all these services unless another is given.
inline ParsedPacket packet_from(const std::string& source, const std::string& destination = "10.9.0.1:80") {
  const Endpoint end = endpoint(source);
  ParsedPacket packet;
  packet.family = end.family;
  packet.source = end.address;
  packet.source_port = end.port;
  packet.destination = endpoint(destination).address;
  return packet;
}

}  // namespace uvs::test
