#include "node/port_object.h"

#include <memory>
#include <vector>

#include "dataplane/translate.h"
#include "node/promise.h"

namespace uvs {
namespace {

constexpr const char* kVerdictNames[kVerdictCount] = {"forward", "answer", "toHost", "drop", "held"};

}  // namespace

Napi::Value publish_table(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::Value& value) {
  const auto bytes = value.As<Napi::Uint8Array>();
  // Copied: JavaScript may go on with its buffer while the table is built.
  auto copy = std::make_shared<std::vector<uint8_t>>(bytes.Data(), bytes.Data() + bytes.ByteLength());
  auto generation = std::make_shared<uint64_t>(0);
  return PromiseWork::start(
      self,
      [port, copy, generation]() -> Status {
        const std::optional<TableSpec> table = decode_table(*copy);
        if (!table) return {ErrorCode::kIo, "the table's bytes have another layout: addon and JavaScript differ"};
        Result<uint64_t> published = port->publish(*table);
        if (!published.ok()) return published.status();
        *generation = published.value();
        return {};
      },
      [port, generation](Napi::Env env) -> Napi::Value {
        port->show_newest();
        return Napi::Number::New(env, static_cast<double>(*generation));
      });
}

Napi::Value read_counters(Napi::Env env, ControlPort& port, const Napi::Value& value) {
  auto into = value.As<Napi::BigUint64Array>();
  const uint64_t generation = port.read_counters({into.Data(), into.ElementLength()});
  return Napi::Number::New(env, static_cast<double>(generation));
}

Napi::Value list_connections(const Napi::Object& self, std::shared_ptr<ControlPort> port, const Napi::CallbackInfo& info) {
  const uint32_t limit = info[0].ToNumber().Uint32Value();
  const auto after = static_cast<ConnectionCursor>(info[1].ToNumber().Int64Value());
  auto page = std::make_shared<ConnectionPage>();
  return PromiseWork::start(
      self,
      [port, limit, after, page]() -> Status {
        Result<ConnectionPage> copied = port->connections(limit, after);
        if (!copied.ok()) return copied.status();
        *page = std::move(copied.value());
        return {};
      },
      [page](Napi::Env env) -> Napi::Value {
        std::vector<uint8_t> rows;
        encode_connections(page->connections, rows);
        Napi::Object result = Napi::Object::New(env);
        result.Set("rows", Napi::Buffer<uint8_t>::Copy(env, rows.data(), rows.size()));
        result.Set("next", page->next == 0 ? env.Undefined()
                                           : Napi::Value(Napi::Number::New(env, static_cast<double>(page->next))));
        return result;
      });
}

Napi::Object port_status(Napi::Env env, const ControlPort& port, const std::vector<DropCount>& outside,
                         const std::vector<DropCount>& passes) {
  const PortStatus now = port.status();
  Napi::Object verdicts = Napi::Object::New(env);
  for (size_t i = 0; i < kVerdictCount; i++) {
    verdicts.Set(kVerdictNames[i], Napi::BigInt::New(env, now.counters.verdicts[i]));
  }
  const auto append = [&](Napi::Array list, const DropCount& of) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("reason", of.reason);
    row.Set("text", of.text);
    row.Set("count", Napi::BigInt::New(env, of.count));
    list.Set(list.Length(), row);
  };
  Napi::Array drops = Napi::Array::New(env);
  for (const DropReasonInfo& reason : kDropReasons) {
    if (reason.reason == DropReason::kNone) continue;
    append(drops, {reason.name, reason.text, now.counters.drops[static_cast<size_t>(reason.reason)]});
  }
  Napi::Array flow_events = Napi::Array::New(env);
  for (const FlowEventInfo& info : kFlowEvents) {
    Napi::Object event = Napi::Object::New(env);
    event.Set("event", info.name);
    event.Set("text", info.text);
    event.Set("count", Napi::BigInt::New(env, now.counters.flow_events[static_cast<size_t>(info.event)]));
    flow_events.Set(flow_events.Length(), event);
  }
  for (const DropCount& drop : outside) append(drops, drop);
  Napi::Array passed = Napi::Array::New(env);
  for (const DropCount& pass : passes) append(passed, pass);
  Napi::Object status = Napi::Object::New(env);
  status.Set("generation", static_cast<double>(now.generation));
  status.Set("tableSize", now.table_size);
  status.Set("connectionCount", now.connection_count);
  status.Set("connectionLimit", now.connection_limit);
  status.Set("verdicts", verdicts);
  status.Set("drops", drops);
  status.Set("flowEvents", flow_events);
  status.Set("passes", passed);
  return status;
}

}  // namespace uvs
