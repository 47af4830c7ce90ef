// Sends UDP datagrams in three fragments each, the last one first and the first one last, and waits for their echo.
// shuffled ADDRESS PORT COUNT. Prints how many came back whole. As a NIC with many queues may deliver them; the kernel's
// own stack never sends them so.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { kPayload = 3000, kPart = 1208 };

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} Address;

static uint32_t sum(uint32_t from, const void *data, size_t size) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i++) from += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
  return from;
}

static int send_part(int raw, const Address *from, const Address *to, uint32_t id, const uint8_t *datagram, size_t size,
                     size_t offset) {
  const size_t length = size - offset < kPart ? size - offset : kPart;
  const int has_more = offset + length < size;
  uint8_t packet[60 + kPart] = {0};
  size_t head;
  Address target = *to;
  if (to->any.sa_family == AF_INET) {
    head = 20;
    packet[0] = 0x45;
    packet[4] = id >> 8, packet[5] = id;
    packet[6] = (uint8_t)(offset / 8 >> 8 | (has_more ? 0x20 : 0)), packet[7] = (uint8_t)(offset / 8);
    packet[8] = 64, packet[9] = IPPROTO_UDP;
    memcpy(packet + 12, &from->v4.sin_addr, 4);
    memcpy(packet + 16, &to->v4.sin_addr, 4);  // the kernel fills in length and checksum
    target.v4.sin_port = 0;
  } else {
    head = 48;
    packet[0] = 0x60;
    packet[4] = (8 + length) >> 8, packet[5] = (uint8_t)(8 + length);
    packet[6] = IPPROTO_FRAGMENT, packet[7] = 64;
    memcpy(packet + 8, &from->v6.sin6_addr, 16);
    memcpy(packet + 24, &to->v6.sin6_addr, 16);
    packet[40] = IPPROTO_UDP;
    packet[42] = (uint8_t)(offset >> 8), packet[43] = (uint8_t)(offset | (size_t)has_more);
    packet[44] = id >> 24, packet[45] = id >> 16, packet[46] = id >> 8, packet[47] = id;
    target.v6.sin6_port = 0;
  }
  memcpy(packet + head, datagram + offset, length);
  return sendto(raw, packet, head + length, 0, &target.any, sizeof target) == (ssize_t)(head + length);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  Address to = {0}, from;
  const int is_v6 = strchr(arguments[1], ':') != NULL;
  to.any.sa_family = is_v6 ? AF_INET6 : AF_INET;
  const uint16_t port = htons((uint16_t)atoi(arguments[2]));
  if (is_v6) {
    inet_pton(AF_INET6, arguments[1], &to.v6.sin6_addr), to.v6.sin6_port = port;
  } else {
    inet_pton(AF_INET, arguments[1], &to.v4.sin_addr), to.v4.sin_port = port;
  }
  const int udp = socket(to.any.sa_family, SOCK_DGRAM, 0), raw = socket(to.any.sa_family, SOCK_RAW, IPPROTO_RAW);
  socklen_t size = sizeof from;
  if (udp < 0 || raw < 0 || connect(udp, &to.any, sizeof to) != 0 || getsockname(udp, &from.any, &size) != 0) {
    perror(arguments[1]);
    return 1;
  }
  int whole = 0;
  for (int i = 0; i < atoi(arguments[3]); i++) {
    static uint8_t datagram[8 + kPayload], answer[8 + kPayload];
    const uint16_t length = htons(sizeof datagram), own = is_v6 ? from.v6.sin6_port : from.v4.sin_port;
    memcpy(datagram, &own, 2), memcpy(datagram + 2, &port, 2), memcpy(datagram + 4, &length, 2), memset(datagram + 6, 0, 2);
    for (size_t k = 0; k < kPayload; k++) datagram[8 + k] = (uint8_t)(k * 7 + (size_t)i);
    uint32_t total = IPPROTO_UDP + sizeof datagram;
    total = is_v6 ? sum(sum(total, &from.v6.sin6_addr, 16), &to.v6.sin6_addr, 16)
                  : sum(sum(total, &from.v4.sin_addr, 4), &to.v4.sin_addr, 4);
    total = sum(total, datagram, sizeof datagram);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    const uint16_t checksum = htons((uint16_t)(total == 0xffff ? 0xffff : ~total));
    memcpy(datagram + 6, &checksum, 2);
    int sent = 1;
    for (size_t part = 3; part-- > 0;) sent &= send_part(raw, &from, &to, 1000u + (uint32_t)i, datagram, sizeof datagram, part * kPart);
    if (!sent) perror("send");
    struct pollfd readable = {.fd = udp, .events = POLLIN};
    if (poll(&readable, 1, 2000) <= 0) continue;
    const ssize_t got = recv(udp, answer, sizeof answer, 0);
    if (got == kPayload && memcmp(answer, datagram + 8, kPayload) == 0) whole++;
  }
  printf("%d\n", whole);
  return 0;
}
