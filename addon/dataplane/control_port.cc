#include "dataplane/control_port.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "dataplane/translate.h"

namespace uvs {
namespace {

constexpr std::chrono::seconds kWorkerPatience{5};
}  // namespace

ControlPort::ControlPort(Director& director, Worker& worker, Steer steer)
    : director_(director), worker_(worker), steer_(std::move(steer)) {}

Result<uint64_t> ControlPort::publish(const TableSpec& table) {
  const auto take_up = std::exchange(steer_.take_up, nullptr);
  if (steer_.before && !take_up) {
    Status covered = steer_.before(table);
    if (!covered.ok()) return covered;
  }
  Published published;
  {
    const std::lock_guard lock(tables_);
    published = director_.tables().publish(table);
    if (!published.ok()) {
      if (steer_.after) steer_.after(in_force_);
      return Status{ErrorCode::kLimitReached, text(published.error)};
    }
    in_force_ = table;
    newest_generation_ = published.generation;
    newest_rows_.clear();
    for (const auto& service : director_.tables().newest().services) {
      Row row{service->slot, {}};
      for (const Destination& destination : service->destinations) row.destinations.push_back(destination.slot);
      newest_rows_.push_back(std::move(row));
    }
  }
  // A task runs after adopt() of the same turn: when it has run, the table is in force.
  Status adopted = on_worker([](Micros) {});
  if (!adopted.ok()) return adopted;
  if (take_up) {
    take_up();
    Status covered = steer_.before(table);
    if (!covered.ok()) return covered;
  }
  if (steer_.after) steer_.after(table);
  return published.generation;
}

void ControlPort::show_newest() {
  const std::lock_guard lock(tables_);
  rows_ = newest_rows_;
  generation_ = newest_generation_;
}

uint64_t ControlPort::read_counters(std::span<uint64_t> into) {
  const std::lock_guard lock(tables_);
  const TableStore& tables = director_.tables();
  CounterWriter writer(into);
  for (const Row& row : rows_) {
    writer.put(tables.service_traffic(row.service));
    for (const DestinationSlot slot : row.destinations) writer.put(tables.destination_counters(slot));
  }
  return generation_;
}

void ControlPort::zero() {
  const std::lock_guard lock(tables_);
  director_.tables().zero_traffic();
}

Result<ConnectionPage> ControlPort::connections(uint32_t limit, ConnectionCursor after) {
  // Rows for one visit to the worker: packets wait meanwhile.
  constexpr size_t kRowsPerVisit = 256;
  auto page = std::make_shared<ConnectionPage>();
  page->next = after;
  do {
    const size_t had = page->connections.size();
    Status done = on_worker([this, page, had, limit](Micros now) {
      page->connections.resize(std::min(had + kRowsPerVisit, size_t{limit}));
      size_t count = 0;
      page->next = director_.copy_connections(page->next, std::span(page->connections).subspan(had), count, now);
      page->connections.resize(had + count);
    });
    if (!done.ok()) return done;
  } while (page->next != 0 && page->connections.size() < limit);
  return std::move(*page);
}

Status ControlPort::adopt(std::vector<ConnectionView> connections, AdoptCounts& counts) {
  auto outcome = std::make_shared<AdoptCounts>();
  auto views = std::make_shared<std::vector<ConnectionView>>(std::move(connections));
  Status done = on_worker([this, outcome, views](Micros now) { *outcome = director_.adopt_connections(*views, now); });
  if (!done.ok()) return done;
  for (size_t i = 0; i < kAdoptOutcomeCount; i++) counts[i] += (*outcome)[i];
  return {};
}

Status ControlPort::on_worker(std::function<void(Micros now)> task) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> is_done = done->get_future();
  worker_.post([task = std::move(task), done](Micros now) {
    task(now);
    done->set_value();
  });
  worker_.wake();
  if (is_done.wait_for(kWorkerPatience) == std::future_status::ready) return {};
  return {ErrorCode::kIo, "the packet worker does not answer"};
}

PortStatus ControlPort::status() const {
  return {.generation = director_.tables().adopted(),
          .table_size = director_.bucket_count(),
          .connection_count = director_.connection_count(),
          .connection_limit = director_.connection_limit(),
          .counters = director_.counters()};
}

}  // namespace uvs
