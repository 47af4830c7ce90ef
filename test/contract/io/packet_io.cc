// One contract for everything that moves frames: af_packet on real devices, memory_link and
// pcap_file. A new implementation is one rig. A case that a rig can't take says why.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <functional>
#include <limits>
#include <memory>

#include "io/af_packet.h"
#include "io/memory_link.h"
#include "io/monotonic_clock.h"
#include "io/pcap_file.h"
#include "io/steering.h"
#include "scratch_network.h"

namespace uvs::test {
namespace {

constexpr uint32_t kFarFuture_s = 3600;

class Rig {
 public:
  virtual ~Rig() = default;
  virtual PacketIo& io() = 0;
  virtual uint32_t device() const = 0;
  virtual MacAddress mac() const { return {{2, 0, 0, 0, 0, 1}}; }
  // Makes the frame come in by device(); all of a case's frames before the first io().
  virtual void inject(const Octets& bytes, const OffloadHeader& offload) = 0;
  // What was transmitted on device(), or given to the host there: the next frame.
  virtual std::optional<Octets> sent() = 0;
  virtual std::optional<Octets> given_to_host() = 0;
  virtual bool keeps_offload_state() const { return true; }
  virtual bool shows_what_the_host_gets() const { return true; }
};

class MemoryRig final : public Rig {
 public:
  PacketIo& io() override { return link_; }
  uint32_t device() const override { return 7; }
  void inject(const Octets& bytes, const OffloadHeader& offload) override {
    link_.inject(device(), bytes, offload);
  }
  std::optional<Octets> sent() override { return next(false); }
  std::optional<Octets> given_to_host() override { return next(true); }

 private:
  std::optional<Octets> next(bool for_host) {
    for (auto& frame : link_.take()) taken_.push_back(std::move(frame));
    for (auto frame = taken_.begin(); frame != taken_.end(); ++frame) {
      if ((frame->verdict == Verdict::kToHost) != for_host) continue;
      CHECK(frame->egress_ifindex == (for_host ? 0 : device()));
      const Octets bytes = frame->bytes;
      taken_.erase(frame);
      return bytes;
    }
    return std::nullopt;
  }

  MemoryLink link_;
  std::vector<TransmittedFrame> taken_;
};

class PcapRig final : public Rig {
 public:
  PcapRig() {
    char name[] = "/tmp/uvsio-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    folder_ = name;
    auto writer = CaptureWriter::create(folder_ + "/in.pcap");
    REQUIRE(writer.ok());
    writer_ = std::move(writer.value());
  }
  ~PcapRig() override {
    (void)unlink((folder_ + "/in.pcap").c_str());
    (void)unlink((folder_ + "/out.pcap").c_str());
    (void)rmdir(folder_.c_str());
  }
  PacketIo& io() override {
    if (!file_) {
      REQUIRE(writer_->flush().ok());
      auto opened = PcapFile::open(folder_ + "/in.pcap", folder_ + "/out.pcap", device());
      REQUIRE(opened.ok());
      file_ = std::move(opened.value());
    }
    return *file_;
  }
  uint32_t device() const override { return 3; }
  void inject(const Octets& bytes, const OffloadHeader&) override {
    writer_->write(1'000'000, bytes);
  }
  std::optional<Octets> sent() override {
    if (!reader_) {
      auto opened = CaptureReader::open(folder_ + "/out.pcap");
      REQUIRE(opened.ok());
      reader_ = std::move(opened.value());
    }
    const auto frame = reader_->next();
    if (!frame) return std::nullopt;
    return Octets(frame->bytes.begin(), frame->bytes.end());
  }
  std::optional<Octets> given_to_host() override { return std::nullopt; }
  // A capture holds frames as they are on the wire.
  bool keeps_offload_state() const override { return false; }
  // There is no host behind a file: such frames are counted only.
  bool shows_what_the_host_gets() const override { return false; }

 private:
  std::string folder_;
  std::unique_ptr<CaptureWriter> writer_;
  std::unique_ptr<PcapFile> file_;
  std::unique_ptr<CaptureReader> reader_;
};

class AfPacketRig final : public Rig {
 public:
  explicit AfPacketRig(bool force_clsact) : far_(network_.far()), tap_(network_.near()) {
    auto started = Steering::start({.connections = 1000, .force_clsact = force_clsact});
    REQUIRE_MESSAGE(started.ok(), started.status().message);
    steering_ = std::move(started.value());
    REQUIRE(steering_->attach(device(), mac(), LinkLayer::kEthernet).ok());
    REQUIRE(steering_->cover({{service_key(Family::kIpv4, address("10.9.0.1"), 80, 6)}, {}}).ok());
    steering_->set_heartbeat((monotonic_now() + kFarFuture_s * kMicrosPerSecond) * 1000);
    auto opened = AfPacket::open(steering_->receive_ifindex());
    REQUIRE_MESSAGE(opened.ok(), opened.status().message);
    io_ = std::move(opened.value());
  }
  PacketIo& io() override { return *io_; }
  uint32_t device() const override { return network_.near(); }
  MacAddress mac() const override { return mac_of(ScratchNetwork::kNear); }
  void inject(const Octets& bytes, const OffloadHeader& offload) override {
    far_.send(bytes, offload);
    REQUIRE(tap_.receive());  // on its way in: what the tap shows later was given to the host
  }
  std::optional<Octets> sent() override { return bytes_of(far_.receive()); }
  std::optional<Octets> given_to_host() override { return bytes_of(tap_.receive()); }

 private:
  static std::optional<Octets> bytes_of(const std::optional<WireFrame>& frame) {
    return frame ? std::optional(frame->bytes) : std::nullopt;
  }

  ScratchNetwork network_;
  Wire far_, tap_;
  std::unique_ptr<Steering> steering_;
  std::unique_ptr<AfPacket> io_;
};

Packet request(const Rig& rig, uint16_t client_port) {
  return tcp4("172.16.0.1:" + std::to_string(client_port), "10.9.0.1:80")
      .syn()
      .macs(rig.mac(), {{2, 0, 0, 0, 0, 9}});
}

// Without the destination MAC, which belongs to io until path has written it.
Octets behind_mac(const uint8_t* data, size_t length) { return {data + 6, data + length}; }
Octets behind_mac(const Octets& bytes) { return behind_mac(bytes.data(), bytes.size()); }

// The frames that come in, up to `count`; waits for them as the worker does.
void receive_some(Rig& rig, Batch& batch) {
  rig.io().receive(batch);
  if (batch.count > 0 || rig.io().descriptor() < 0) return;
  pollfd watched{rig.io().descriptor(), POLLIN, 0};
  REQUIRE(poll(&watched, 1, 2000) == 1);
  rig.io().receive(batch);
}

void frames_come_in_as_they_are(Rig& rig) {
  std::vector<Octets> injected;
  for (uint16_t i = 0; i < 3; i++) {
    injected.push_back(request(rig, static_cast<uint16_t>(5000 + i)).payload(20u * i).bytes());
    rig.inject(injected.back(), {});
  }
  Batch batch;
  for (size_t seen = 0; seen < injected.size();) {
    receive_some(rig, batch);
    for (size_t i = 0; i < batch.count; i++, seen++) {
      const Frame& frame = batch.frames[i];
      CHECK(frame.ifindex == rig.device());
      CHECK(frame.capacity >= kMinFrameCapacity);
      CHECK_FALSE(frame.offload.is_gso());
      CHECK(behind_mac(frame.data, frame.length) == behind_mac(injected[seen]));
    }
    rig.io().release(batch);
  }
  CHECK(rig.io().counters().received.get() == 3);
  rig.io().receive(batch);
  CHECK(batch.count == 0);
  rig.io().release(batch);
}

void more_than_a_batch_comes_in_order(Rig& rig) {
  constexpr size_t kCount = kBatchSize * 3 + 5;
  for (size_t i = 0; i < kCount; i++)
    rig.inject(request(rig, static_cast<uint16_t>(1000 + i)).bytes(), {});
  Batch batch;
  size_t seen = 0;
  while (seen < kCount) {
    receive_some(rig, batch);
    REQUIRE(batch.count <= kBatchSize);
    for (size_t i = 0; i < batch.count; i++, seen++) {
      CHECK(load<Be16>(batch.frames[i].data + 34).host() == 1000 + seen);
    }
    rig.io().release(batch);
  }
  CHECK(rig.io().counters().receive_lost.get() == 0);
}

void each_verdict_goes_its_way(Rig& rig) {
  for (uint16_t i = 0; i < 5; i++)
    rig.inject(request(rig, static_cast<uint16_t>(6000 + i)).bytes(), {});
  constexpr Verdict kVerdicts[] = {Verdict::kForward, Verdict::kDrop, Verdict::kToHost,
                                   Verdict::kHeld, Verdict::kAnswer};
  Batch batch;
  for (size_t seen = 0; seen < 5;) {
    receive_some(rig, batch);
    for (size_t i = 0; i < batch.count; i++, seen++) {
      Frame& frame = batch.frames[i];
      frame.verdict = kVerdicts[seen];
      frame.egress_ifindex = rig.device();
      const bool is_leaving =
          frame.verdict == Verdict::kForward || frame.verdict == Verdict::kAnswer;
      if (is_leaving) std::fill_n(frame.data, 6, uint8_t{0xee});
    }
    rig.io().transmit(batch);
    rig.io().release(batch);
  }
  const IoCounters& counters = rig.io().counters();
  CHECK(counters.transmitted.get() == 2);
  CHECK(counters.reinjected.get() == 1);
  CHECK(counters.transmit_failed.get() == 0);
  for (const uint16_t port : {uint16_t{6000}, uint16_t{6004}}) {
    const auto sent = rig.sent();
    REQUIRE(sent);
    CHECK(behind_mac(*sent) == behind_mac(request(rig, port).bytes()));
    CHECK(sent->front() == 0xee);
  }
  if (!rig.shows_what_the_host_gets()) return;
  const auto given = rig.given_to_host();
  REQUIRE(given);
  const Octets original = request(rig, 6002).bytes();
  CHECK(behind_mac(*given) == behind_mac(original));
  // On a real device the destination MAC is the device's own again, or the host would not take it.
  if (rig.io().descriptor() >= 0) CHECK(*given == original);
}

void offload_state_survives_both_ways(Rig& rig) {
  if (!rig.keeps_offload_state()) return;
  const Packet packet = request(rig, 7000).ack().payload(40'000).gso(1400);
  const Octets injected = packet.bytes();
  rig.inject(injected, packet.offload());
  Batch batch;
  receive_some(rig, batch);
  REQUIRE(batch.count == 1);
  Frame& frame = batch.frames[0];
  REQUIRE(frame.length == injected.size());
  CHECK(behind_mac(frame.data, frame.length) == behind_mac(injected));
  CHECK(frame.capacity >= frame.length);
  CHECK((frame.offload.gso_type & ~OffloadHeader::kGsoEcn) == OffloadHeader::kGsoTcp4);
  CHECK(frame.offload.gso_size == 1400);
  CHECK(frame.offload.needs_checksum());
  CHECK(frame.offload.checksum_start == 34);
  frame.verdict = Verdict::kForward;
  frame.egress_ifindex = rig.device();
  rig.io().transmit(batch);
  rig.io().release(batch);
  const auto sent = rig.sent();
  REQUIRE(sent);
  CHECK(behind_mac(*sent) == behind_mac(injected));
}

void sizes_around_every_limit_pass(Rig& rig) {
  // Around the room of a ring slot, where frames change from lying in it to standing beside it.
  for (const size_t payload : {0, 1446, 3900, 3965, 3966, 3967, 3968, 4042, 4096, 8900, 65'000}) {
    const Packet packet = request(rig, 7100).ack().payload(payload).gso(1400);
    const Packet plain = request(rig, 7100).ack().payload(std::min<size_t>(payload, 1400));
    const bool is_gso = rig.keeps_offload_state() && payload > 1400;
    const Octets bytes = is_gso ? packet.bytes() : plain.bytes();
    rig.inject(bytes, is_gso ? packet.offload() : OffloadHeader{});
    if (!rig.keeps_offload_state()) continue;
    CAPTURE(payload);
    Batch batch;
    receive_some(rig, batch);
    REQUIRE(batch.count == 1);
    CHECK(batch.frames[0].capacity >= std::max(kMinFrameCapacity, size_t{batch.frames[0].length}));
    CHECK(behind_mac(batch.frames[0].data, batch.frames[0].length) == behind_mac(bytes));
    rig.io().release(batch);
  }
  CHECK(rig.io().counters().receive_lost.get() == 0);
}

void a_device_that_is_not_there_is_counted(Rig& rig) {
  if (rig.io().descriptor() < 0) return;  // in memory and in files every device exists
  for (uint16_t i = 0; i < 3; i++)
    rig.inject(request(rig, static_cast<uint16_t>(8000 + i)).bytes(), {});
  Batch batch;
  for (size_t seen = 0; seen < 3;) {
    receive_some(rig, batch);
    for (size_t i = 0; i < batch.count; i++, seen++) {
      batch.frames[i].verdict = Verdict::kForward;
      batch.frames[i].egress_ifindex = seen == 1 ? 4'000'000 : rig.device();
    }
    rig.io().transmit(batch);
    rig.io().release(batch);
  }
  // The one is refused, its neighbours in the batch are not.
  CHECK(rig.io().counters().transmitted.get() == 2);
  CHECK(rig.io().counters().transmit_failed.get() == 1);
}

struct ContractCase {
  const char* name;
  void (*check)(Rig&);
};
constexpr ContractCase kCases[] = {
    {"frames come in as they are", frames_come_in_as_they_are},
    {"more than a batch comes in order", more_than_a_batch_comes_in_order},
    {"each verdict goes its way", each_verdict_goes_its_way},
    {"offload state survives both ways", offload_state_survives_both_ways},
    {"sizes around every limit pass", sizes_around_every_limit_pass},
    {"a device that is not there is counted", a_device_that_is_not_there_is_counted},
};

void check_contract(const std::function<std::unique_ptr<Rig>()>& make) {
  for (const ContractCase& one : kCases) {
    SUBCASE(one.name) {
      const auto rig = make();
      one.check(*rig);
    }
  }
}

TEST_CASE("packet io contract: memory_link") {
  check_contract([] { return std::make_unique<MemoryRig>(); });
}

TEST_CASE("packet io contract: pcap_file") {
  check_contract([] { return std::make_unique<PcapRig>(); });
}

TEST_CASE("packet io contract: af_packet steered by tcx") {
  UVS_REQUIRES("root", "bpf");
  check_contract([] { return std::make_unique<AfPacketRig>(false); });
}

TEST_CASE("packet io contract: af_packet steered by clsact") {
  UVS_REQUIRES("root", "bpf");
  check_contract([] { return std::make_unique<AfPacketRig>(true); });
}

}  // namespace
}  // namespace uvs::test
