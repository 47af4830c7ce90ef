// Sends frames exactly as they are given into a device: for what no well-behaved program would send.
// inject DEVICE < frames, each preceded by its length as two bytes in network order. Prints how many the kernel took.
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char **arguments) {
  if (count != 2) return 2;
  const int link = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(arguments[1])};
  if (link < 0 || to.sll_ifindex == 0) {
    perror(arguments[1]);
    return 1;
  }
  unsigned char head[2];
  static unsigned char frame[65536];
  unsigned long taken = 0;
  while (fread(head, 1, 2, stdin) == 2) {
    const size_t size = (size_t)head[0] << 8 | head[1];
    if (fread(frame, 1, size, stdin) != size) return 1;
    if (sendto(link, frame, size, 0, (struct sockaddr *)&to, sizeof to) == (ssize_t)size) taken++;
  }
  printf("%lu\n", taken);
  return 0;
}
