// Packets that read like packets: tcp4("172.16.0.1:10000",
// "10.9.0.1:80").syn().payload(20).frame(). Every length and checksum is right unless a test asks
// for something else. Computes checksums on its own, byte by byte, so that it can't share a mistake
// with the code under test.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/net/address.h"
#include "core/net/frame.h"

namespace uvs::test {

using Octets = std::vector<uint8_t>;

inline void put16(Octets& to, size_t value) {
  to.push_back(static_cast<uint8_t>(value >> 8));
  to.push_back(static_cast<uint8_t>(value));
}
inline void put32(Octets& to, size_t value) {
  put16(to, value >> 16);
  put16(to, value);
}
inline void set16(Octets& in, size_t at, size_t value) {
  in[at] = static_cast<uint8_t>(value >> 8);
  in[at + 1] = static_cast<uint8_t>(value);
}
inline void put(Octets& to, const Octets& more) { to.insert(to.end(), more.begin(), more.end()); }

// RFC 1071 at its slowest; host order, not complemented.
inline uint16_t plain_sum(const uint8_t* bytes, size_t size, uint32_t sum = 0) {
  for (size_t i = 0; i < size; i++) {
    sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

struct Endpoint {
  Family family = Family::kIpv4;
  IpAddress address;
  uint16_t port = 0;
};

// "10.0.0.1", "10.0.0.1:80", "2001:db8::1", "[2001:db8::1]:80". Ends the process on anything else.
inline Endpoint endpoint(std::string text) {
  Endpoint result;
  std::string port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end + 1 < text.size()) port = text.substr(end + 2);
    text = text.substr(1, end - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    port = text.substr(text.find(':') + 1);
    text = text.substr(0, text.find(':'));
  }
  result.family = text.find(':') == std::string::npos ? Family::kIpv4 : Family::kIpv6;
  const int af = result.family == Family::kIpv4 ? AF_INET : AF_INET6;
  if (inet_pton(af, text.c_str(), result.address.bytes.data()) != 1) std::abort();
  if (!port.empty()) result.port = static_cast<uint16_t>(std::atoi(port.c_str()));
  return result;
}
inline IpAddress address(const std::string& text) { return endpoint(text).address; }

// A frame with memory of its own: as much as io gives, and no byte more, for the sanitizers to
// watch.
class OwnedFrame {
 public:
  explicit OwnedFrame(const Octets& bytes, const OffloadHeader& offload = {},
                      size_t capacity = kMinFrameCapacity)
      : memory_(new uint8_t[std::max(bytes.size(), capacity)]) {
    std::copy(bytes.begin(), bytes.end(), memory_.get());
    frame_.data = memory_.get();
    frame_.length = static_cast<uint32_t>(bytes.size());
    frame_.capacity = static_cast<uint32_t>(std::max(bytes.size(), capacity));
    frame_.offload = offload;
  }
  operator Frame&() { return frame_; }
  operator const Frame&() const { return frame_; }
  Frame* operator->() { return &frame_; }
  Octets bytes() const { return {frame_.data, frame_.data + frame_.length}; }

 private:
  std::unique_ptr<uint8_t[]> memory_;
  Frame frame_;
};

class Packet {
 public:
  Packet(uint8_t protocol, const Endpoint& source, const Endpoint& destination)
      : protocol_(protocol), source_(source), destination_(destination) {}

  // TCP
  Packet& flags(uint8_t bits) { return tcp_flags_ = bits, *this; }
  Packet& syn() { return tcp_flags_ |= 2, *this; }
  Packet& fin() { return tcp_flags_ |= 1, *this; }
  Packet& rst() { return tcp_flags_ |= 4, *this; }
  Packet& ack() { return tcp_flags_ |= 16, *this; }
  Packet& sequence(uint32_t number) { return sequence_ = number, *this; }
  Packet& acknowledgement(uint32_t number) { return acknowledgement_ = number, *this; }
  Packet& window(uint16_t size) { return window_ = size, *this; }
  Packet& tcp_options(const Octets& bytes) {
    return tcp_options_ = bytes, *this;
  }  // a multiple of 4
  // UDP
  Packet& no_checksum() { return has_checksum_ = false, *this; }
  // ICMP
  Packet& icmp(uint8_t type, uint8_t code, uint32_t rest = 0) {
    icmp_type_ = type, icmp_code_ = code, icmp_rest_ = rest;
    return *this;
  }
  // The error quotes the first `limit` bytes of `packet`, from its IP header on.
  Packet& quote(const Packet& packet, size_t limit = 1232) {
    const Octets whole = packet.bytes();
    payload_.assign(whole.begin() + 14,
                    whole.begin() + static_cast<ptrdiff_t>(std::min(whole.size(), 14 + limit)));
    return *this;
  }
  // Any
  Packet& payload(size_t size) {
    payload_.resize(size);
    for (size_t i = 0; i < size; i++) payload_[i] = static_cast<uint8_t>(i * 7 + 1);
    return *this;
  }
  Packet& payload(const Octets& bytes) { return payload_ = bytes, *this; }
  Packet& source(const std::string& text) { return source_ = endpoint(text), *this; }
  Packet& destination(const std::string& text) { return destination_ = endpoint(text), *this; }
  Packet& ttl(uint8_t value) { return ttl_ = value, *this; }
  Packet& type_of_service(uint8_t value) { return type_of_service_ = value, *this; }
  Packet& dont_fragment() { return dont_fragment_ = true, *this; }
  Packet& identification(uint32_t value) { return identification_ = value, *this; }
  Packet& ipv4_options(const Octets& bytes) {
    return ipv4_options_ = bytes, *this;
  }  // a multiple of 4
  // An IPv6 extension header: `bytes` without its first one (the next header), with its length
  // field.
  Packet& extension(uint8_t type, const Octets& bytes) {
    return extensions_.push_back({type, bytes}), *this;
  }
  // Only bytes [offset, offset + size) of the IP payload, as the fragment that carries them.
  Packet& fragment(size_t offset, size_t size) {
    is_fragment_ = true, fragment_offset_ = offset, fragment_size_ = size;
    return *this;
  }
  Packet& macs(const MacAddress& destination, const MacAddress& source) {
    destination_mac_ = destination, source_mac_ = source;
    return *this;
  }
  // The sender left the checksum to the device.
  Packet& partial_checksum() { return is_partial_ = true, *this; }
  // ... and the cutting into segments of `size` bytes of payload.
  Packet& gso(uint16_t size) {
    gso_size_ = size;
    return partial_checksum();
  }

  Octets bytes() const {
    const Octets l4 = l4_bytes();
    Octets l3_payload;
    uint8_t next = protocol_;
    const size_t begin = is_fragment_ ? std::min(fragment_offset_, l4.size()) : 0;
    const size_t end = is_fragment_ ? std::min(begin + fragment_size_, l4.size()) : l4.size();
    const bool more = end < l4.size();
    if (is_ipv4()) {
      put(l3_payload,
          {l4.begin() + static_cast<ptrdiff_t>(begin), l4.begin() + static_cast<ptrdiff_t>(end)});
    } else {
      std::vector<std::pair<uint8_t, Octets>> chain = extensions_;
      if (is_fragment_) {
        Octets header{0};
        put16(header, begin | (more ? 1 : 0));
        put32(header, identification_);
        chain.push_back({44, header});
      }
      if (!chain.empty()) next = chain[0].first;
      for (size_t i = 0; i < chain.size(); i++) {
        l3_payload.push_back(i + 1 < chain.size() ? chain[i + 1].first : protocol_);
        put(l3_payload, chain[i].second);
      }
      put(l3_payload,
          {l4.begin() + static_cast<ptrdiff_t>(begin), l4.begin() + static_cast<ptrdiff_t>(end)});
    }

    Octets frame(destination_mac_.bytes.begin(), destination_mac_.bytes.end());
    put(frame, Octets(source_mac_.bytes.begin(), source_mac_.bytes.end()));
    put16(frame, is_ipv4() ? 0x0800 : 0x86dd);
    const size_t l3 = frame.size();
    const auto put_address = [&frame, this](const Endpoint& end_point) {
      frame.insert(frame.end(), end_point.address.bytes.begin(),
                   end_point.address.bytes.begin() + (is_ipv4() ? 4 : 16));
    };
    if (is_ipv4()) {
      const size_t header_size = 20 + ipv4_options_.size();
      frame.push_back(static_cast<uint8_t>(0x40 | header_size / 4));
      frame.push_back(type_of_service_);
      put16(frame, header_size + l3_payload.size());
      put16(frame, identification_);
      put16(frame, (dont_fragment_ ? 0x4000u : 0) | (more ? 0x2000u : 0) | begin / 8);
      frame.push_back(ttl_);
      frame.push_back(protocol_);
      put16(frame, 0);
      put_address(source_);
      put_address(destination_);
      put(frame, ipv4_options_);
      set16(frame, l3 + 10, static_cast<uint16_t>(~plain_sum(&frame[l3], header_size)));
    } else {
      put32(frame, 0x60000000u | uint32_t{type_of_service_} << 20);
      put16(frame, l3_payload.size());
      frame.push_back(next);
      frame.push_back(ttl_);
      put_address(source_);
      put_address(destination_);
    }
    put(frame, l3_payload);
    return frame;
  }

  OffloadHeader offload() const {
    OffloadHeader header;
    if (!is_partial_) return header;
    header.flags = OffloadHeader::kNeedsChecksum;
    const size_t l4_offset = bytes().size() - l4_bytes().size();
    header.checksum_start = static_cast<uint16_t>(l4_offset);
    header.checksum_offset = static_cast<uint16_t>(checksum_offset());
    if (gso_size_ != 0) {
      header.gso_size = gso_size_;
      header.gso_type = protocol_ == 17 ? OffloadHeader::kGsoUdpL4
                        : is_ipv4()     ? OffloadHeader::kGsoTcp4
                                        : OffloadHeader::kGsoTcp6;
      header.header_length =
          static_cast<uint16_t>(l4_offset + (protocol_ == 6 ? 20 + tcp_options_.size() : 8));
    }
    return header;
  }

  OwnedFrame frame() const { return OwnedFrame(bytes(), offload()); }

 private:
  bool is_ipv4() const { return source_.family == Family::kIpv4; }
  size_t checksum_offset() const { return protocol_ == 6 ? 16 : protocol_ == 17 ? 6 : 2; }

  // The whole transport message, as it was before it was cut into fragments.
  Octets l4_bytes() const {
    Octets l4;
    if (protocol_ == 6) {
      put16(l4, source_.port);
      put16(l4, destination_.port);
      put32(l4, sequence_);
      put32(l4, acknowledgement_);
      l4.push_back(static_cast<uint8_t>((20 + tcp_options_.size()) / 4 << 4));
      l4.push_back(tcp_flags_);
      put16(l4, window_);
      put32(l4, 0);
      put(l4, tcp_options_);
    } else if (protocol_ == 17) {
      put16(l4, source_.port);
      put16(l4, destination_.port);
      put16(l4, 8 + payload_.size());
      put16(l4, 0);
    } else if (protocol_ == 1 || protocol_ == 58) {
      l4 = {icmp_type_, icmp_code_, 0, 0};
      put32(l4, icmp_rest_);
    }
    put(l4, payload_);
    const bool is_known = protocol_ == 6 || protocol_ == 17 || protocol_ == 1 || protocol_ == 58;
    if (!has_checksum_ || !is_known) return l4;

    Octets pseudo;
    if (protocol_ != 1) {
      const int size = is_ipv4() ? 4 : 16;
      pseudo.insert(pseudo.end(), source_.address.bytes.begin(),
                    source_.address.bytes.begin() + size);
      pseudo.insert(pseudo.end(), destination_.address.bytes.begin(),
                    destination_.address.bytes.begin() + size);
      put32(pseudo, l4.size());
      put32(pseudo, protocol_);
    }
    const uint16_t pseudo_sum = plain_sum(pseudo.data(), pseudo.size());
    uint16_t field = static_cast<uint16_t>(~plain_sum(l4.data(), l4.size(), pseudo_sum));
    if (protocol_ == 17 && field == 0) field = 0xffff;
    set16(l4, checksum_offset(), is_partial_ ? pseudo_sum : field);
    return l4;
  }

  uint8_t protocol_;
  Endpoint source_, destination_;
  MacAddress destination_mac_{{0x02, 0, 0, 0, 0, 0x0d}}, source_mac_{{0x02, 0, 0, 0, 0, 0x0c}};
  uint8_t ttl_ = 64, type_of_service_ = 0, tcp_flags_ = 0, icmp_type_ = 0, icmp_code_ = 0;
  uint32_t icmp_rest_ = 0, sequence_ = 1000, acknowledgement_ = 0, identification_ = 0x1234;
  uint16_t window_ = 65535, gso_size_ = 0;
  bool dont_fragment_ = false, has_checksum_ = true, is_partial_ = false, is_fragment_ = false;
  size_t fragment_offset_ = 0, fragment_size_ = 0;
  Octets ipv4_options_, tcp_options_, payload_;
  std::vector<std::pair<uint8_t, Octets>> extensions_;
};

// Family by the addresses: the 4 and 6 are for the reader.
inline Packet tcp4(const std::string& source, const std::string& destination) {
  return {6, endpoint(source), endpoint(destination)};
}
inline Packet udp4(const std::string& source, const std::string& destination) {
  return {17, endpoint(source), endpoint(destination)};
}
inline Packet icmp4(const std::string& source, const std::string& destination) {
  return {1, endpoint(source), endpoint(destination)};
}
inline Packet tcp6(const std::string& source, const std::string& destination) {
  return tcp4(source, destination);
}
inline Packet udp6(const std::string& source, const std::string& destination) {
  return udp4(source, destination);
}
inline Packet icmp6(const std::string& source, const std::string& destination) {
  return {58, endpoint(source), endpoint(destination)};
}

}  // namespace uvs::test
