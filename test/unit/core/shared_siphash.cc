// SipHash-1-3 against a plain implementation over bytes, as its paper describes it, which itself is
// held against the paper's vector for SipHash-2-4; and the hash of expected packets.
#include <doctest/doctest.h>

#include <random>

#include "packet_builder.h"
#include "shared/flow.h"
#include "shared/siphash.h"

namespace uvs::test {
namespace {

uint64_t rotate(uint64_t x, unsigned bits) { return x << bits | x >> (64 - bits); }

uint64_t little_endian(const uint8_t* bytes, size_t size) {
  uint64_t word = 0;
  for (size_t i = 0; i < size; i++) word |= uint64_t{bytes[i]} << (8 * i);
  return word;
}

uint64_t plain_siphash(const Octets& message, const Octets& key, int compressions,
                       int finalizations) {
  const uint64_t k0 = little_endian(&key[0], 8), k1 = little_endian(&key[8], 8);
  uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                   k1 ^ 0x7465646279746573};
  const auto round = [&v] {
    v[0] += v[1], v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
  };
  const auto absorb = [&](uint64_t word) {
    v[3] ^= word;
    for (int i = 0; i < compressions; i++) round();
    v[0] ^= word;
  };
  size_t at = 0;
  for (; at + 8 <= message.size(); at += 8) absorb(little_endian(&message[at], 8));
  absorb(little_endian(message.data() + at, message.size() - at) | uint64_t{message.size()} << 56);
  v[2] ^= 0xff;
  for (int i = 0; i < finalizations; i++) round();
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

Octets counting(size_t size) {
  Octets bytes(size);
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<uint8_t>(i);
  return bytes;
}

struct Words {
  uint64_t of[2];
  explicit Words(const IpAddress& address)
      : of{load<uint64_t>(address.bytes.data()), load<uint64_t>(address.bytes.data() + 8)} {}
};

}  // namespace

TEST_CASE("siphash: the plain implementation gives the paper's vector (appendix A)") {
  CHECK(plain_siphash(counting(15), counting(16), 2, 4) == 0xa129ca6149be45e5);
}

TEST_CASE("siphash: 1-3 over words equals the plain one over their bytes") {
  std::mt19937_64 random(1);
  for (unsigned count = 0; count <= 6; count++) {
    for (int turn = 0; turn < 200; turn++) {
      uint64_t words[6] = {};
      for (uint64_t& word : words) word = random();
      const uvs_hash_key key{random(), random()};
      Octets message(count * 8), key_bytes(16);
      if (count > 0) std::memcpy(message.data(), words, message.size());
      std::memcpy(key_bytes.data(), &key, 16);
      CHECK(uvs_siphash(words, count, &key) == plain_siphash(message, key_bytes, 1, 3));
    }
  }
}

TEST_CASE("siphash: fixed vectors, so that hashes of two builds agree") {
  uvs_hash_key key{};
  const Octets key_bytes = counting(16);
  std::memcpy(&key, key_bytes.data(), 16);
  const Octets message = counting(16);
  uint64_t words[2];
  std::memcpy(words, message.data(), 16);
  CHECK(uvs_siphash(words, 2, &key) == plain_siphash(message, key_bytes, 1, 3));
  CHECK(uvs_siphash(words, 2, &key) == 0xcc4fdd1a7d908b66);
  CHECK(uvs_siphash(words, 0, &key) == 0xabac0158050fc4dc);
}

TEST_CASE("reply hash: request and reply name one flow when the ends are swapped, and only then") {
  const uvs_hash_key key{1, 2};
  for (const auto& [a, b] :
       {std::pair{"10.0.0.1", "192.0.2.7"}, std::pair{"2001:db8::1", "2001:db8::2"}}) {
    const uint8_t family = static_cast<uint8_t>(endpoint(a).family);
    const Words server(address(a)), client(address(b));
    const uint64_t expected = uvs_reply_hash(server.of, client.of, 80, 1000, 6, family, &key);
    // What the worker computes from the request's ends, swapped, is what the program computes from
    // the reply.
    const auto from_request = [&](const Words& source, const Words& destination, uint16_t sport,
                                  uint16_t dport) {
      return uvs_reply_hash(destination.of, source.of, dport, sport, 6, family, &key);
    };
    CHECK(from_request(client, server, 1000, 80) == expected);
    CHECK(uvs_reply_hash(client.of, server.of, 80, 1000, 6, family, &key) != expected);
    CHECK(uvs_reply_hash(server.of, client.of, 1000, 80, 6, family, &key) != expected);
    CHECK(uvs_reply_hash(server.of, client.of, 80, 1000, 17, family, &key) != expected);
    const uvs_hash_key other{1, 3};
    CHECK(uvs_reply_hash(server.of, client.of, 80, 1000, 6, family, &other) != expected);
  }
}

TEST_CASE("reply hash: IPv4 looks at four bytes of an address only, and never gives 0") {
  const uvs_hash_key key{3, 4};
  IpAddress longer = address("10.0.0.1");
  longer.bytes[9] = 1;
  const Words a(address("10.0.0.1")), with_rest(longer), b(address("192.0.2.7"));
  CHECK(uvs_reply_hash(a.of, b.of, 1, 2, 6, 4, &key) ==
        uvs_reply_hash(with_rest.of, b.of, 1, 2, 6, 4, &key));
  for (uint16_t port = 0; port < 1000; port++)
    CHECK(uvs_reply_hash(a.of, b.of, port, 2, 6, 4, &key) != 0);
}

}  // namespace uvs::test
